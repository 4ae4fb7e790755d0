"""The subcommand `stack`: what the process of a running job does at the moment."""

from typing import Annotated

import typer

from bgjobs.cli.arguments import completion
from bgjobs.cli.arguments.shared_options import Format
from bgjobs.cli.exits import UsageError
from bgjobs.cli.session import Session
from bgjobs.cli.showing import text


def stack(
    session: Session,
    word: Annotated[
        str, typer.Argument(metavar="ID", help="Id of a job, as in `show`.", autocompletion=completion.job_ids)
    ],
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", help="How long to wait for the job's pod.", min=0)
    ] = 20,
    output: Annotated[
        Format, typer.Option("--output", "-o", metavar="json|yaml|table", help="How to print it.")
    ] = Format.TABLE,
) -> None:
    r"""Show what a running job does: where each of its threads is, and each of its asyncio tasks.

    The job goes on. Its pod hears of this with its next beat, within ten seconds. What variables hold is not shown.
    You need the right to `get` backgroundjobrequests/stack.

    The job's process gets a signal for this. A call in which its main thread waits may be interrupted by that. Python
    goes on with nearly all of them by itself, but signal.pause() returns, and C code that is not made for signals may
    fail.

    \b
    Examples:
      bgjobs stack last
      bgjobs stack 1122334455 -o json | jq -r .text
    """
    from bgjobs.cli.commands import lookup  # noqa: PLC0415 - `--help` does not pay for models
    from bgjobs.cli.showing import printing  # noqa: PLC0415 - as above

    if output == Format.NAME:
        raise UsageError("stack has no names to print: use -o json, yaml or table")
    client = session.client()
    found = client.stack(lookup.ids(client, [word])[0], timeout)
    if output != Format.TABLE:
        text.write(printing.document(found.model_dump(mode="json"), output))
        return
    when = "" if found.taken_at is None else f", as it was at {found.taken_at:%H:%M:%S} UTC"
    session.say(f"attempt {found.attempt}{when}")
    text.write(f"{text.clean_lines(found.text or '')}\n")
