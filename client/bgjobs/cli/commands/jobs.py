"""The subcommands `list`, `show`, `result` and `cancel`, which work with jobs that exist."""

from typing import TYPE_CHECKING, Annotated, Final

import typer

from bgjobs.cli.arguments import completion, job_filters
from bgjobs.cli.arguments.shared_options import Format, Output
from bgjobs.cli.session import Session
from bgjobs.refusals import NO_RESULT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgjobs.client.job_client import JobClient
    from bgjobs.client.list_filters import JobFilters
    from bgjobs.wire import HistoryEntry, Job

_PAGE: Final = 200


def list_jobs(
    session: Session,
    state: job_filters.State = None,
    queue: job_filters.Queue = None,
    class_name: job_filters.ClassName = None,
    batch: job_filters.Batch = None,
    outcome: job_filters.Outcome = None,
    error_type: job_filters.ErrorType = None,
    who: job_filters.Who = None,
    schedule: job_filters.Schedule = None,
    request: job_filters.Request = None,
    label: job_filters.Label = None,
    since: job_filters.Since = None,
    until: job_filters.Until = None,
    limit: Annotated[int, typer.Option("--limit", metavar="NUMBER", min=1, help="At most this many jobs.")] = 50,
    everything: Annotated[bool, typer.Option("--all", help="All jobs, however many there are.")] = False,
    output: Output = Format.TABLE,
) -> None:
    r"""List jobs, the latest changed first; of several filters a job must fit all.

    For a launched job STATE is its phase: pending, running, retrying and so on. ATTEMPT is the number of its latest
    attempt, and after the slash how many it may have.

    \b
    Examples:
      bgjobs list
      bgjobs list --state failed --class shop.jobs.Invoices
      bgjobs list --outcome timed_out --since 24h --label team=billing
      bgjobs list -n shop --all -o json | jq '.[] | select(.attempt > 1) | .id'
    """
    from bgjobs.cli.showing import printing  # noqa: PLC0415 - `--help` does not pay for models
    from bgjobs.vocabulary import shown_state, state_and_phase  # noqa: PLC0415 - as above

    try:
        asked, phase = (None, None) if state is None else state_and_phase(state)
    except ValueError as error:
        raise job_filters.no_such_state(state or "") from error
    world = session.world
    typed = {
        "queue": queue, "class_name": class_name, "batch": batch, "outcome": outcome, "error_type": error_type,
        "who": who, "schedule": schedule, "request": request, "label": label, "since": since, "until": until,
    }  # fmt: skip
    filters: JobFilters = {"state": asked, **job_filters.read(typed, world.now())}
    client = session.client()
    found: list[Job] = []
    cursor = None
    while everything or len(found) < limit:
        # A page may be short, or empty, and not the last one.
        size = _PAGE if everything or phase else min(_PAGE, limit - len(found))
        page = client.list(limit=size, cursor=cursor, **filters)
        found.extend(job for job in page.items if phase in {None, shown_state(job.state, job.phase)})
        cursor = page.next_cursor
        if cursor is None:
            break
    if not everything:
        more = cursor is not None or len(found) > limit
        del found[limit:]
        if more:
            which = "latest" if batch is None else "first"
            session.say(f"the {which} {len(found)} are shown; --limit or --all shows more")
    if not found:
        where = f" in namespace {session.namespace}" if session.namespace else ""
        session.say(f"no jobs{where}" + (" that match" if any(filters.values()) else ""))
    printing.print_models(
        found,
        output,
        lambda: printing.job_table(found, world.now(), world.environ) if found else [],
        lambda job: job.id,
        many=True,
    )


def show(
    session: Session,
    word: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help="Id of a job: the whole id, 6 characters or more of its end or beginning, or `last`.",
            autocompletion=completion.job_ids,
        ),
    ],
    output: Output = Format.TABLE,
) -> None:
    r"""Show everything about a job: its call, times, attempts, error with traceback, and result.

    JSON and YAML are the job as the API gives it, without the result, which `bgjobs result` prints.

    \b
    Examples:
      bgjobs show last
      bgjobs show 1122334455 -o json | jq .error
    """
    from bgjobs.cli.commands import lookup  # noqa: PLC0415 - as above
    from bgjobs.cli.showing import printing, text  # noqa: PLC0415 - `--help` does not pay for models
    from bgjobs.errors import ConflictError, ForbiddenError, NotFoundError  # noqa: PLC0415 - as above

    client = session.client()
    job = client.get(lookup.ids(client, [word])[0])

    def page() -> list[str]:
        result = None
        if job.has_result:
            try:
                result = text.plain(client.result(job.id))
            except (ConflictError, ForbiddenError, NotFoundError) as error:
                # The rest can be seen without the right to see this.
                result = f"not shown: {error}"
        return printing.job_page(job, client.attempts(job.id), result, session.world.environ, _history(client, job.id))

    printing.print_models([job], output, page, lambda one: one.id, many=False)


def _history(client: "JobClient", job_id: str) -> "Sequence[HistoryEntry]":
    """What people have done with a job; nothing from a server of an earlier version, which does not know it."""
    from bgjobs.errors import NotFoundError  # noqa: PLC0415 - as above

    try:
        return client.history(job_id)
    except NotFoundError:
        return ()


def result(
    session: Session,
    word: Annotated[
        str,
        typer.Argument(metavar="ID", help="Id of a job that has succeeded.", autocompletion=completion.job_ids),
    ],
) -> None:
    r"""Print what a job returned, as JSON; `null` if that is nothing.

    \b
    Examples:
      bgjobs result last | jq .invoices
    """
    from bgjobs.cli.commands import lookup  # noqa: PLC0415 - `--help` does not pay for models
    from bgjobs.cli.showing import text  # noqa: PLC0415 - as above
    from bgjobs.errors import NotFoundError  # noqa: PLC0415 - as above

    client = session.client()
    job_id = lookup.ids(client, [word])[0]
    try:
        value = client.result(job_id)
    except NotFoundError as error:
        if error.code != NO_RESULT:
            raise
        value = None
    text.write(f"{text.as_json(value, indent=2)}\n")


@job_filters.for_all()
def cancel(
    session: Session,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="ID", help="Ids of jobs, as in `show`.", autocompletion=completion.job_ids),
    ] = None,
    note: Annotated[
        str | None, typer.Option("--note", metavar="TEXT", help="Why, for people who look at the job later.")
    ] = None,
    output: Output = Format.NAME,
    *,
    chosen: job_filters.Chosen,
) -> int | None:
    r"""Cancel jobs for good: a waiting one never starts, a running one has its pods deleted.

    Once this has returned, no code of the job starts any more. A running job is `stopping` until its last pod is gone,
    which takes at most 30 seconds if it ignores SIGTERM. `bgjobs wait` waits until then.

    With --all it is done by the server, which never touches jobs that came after they were counted. Ctrl-C stops it.

    \b
    Examples:
      bgjobs cancel last --note 'wrong month'
      bgjobs cancel --all --queue mail --state queued
    """
    from bgjobs.cli.commands import bulk, lookup  # noqa: PLC0415 - as above
    from bgjobs.cli.showing import printing  # noqa: PLC0415 - `--help` does not pay for models

    if chosen.check(words):
        return bulk.do(session, "cancel", chosen, note, output)
    client = session.client()
    jobs = [client.cancel(job_id, note) for job_id in lookup.ids(client, words or ())]
    for job in jobs:
        session.say(f"job {job.id} is {job.state}")
    world = session.world
    printing.print_models(
        jobs, output, lambda: printing.job_table(jobs, world.now(), world.environ), lambda job: job.id, many=False
    )
    return None
