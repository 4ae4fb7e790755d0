"""The subcommands `queues`, `doctor`, `token` and `link`, which are about the server and not about one job."""

import sys
from typing import Annotated

import typer

from bgjobs.cli import exits
from bgjobs.cli.arguments.shared_options import Format, Output
from bgjobs.cli.reaching import discovery
from bgjobs.cli.session import Session
from bgjobs.cli.showing import text
from bgjobs.connection import local_link
from bgjobs.connection.settings import ENV_TOKEN


def queues(session: Session, output: Output = Format.TABLE) -> None:
    r"""List queues: how many of their jobs run and wait, and what they may run.

    Queues are BackgroundJobQueue objects, which an administrator makes with kubectl. RUNNING is how many jobs hold a
    slot, MAX how many slots there are, and WAITING how many jobs are due and have no slot yet.

    \b
    Examples:
      bgjobs queues -n shop
      bgjobs queues -o json | jq -r '.[] | select(.paused) | .name'
    """
    from bgjobs.cli.doctor import server_facts  # noqa: PLC0415 - `--help` does not pay for models
    from bgjobs.cli.showing import printing  # noqa: PLC0415 - `--help` does not pay for models

    found = list(server_facts.queues(session))
    if not found:
        session.say("no queues" + (f" in namespace {session.namespace}" if session.namespace else ""))
    printing.print_models(
        found, output, lambda: printing.queue_table(found) if found else [], lambda queue: queue.name, many=True
    )


def doctor(
    session: Session,
    output: Annotated[
        Format, typer.Option("--output", "-o", metavar="json|yaml|table", help="How to print it.")
    ] = Format.TABLE,
) -> int:
    r"""Look for what keeps jobs from running; each line is ok, warn or FAIL, and the line below it says what helps.

    It checks which server is used and why; whether it answers, is ready and fits the version of this command; what it
    warns of (settings of Redis, clocks, the version of Kubernetes, missing permissions, the identity provider); whether
    the clocks agree; whether the token is accepted and what it allows; and whether queues can run something. If kubectl
    is used, it checks the pods of bgjobs too, as far as you may list them. It changes nothing. Exit 1 if there is a
    FAIL, which keeps jobs from running or loses them.

    \b
    Examples:
      bgjobs doctor -n shop
      bgjobs doctor -o json | jq -r '.[] | select(.level == "FAIL") | .remedy'
    """
    from bgjobs.cli.doctor import report, server_facts  # noqa: PLC0415 - `--help` does not pay for HTTP
    from bgjobs.cli.doctor.checks import Level, findings  # noqa: PLC0415 - as above
    from bgjobs.cli.showing import printing  # noqa: PLC0415 - `--help` does not pay for HTTP

    if output == Format.NAME:
        raise exits.UsageError("doctor has no names to print: use -o json, yaml or table")
    found = findings(server_facts.gather(session))
    if output == Format.TABLE:
        colour = text.wants_colour(sys.stdout, session.world.environ)
        text.write("".join(f"{line}\n" for line in report.lines(found, colour=colour, width=printing.width())))
    else:
        text.write(printing.document([one._asdict() | {"level": str(one.level)} for one in found], output))
    return exits.FAILED if any(finding.level == Level.FAIL for finding in found) else exits.DONE


def token(session: Session) -> None:
    r"""Print a token for the API, to use with curl.

    On a cluster it belongs to the ServiceAccount bgjobs-cli of the namespace, and is good for an hour. That of
    `bgjobs dev` is good until it ends. Keep it secret: whoever has it may do everything that this account may, or that
    you may on your machine.

    \b
    Examples:
      curl -H "Authorization: Bearer $(bgjobs token)" "$BGJOBS_URL/api/v1/jobs"
      curl -H "Authorization: Bearer $(bgjobs token)" http://127.0.0.1:8700/api/v1/jobs
    """
    found = session.connection.token()
    if found is None:
        raise exits.NoTokenError(
            f"no token for {session.connection.url}: this command finds that of a `bgjobs dev` in its folder and below "
            f"it; elsewhere set {ENV_TOKEN}"
        )
    text.write(f"{found}\n")


def link(session: Session) -> None:
    r"""Print a link that opens the pages of `bgjobs dev` in your browser.

    It signs in the browser that opens it, once and within ten minutes. `bgjobs dev` prints one when it starts; on a
    cluster people sign in at the dashboard's own address.

    \b
    Example:
      xdg-open "$(bgjobs link)"
    """
    choice = session.choice
    found = session.connection.token() if isinstance(choice, discovery.ByFile) else None
    if not isinstance(choice, discovery.ByFile) or found is None:
        raise exits.UsageError("links are for `bgjobs dev`: use this command in its folder, or in one below it")
    text.write(f"{local_link.new_link(choice.url, found, session.world.now())}\n")
