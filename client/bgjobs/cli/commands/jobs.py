"""The subcommands `list`, `show`, `result` and `cancel`, which work with jobs that exist."""

from typing import TYPE_CHECKING, Annotated, Final

import typer

from bgjobs.cli.arguments import completion, moments
from bgjobs.cli.arguments.shared_options import Format, Output
from bgjobs.cli.exits import UsageError
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
    state: Annotated[
        str | None,
        typer.Option(
            "--state",
            metavar="STATE",
            help="Only jobs in this state, like queued or failed, or in this phase, like running.",
            autocompletion=completion.states,
        ),
    ] = None,
    queue: Annotated[
        str | None,
        typer.Option("--queue", metavar="NAME", help="Only jobs of this queue.", autocompletion=completion.queues),
    ] = None,
    class_name: Annotated[
        str | None, typer.Option("--class", metavar="CLASS", help="Only jobs of the class with this dotted name.")
    ] = None,
    batch: Annotated[
        str | None, typer.Option("--batch", metavar="ID", help="Only jobs of this batch, in the order of their ids.")
    ] = None,
    outcome: Annotated[
        str | None,
        typer.Option(
            "--outcome",
            metavar="OUTCOME",
            help="Only jobs that have ended so, like error, timed_out or cancelled.",
            autocompletion=completion.outcomes,
        ),
    ] = None,
    error_type: Annotated[
        str | None, typer.Option("--error-type", metavar="NAME", help="Only jobs with such an error, like ValueError.")
    ] = None,
    who: Annotated[
        str | None, typer.Option("--who", metavar="NAME", help="Only jobs that they have asked for, like web or ada.")
    ] = None,
    schedule: Annotated[
        str | None,
        typer.Option(
            "--schedule", metavar="NAME", help="Only jobs of this schedule.", autocompletion=completion.schedules
        ),
    ] = None,
    request: Annotated[
        str | None, typer.Option("--request", metavar="NAME", help="Only the job of this BackgroundJobRequest.")
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option("--label", "-l", metavar="KEY[=VALUE]", help="Only jobs with this label; may be repeated."),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="TIME", help="Only jobs that changed since: 24h, or a time with its zone."),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="Only jobs that changed before; as --since.")
    ] = None,
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
    from bgjobs.vocabulary import REACHABLE, Phase, shown_state, state_and_phase  # noqa: PLC0415 - as above

    try:
        asked, phase = (None, None) if state is None else state_and_phase(state)
    except ValueError as error:
        there = ", ".join([*REACHABLE, *Phase])
        raise UsageError(f"there is no state {state!r}; there are {there}") from error
    world = session.world
    filters: JobFilters = {
        "state": asked, "queue": queue, "class_": class_name, "batch": batch, "outcome": _outcome(outcome),
        "error_type": error_type, "who": who, "schedule": schedule, "request": request, "labels": _labels(label or ()),
        "since": moments.moment(since, "--since", world.now()),
        "until": moments.moment(until, "--until", world.now()),
    }  # fmt: skip
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


def _outcome(word: str | None) -> str | None:
    from bgjobs.vocabulary import Outcome  # noqa: PLC0415 - as above

    if word is not None and word not in set(Outcome):
        raise UsageError(f"there is no outcome {word!r}; there are {', '.join(Outcome)}")
    return word


def _labels(given: "Sequence[str]") -> dict[str, str | None] | None:
    found: dict[str, str | None] = {}
    for one in given:
        key, equals, value = one.partition("=")
        if not key or "," in one:
            raise UsageError(f"--label must be KEY or KEY=VALUE, as team=billing, and not {one!r}")
        found[key] = value if equals else None
    return found or None


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


def cancel(
    session: Session,
    words: Annotated[
        list[str],
        typer.Argument(metavar="ID...", help="Ids of jobs, as in `show`.", autocompletion=completion.job_ids),
    ],
    note: Annotated[
        str | None, typer.Option("--note", metavar="TEXT", help="Why, for people who look at the job later.")
    ] = None,
    output: Output = Format.NAME,
) -> None:
    r"""Cancel jobs for good: a waiting one never starts, a running one has its pods deleted.

    Once this has returned, no code of the job starts any more. A running job is `stopping` until its last pod is gone,
    which takes at most 30 seconds if it ignores SIGTERM. `bgjobs wait` waits until then.

    \b
    Examples:
      bgjobs cancel last --note 'wrong month'
      bgjobs list --state queued -o name | xargs bgjobs cancel
    """
    from bgjobs.cli.commands import lookup  # noqa: PLC0415 - as above
    from bgjobs.cli.showing import printing  # noqa: PLC0415 - `--help` does not pay for models

    client = session.client()
    jobs = [client.cancel(job_id, note) for job_id in lookup.ids(client, words)]
    for job in jobs:
        session.say(f"job {job.id} is {job.state}")
    world = session.world
    printing.print_models(
        jobs, output, lambda: printing.job_table(jobs, world.now(), world.environ), lambda job: job.id, many=False
    )
