"""What `--all` does: it counts, asks, begins and waits. And the subcommands of `bgjobs bulk`: list, show and stop."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from bgjobs.cli import exits
from bgjobs.cli.arguments.job_filters import Chosen, no_such_state, read
from bgjobs.cli.arguments.shared_options import Format, Output
from bgjobs.cli.exits import UsageError
from bgjobs.cli.session import Session
from bgjobs.cli.showing.text import clean

if TYPE_CHECKING:
    from bgjobs.bulk import Bulk, BulkPreview
    from bgjobs.client.bulk_calls import BulkHandle
    from bgjobs.client.list_filters import JobFilters

BulkId = Annotated[str, typer.Argument(metavar="ID", help="Id of a bulk, which `bgjobs bulk list` prints.")]


def do(session: Session, verb: str, chosen: Chosen, note: str | None, output: Format) -> int:
    """Do something with all jobs that were chosen, after they were counted and somebody has agreed."""
    from bgjobs.bulk import SENTENCES  # noqa: PLC0415 - `--help` does not pay for models
    from bgjobs.cli.showing.bulk import line, preview_lines  # noqa: PLC0415 - as above

    filters: JobFilters = {"state": _state(chosen), **read(chosen.filters, session.world.now())}
    client = session.client(patient=True)
    found = client.preview_bulk(verb, excepted=[_job_id(one) for one in chosen.excepted], note=note, **filters)
    for words in preview_lines(found):
        session.say(words)
    if not found.total and found.is_exact:
        session.say(SENTENCES[verb].none)
        return exits.DONE
    if not chosen.yes and not _agreed(found, verb):
        session.say("nothing was done")
        return exits.FAILED
    try:
        handle = client.start_bulk(found.token)
    except KeyboardInterrupt:
        session.say(f"it may have begun; see `bgjobs bulk list -n {found.namespace}`")
        raise
    if chosen.no_wait:
        session.say(f"bulk {handle.id} has begun; `{_show(handle.id, found.namespace)}` shows how far it is")
        _print([handle.progress()], output)
        return exits.DONE
    said = ""

    def told(bulk: "Bulk") -> None:
        nonlocal said
        if (words := line(bulk)) != said:
            session.say(words)
            said = words

    try:
        ended = handle.wait(told=told)
    except KeyboardInterrupt:
        _stopped(session, handle)
        raise
    _print([ended], output)
    return _code(ended)


def _show(bulk_id: str, namespace: str) -> str:
    return f"bgjobs bulk show {bulk_id} -n {namespace}"


def _stopped(session: Session, handle: "BulkHandle") -> None:
    """Ctrl-C stops what it has begun: whoever sees that it is wrong wants no more of it to be done."""
    from bgjobs.errors import ConflictError  # noqa: PLC0415 - as above

    try:
        bulk = handle.stop()
    except ConflictError:
        bulk = handle.progress()
    session.say(f"bulk {bulk.id} is {clean(str(bulk.state))}: {bulk.words}; what is done stays done")


def _code(bulk: "Bulk") -> int:
    from bgjobs.vocabulary import BulkState  # noqa: PLC0415 - as above

    if bulk.state != BulkState.DONE:
        by = f" by {clean(bulk.stopped_by)}" if bulk.stopped_by else ""
        print(f"bgjobs: bulk {bulk.id} was stopped{by}: {bulk.words}", file=sys.stderr)
        return exits.FAILED
    if bulk.failed:
        jobs = "1 job" if bulk.failed == 1 else f"{bulk.failed:,} jobs"
        print(f"bgjobs: it failed for {jobs}; see `{_show(bulk.id, bulk.namespace)}`", file=sys.stderr)
        return exits.FAILED
    return exits.DONE


def _agreed(found: "BulkPreview", verb: str) -> bool:
    from bgjobs.bulk import order_in_words, to_type  # noqa: PLC0415 - as above
    from bgjobs.vocabulary import BulkVerb  # noqa: PLC0415 - as above

    words = order_in_words(BulkVerb(verb), found.total, is_exact=found.is_exact)
    if not sys.stdin.isatty():
        raise UsageError(f"{words}? Nobody can be asked here; say --yes if that is meant")
    wanted = to_type(found.total, is_exact=found.is_exact)
    question = f"{words}? Type {wanted} to go on: " if wanted else f"{words}? [y/N] "
    print(question, end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline().strip().lower().replace(",", "")
    return answer == wanted if wanted else answer in {"y", "yes"}


def _state(chosen: Chosen) -> str | None:
    from bgjobs.vocabulary import state_and_phase  # noqa: PLC0415 - as above

    word: str | None = chosen.filters.get("state")
    if word is not None:
        try:
            state_and_phase(word)
        except ValueError as error:
            raise no_such_state(word) from error
    return word


def _job_id(word: str) -> str:
    from bgjobs.ids import STORED_VERSIONS, is_job_id  # noqa: PLC0415 - as above

    job_id = word.strip().lower()
    if not is_job_id(job_id, STORED_VERSIONS):
        raise UsageError(f"--except takes the whole id of a job, and not {word!r}")
    return job_id


def list_bulks(session: Session, output: Output = Format.TABLE) -> None:
    r"""List what was done with many jobs of a namespace, the latest first; it is remembered for seven days.

    \b
    Examples:
      bgjobs bulk list
      bgjobs bulk list -n shop -o json | jq '.[] | select(.state == "running") | .id'
    """
    from bgjobs.cli.showing import printing  # noqa: PLC0415 - as above
    from bgjobs.cli.showing.bulk import bulk_table  # noqa: PLC0415 - as above

    found = session.client().bulks(_namespace(session))
    if not found:
        session.say(f"no bulks in namespace {_namespace(session)}")
    now = session.world.now()
    printing.print_models(found, output, lambda: bulk_table(found, now) if found else [], lambda one: one.id, many=True)


def show(session: Session, bulk_id: BulkId, output: Output = Format.TABLE) -> None:
    r"""Show how far something is that is done with many jobs: how many are done, skipped, failed and left, and why.

    \b
    Examples:
      bgjobs bulk show 0192f0c1-2a3b-7c4d-8e5f-001122334455
    """
    _print([session.client().get_bulk(_checked(bulk_id), _namespace(session))], output)


def stop(session: Session, bulk_id: BulkId, output: Output = Format.NAME) -> None:
    r"""Stop something that is done with many jobs: what is done stays done.

    Up to twenty jobs that it has taken already are finished.

    \b
    Examples:
      bgjobs bulk stop 0192f0c1-2a3b-7c4d-8e5f-001122334455
    """
    bulk = session.client().stop_bulk(_checked(bulk_id), _namespace(session))
    session.say(f"bulk {bulk.id} is {clean(str(bulk.state))}: {bulk.words}")
    _print([bulk], output)


def _namespace(session: Session) -> str:
    if session.namespace is None:
        raise UsageError("say in which namespace the bulk is: --namespace NAME")
    return session.namespace


def _checked(word: str) -> str:
    from bgjobs.ids import is_job_id  # noqa: PLC0415 - as above

    bulk_id = word.strip().lower()
    if not is_job_id(bulk_id):
        raise UsageError(f"{word!r} is not the id of a bulk: give the whole id, which is a UUID")
    return bulk_id


def _print(found: "list[Bulk]", output: Format) -> None:
    from bgjobs.cli.showing import printing  # noqa: PLC0415 - as above
    from bgjobs.cli.showing.bulk import bulk_page  # noqa: PLC0415 - as above

    printing.print_models(found, output, lambda: bulk_page(found[0]), lambda one: one.id, many=False)
