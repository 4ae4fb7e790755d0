"""The subcommands `logs` and `wait`, which follow a job while it runs."""

from typing import Annotated

import typer

from bgjobs.cli.arguments import completion
from bgjobs.cli.session import Session
from bgjobs.cli.showing import durations


def logs(
    session: Session,
    word: Annotated[
        str, typer.Argument(metavar="ID", help="Id of a job, as in `show`.", autocompletion=completion.job_ids)
    ],
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Follow until the job, or with --attempt that attempt, has ended.")
    ] = False,
    attempt: Annotated[
        int | None,
        typer.Option("--attempt", metavar="NUMBER", min=1, help="The log of this attempt; else of the latest one."),
    ] = None,
) -> None:
    r"""Print what a job printed, byte for byte.

    With -f it goes on from one attempt to the next, and says so on standard error. A very long log is kept without its
    middle; a line in it says so.

    \b
    Examples:
      bgjobs logs last -f
      bgjobs logs 1122334455 --attempt 1 > first.log
    """
    from bgjobs.cli.commands import endings, lookup  # noqa: PLC0415 - as above
    from bgjobs.cli.showing import follow as following  # noqa: PLC0415 - `--help` does not pay for models
    from bgjobs.cli.showing import printing  # noqa: PLC0415 - as above

    client = session.client(patient=follow)
    job_id = lookup.ids(client, [word])[0]
    if follow:
        watcher = following.Watcher(session, several=False)
        try:
            job = following.follow_log(client, job_id, attempt, endings.write_log, watcher, session.say)
        finally:
            watcher.clear()
        session.say(f"job {job.id} is {printing.state_label(job)}")
        return
    if attempt is None:
        job = client.get(job_id)
        if not job.attempt:
            words = printing.why(job)
            session.say(f"no attempt has started: the job is {job.state}{f' ({words})' if words else ''}")
    following.copy_log(client, job_id, attempt, endings.write_log)


def wait(
    session: Session,
    words: Annotated[
        list[str],
        typer.Argument(metavar="ID...", help="Ids of jobs, as in `show`.", autocompletion=completion.job_ids),
    ],
    timeout: Annotated[
        str | None,
        typer.Option("--timeout", metavar="SECONDS", help="Exit 7 after this time, like 90, 5m, 2h; the jobs go on."),
    ] = None,
) -> int:
    r"""Wait until jobs have ended: exit 0 if all succeeded, else 1.

    Their progress is shown on standard error: on a terminal in one line that changes, with a bar if the job reports its
    progress; otherwise in a new line for each change.

    \b
    Examples:
      bgjobs wait last
      bgjobs wait 1122334455 99aabbccdd --timeout 10m && echo done
    """
    from bgjobs.cli.commands import endings, lookup  # noqa: PLC0415 - `--help` does not pay for models

    limit = durations.seconds(timeout, "--timeout")
    client = session.client(patient=True)
    return endings.wait(session, client, lookup.ids(client, words), limit)
