"""The subcommand `why`: why a job does not run, and what mends it."""

from typing import Annotated

import typer

from bgjobs.cli.arguments import completion
from bgjobs.cli.arguments.shared_options import Format, Output
from bgjobs.cli.session import Session


def why(
    session: Session,
    word: Annotated[
        str, typer.Argument(metavar="ID", help="Id of a job, as in `show`.", autocompletion=completion.job_ids)
    ],
    output: Output = Format.TABLE,
) -> None:
    r"""Say why a job does not run: since when, when it is tried again or given up, and the line that mends it.

    A job that runs, or has ended, is said to do so. docs/why.md explains each code.

    \b
    Examples:
      bgjobs why last
      bgjobs why 1122334455 -o json | jq -r .why.remedy
    """
    from bgjobs.cli.commands import lookup  # noqa: PLC0415 - `--help` does not pay for models
    from bgjobs.cli.showing import printing  # noqa: PLC0415 - as above

    client = session.client()
    found = client.why(lookup.ids(client, [word])[0])
    printing.print_models([found], output, lambda: printing.why_lines(found), lambda one: one.id, many=False)
