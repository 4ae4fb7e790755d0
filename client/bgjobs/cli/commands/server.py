"""`queues`, `doctor` and `token`."""

import sys

from bgjobs.cli import exits, text
from bgjobs.cli.session import Session
from bgjobs.cli.shared_options import Format, Output


def queues(session: Session, output: Output = Format.TABLE) -> None:
    r"""List queues: how many of their jobs run and wait, and what they may run.

    Queues are BackgroundJobQueue objects, which an administrator makes with kubectl. RUNNING counts jobs that hold a
    slot, of the MAX there are; WAITING those that are due.

    \b
    Examples:
      bgjobs queues -n shop
      bgjobs queues -o json | jq -r '.[] | select(.paused) | .name'
    """
    from bgjobs.cli import server_facts, shown  # noqa: PLC0415 - `--help` does not pay for models

    found = list(server_facts.queues(session))
    if not found:
        session.say("no queues" + (f" in namespace {session.namespace}" if session.namespace else ""))
    shown.print_models(
        found, output, lambda: shown.queue_table(found) if found else [], lambda queue: queue.name, many=True
    )


def doctor(session: Session) -> int:
    r"""Look for what keeps jobs from running; each line is ok, warn or FAIL, with what mends it.

    It asks which server there is and how it was found, whether it answers and is ready, whether the clocks agree,
    whether the token is accepted and what it allows, and whether there are queues that can run something. It changes
    nothing. Exit 1 if anything fails.

    \b
    Example:
      bgjobs doctor -n shop
    """
    from bgjobs.cli import server_facts  # noqa: PLC0415 - `--help` does not pay for HTTP
    from bgjobs.cli.doctor import Level, findings  # noqa: PLC0415 - as above

    colours = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "red"}
    wanted = text.wants_colour(sys.stdout, session.world.environ)
    found = findings(server_facts.gather(session))
    for finding in found:
        level = text.paint(f"{finding.level:<5}", colours[finding.level], wanted)
        remedy = f"  – {text.clean(finding.remedy)}" if finding.remedy else ""
        text.write(f"{level} {text.clean(finding.what)}{remedy}\n")
    return exits.FAILED if any(finding.level == Level.FAIL for finding in found) else exits.DONE


def token(session: Session) -> None:
    r"""Print a token for the API, to use with curl.

    On a cluster it is one of the ServiceAccount bgjobs-cli of the namespace, good for an hour. It is a secret: whoever
    has it may do what that account may.

    \b
    Example:
      curl -H "Authorization: Bearer $(bgjobs token)" "$BGJOBS_URL/api/v1/jobs"
    """
    found = session.connection.token()
    if found is None:
        session.say("this is a local server, which needs no token")
        return
    text.write(f"{found}\n")
