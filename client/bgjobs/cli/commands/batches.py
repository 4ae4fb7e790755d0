"""The subcommands of `bgjobs batch`: list, show, wait, cancel and close."""

import sys
from typing import TYPE_CHECKING, Annotated, Final

import typer

from bgjobs.cli import exits
from bgjobs.cli.arguments.shared_options import Format, Output
from bgjobs.cli.exits import UsageError
from bgjobs.cli.session import Session
from bgjobs.cli.showing import durations

if TYPE_CHECKING:
    from bgjobs.batches import Batch, BatchCancelled

_PAGE: Final = 200

BatchId = Annotated[
    str,
    typer.Argument(
        metavar="ID", help="Id of a batch, which `run --each`, `batch list` and `show` of one of its jobs print."
    ),
]


def list_batches(
    session: Session,
    limit: Annotated[int, typer.Option("--limit", metavar="NUMBER", min=1, help="At most this many batches.")] = 50,
    everything: Annotated[bool, typer.Option("--all", help="All batches, however many there are.")] = False,
    output: Output = Format.TABLE,
) -> None:
    r"""List batches, the newest first, with how many of their jobs have ended, and how.

    \b
    Examples:
      bgjobs batch list -n shop
      bgjobs batch list --all -o json | jq '.[] | select(.state == "open") | .id'
    """
    from bgjobs.cli.showing import printing  # noqa: PLC0415 - `--help` does not pay for models
    from bgjobs.cli.showing.batches import batch_table  # noqa: PLC0415 - as above

    client = session.client()
    found: list[Batch] = []
    cursor = None
    while everything or len(found) < limit:
        # A page may be short, and not the last one.
        page = client.list_batches(limit=_PAGE if everything else min(_PAGE, limit - len(found)), cursor=cursor)
        found.extend(page.items)
        cursor = page.next_cursor
        if cursor is None:
            break
    if cursor is not None:
        session.say(f"the newest {len(found)} are shown; --limit or --all shows more")
    if not found:
        session.say("no batches" + (f" in namespace {session.namespace}" if session.namespace else ""))
    now = session.world.now()
    printing.print_models(
        found, output, lambda: batch_table(found, now) if found else [], lambda one: one.id, many=True
    )


def show(session: Session, batch_id: BatchId, output: Output = Format.TABLE) -> None:
    r"""Show a batch: how many jobs it has had, and how many are in each state.

    Its jobs are listed by `bgjobs list --batch ID`.

    \b
    Examples:
      bgjobs batch show 0192f0c1-2a3b-7c4d-8e5f-001122334455
      bgjobs batch show 0192f0c1-2a3b-7c4d-8e5f-001122334455 -o json | jq .counts.failed
    """
    _print(session.client().get_batch(_checked(batch_id)), output)


def wait(
    session: Session,
    batch_id: BatchId,
    timeout: Annotated[
        str | None,
        typer.Option("--timeout", metavar="SECONDS", help="Exit 7 after this time, like 90, 5m, 2h; the jobs go on."),
    ] = None,
) -> int:
    r"""Wait until all jobs of a batch have ended: exit 0 if all succeeded, else 1.

    How far it is is shown on standard error: in a new line for each change, at most one a second.

    \b
    Examples:
      bgjobs batch wait 0192f0c1-2a3b-7c4d-8e5f-001122334455 --timeout 1h && echo done
    """
    from bgjobs.cli.showing.batches import line  # noqa: PLC0415 - `--help` does not pay for models
    from bgjobs.client.batch_view import has_ended, so_far  # noqa: PLC0415 - as above
    from bgjobs.client.polling import pause_within, pauses  # noqa: PLC0415 - as above
    from bgjobs.vocabulary import State  # noqa: PLC0415 - as above

    limit = durations.seconds(timeout, "--timeout")
    client = session.client(patient=True)
    clock = session.world.clock
    started, said = clock(), ""
    pause = pauses()
    while not has_ended(batch := client.get_batch(_checked(batch_id))):
        if (words := line(batch)) != said:
            session.say(words)
            said = words
        client.sleep(pause_within(next(pause), limit, clock() - started, so_far(batch)))
    if batch.state == State.SUCCEEDED:
        session.say(f"all {batch.jobs:,} jobs of batch {batch.id} succeeded")
        return exits.DONE
    print(
        f"bgjobs: batch {batch.id} {batch.state}: {batch.words}; see `bgjobs list --batch {batch.id} --state failed`",
        file=sys.stderr,
    )
    return exits.FAILED


def cancel(
    session: Session,
    batch_id: BatchId,
    note: Annotated[
        str | None, typer.Option("--note", metavar="TEXT", help="Why, for people who look at the jobs later.")
    ] = None,
    output: Output = Format.NAME,
) -> None:
    r"""Cancel all jobs of a batch that have not ended, each as `bgjobs cancel` does; no more jobs come into it.

    It goes 200 jobs at a time. Broken off, and called again, it goes on.

    \b
    Examples:
      bgjobs batch cancel 0192f0c1-2a3b-7c4d-8e5f-001122334455 --note 'wrong price list'
    """
    parts: list[BatchCancelled] = []

    def words() -> str:
        cancelled, stopping = sum(one.cancelled for one in parts), sum(one.stopping for one in parts)
        return f"{cancelled:,} jobs are cancelled, {stopping:,} are being stopped"

    def told(part: "BatchCancelled") -> None:
        parts.append(part)
        if part.next_after is not None:
            session.say(f"{words()}; more follow")

    batch = session.client(patient=True).cancel_batch(_checked(batch_id), note, told)
    session.say(f"batch {batch.id}: {words()}")
    _print(batch, output)


def close(session: Session, batch_id: BatchId, output: Output = Format.NAME) -> None:
    r"""Say that all jobs of a batch have come, so that it ends with them.

    A client does that with the last of its jobs. It is needed where a program was ended before it had sent all of them,
    and a job waits for the batch.

    \b
    Examples:
      bgjobs batch close 0192f0c1-2a3b-7c4d-8e5f-001122334455
    """
    batch = session.client().close_batch(_checked(batch_id))
    session.say(f"batch {batch.id} has {batch.jobs:,} jobs, and takes no more")
    _print(batch, output)


def _checked(word: str) -> str:
    from bgjobs.ids import is_job_id  # noqa: PLC0415 - as above

    batch_id = word.strip().lower()
    if not is_job_id(batch_id):
        raise UsageError(f"{word!r} is not the id of a batch: give the whole id, which is a UUID")
    return batch_id


def _print(batch: "Batch", output: Format) -> None:
    from bgjobs.cli.showing import printing  # noqa: PLC0415 - as above
    from bgjobs.cli.showing.batches import batch_page  # noqa: PLC0415 - as above

    printing.print_models([batch], output, lambda: batch_page(batch), lambda one: one.id, many=False)
