"""What holds in Redis of jobs that need others, and of batches, after every verb (S8, S9 of docs/safety.md)."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from bgjobs.vocabulary import TERMINAL, State
from bgjobs_core.jobs.batch import BatchRecord
from bgjobs_core.store import keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgjobs_core.jobs.record import JobRecord
    from tests.store.contents import Contents


def broken(contents: Contents) -> list[str]:
    """Every rule that does not hold, in words."""
    jobs = contents.jobs()
    rules = (_needs_are_counted, _children_are_listed, _all_are_told, _batches_are_counted)
    return [words for rule in rules for words in rule(contents, jobs)]


def batch_of(contents: Contents, batch_id: str) -> BatchRecord | None:
    """A batch; None if it is not there."""
    fields = contents.fields(keys.batch(batch_id))
    return BatchRecord.read(batch_id, fields) if fields else None


def state_of(contents: Contents, parent_id: str) -> State | None:
    """The state of a job or a batch that is there; None for a batch that has not ended."""
    job = contents.jobs().get(parent_id)
    if job is not None:
        return job.state
    batch = batch_of(contents, parent_id)
    assert batch is not None, f"{parent_id} is needed, and not there"
    return batch.state


def _batches_are_counted(contents: Contents, jobs: dict[str, JobRecord]) -> Iterator[str]:
    """A batch counts the jobs that it has had by their states, and lists those that are kept."""
    kept: dict[str, list[JobRecord]] = defaultdict(list)
    for job in jobs.values():
        if job.batch:
            kept[job.batch].append(job)
    listed = _named(contents, "batch_jobs:")
    known = {name.removeprefix(keys.batch("")) for name in contents.entries if name.startswith(keys.batch(""))}
    if not set(listed) == set(kept) == known:
        yield f"S9: there are the batches {known}, lists of {set(listed)}, and jobs of {set(kept)}"
        return
    begun: dict[str, dict[str, int]] = defaultdict(dict)
    for batch_id in known:
        batch = batch_of(contents, batch_id)
        assert batch is not None
        begun[batch.namespace][batch_id] = batch.created_at
    if _named(contents, "batches:") != begun:
        yield f"S8: listed are the batches {_named(contents, 'batches:')}, the records say {dict(begun)}"
    for batch_id, members in kept.items():
        batch = batch_of(contents, batch_id)
        assert batch is not None
        if listed[batch_id] != {one.id: 0 for one in members}:
            yield f"S8: batch {batch_id} lists {listed[batch_id]}, of it are {[one.id for one in members]}"
        if sum(batch.counts.values()) != batch.jobs:
            yield f"S8: batch {batch_id} counts {batch.counts}, and has had {batch.jobs} jobs"
        there = Counter(one.state for one in members)
        for state, number in batch.counts.items():
            if number < there[state] or (state not in TERMINAL and number != there[state]):
                yield f"S8: batch {batch_id} counts {number} jobs as {state}, of those that are kept are {there[state]}"
        has_ended = batch.closed_at is not None and batch.ended == batch.jobs
        if has_ended != (batch.ended_at is not None):
            yield f"S8: batch {batch_id} has ended: {has_ended}, and says {batch.ended_at}"


def ends(contents: Contents, job: JobRecord) -> dict[str, str]:
    """How each job that a job needs has ended, as the job knows it; "" for an open one."""
    fields = contents.fields(keys.needs(job.id))
    return {name.decode(): end.decode() for name, end in fields.items() if name != b"open"}


def _needs_are_counted(contents: Contents, jobs: dict[str, JobRecord]) -> Iterator[str]:
    for job in jobs.values():
        known, fields = ends(contents, job), contents.fields(keys.needs(job.id))
        if job.needs != len(known):
            yield f"S8: job {job.id} needs {job.needs} jobs, and {keys.needs(job.id)} has {known}"
        if not job.needs:
            continue
        still_open = int(fields[b"open"])
        if still_open != sum(not end for end in known.values()):
            yield f"S8: {keys.needs(job.id)} counts {still_open} open ones, and has {known}"
        if still_open and job.state not in TERMINAL | {State.BLOCKED, State.PAUSED}:
            yield f"job {job.id} is {job.state} and still needs {known}"
        if not still_open and job.state is State.BLOCKED:
            yield f"job {job.id} is blocked by nothing"


def _children_are_listed(contents: Contents, jobs: dict[str, JobRecord]) -> Iterator[str]:
    """Each open job is among the children of all jobs that it needs, and these are there."""
    expected: dict[str, dict[str, int]] = defaultdict(dict)
    for job in jobs.values():
        for parent, end in ends(contents, job).items():
            if job.state in TERMINAL:
                continue
            expected[keys.children(parent)][job.id] = 1 if end else 0
            there, batch = jobs.get(parent), batch_of(contents, parent)
            if there is None and batch is None:
                yield f"{parent} is gone, and the open job {job.id} needs it"
            elif there is not None and end and end != f"{there.state}/{there.outcome}":
                yield f"job {parent} is {there.state}, and its child {job.id} says {end}"
            elif batch is not None and end and end != f"{batch.state}/":
                yield f"batch {parent} is {batch.state}, and its child {job.id} says {end}"
    found = {f"{keys.PREFIX}children:{one}": scores for one, scores in _named(contents, "children:").items()}
    if found != expected:
        yield f"S8: the children are {found}, the records say {dict(expected)}"


def _all_are_told(contents: Contents, jobs: dict[str, JobRecord]) -> Iterator[str]:
    """Each ended job of which a child has not heard is in a list, and these have ended."""
    telling = _named(contents, "unblocking:")
    for namespace, parents in telling.items():
        for parent in parents:
            there = jobs.get(parent) or batch_of(contents, parent)
            if there is None or there.state not in TERMINAL or there.namespace != namespace:
                yield f"S8: {parent} is in {keys.unblocking(namespace)}, and has not ended"
    listed = {parent for parents in telling.values() for parent in parents}
    for parent, children in _named(contents, "children:").items():
        there = jobs.get(parent) or batch_of(contents, parent)
        if 0 in children.values() and there is not None and there.state in TERMINAL and parent not in listed:
            yield f"S8: {parent} has ended, and nobody will tell its children"
    if set(telling) != set(contents.scores(keys.unblockings())):
        yield f"S8: {keys.unblockings()} is not the set of namespaces that have some: {set(telling)}"


def _named(contents: Contents, start: str) -> dict[str, dict[str, int]]:
    """All sorted sets whose names begin so, by the rest of the name."""
    start = keys.PREFIX + start
    return {name.removeprefix(start): one.value for name, one in contents.entries.items() if name.startswith(start)}
