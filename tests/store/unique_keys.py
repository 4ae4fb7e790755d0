"""What holds in Redis of unique keys after every verb (S8, S9 of docs/safety.md), and what a new job comes to."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from bgjobs.vocabulary import TERMINAL, WAITING, UniqueMode
from bgjobs_core.store import keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgjobs_core.jobs.record import JobRecord, NewJob
    from tests.store.contents import Contents


def broken(contents: Contents) -> Iterator[str]:
    """Every rule that does not hold, in words."""
    jobs = contents.jobs()
    start = keys.PREFIX + "unique:"
    for name, entry in contents.entries.items():
        if not name.startswith(start):
            continue
        job = jobs.get(entry.value.decode())
        if job is None or name != keys.unique(job.namespace, job.spec.unique_key):
            yield f"S8: {name} names {entry.value}, which is no job with this key"
        elif entry.expires != (job.state in TERMINAL):
            yield f"S9: {name} is that of a job that is {job.state}; that it expires is {entry.expires}"
        elif job.state in TERMINAL and job.spec.unique_mode is not UniqueMode.IGNORE:
            yield f"S9: {name} is that of a job that has ended, and is not alone for a time"
        elif job.key_taken_by:
            yield f"S8: {name} is that of a job whose key was taken by {job.key_taken_by}"
    for job in jobs.values():
        has_key = job.spec.unique_key is not None and job.state not in TERMINAL and not job.key_taken_by
        if has_key and contents.value(keys.unique(job.namespace, job.spec.unique_key)) != job.id.encode():
            yield f"S8: the open job {job.id} has not its key {job.spec.unique_key}"


def alone_until(job: JobRecord) -> int:
    """Until when a job keeps others of its key from being made after its end, in ms; 0 if it does not."""
    seconds = job.spec.unique_for_seconds
    return 0 if seconds is None else job.created_at + seconds * 1000


class Expected(NamedTuple):
    """What is to come of a new job because of its unique key.

    Attributes:
        did: `created`, `returned` or `ignored`.
        other: id of the job that has the key, or that is replaced; "" if there is none.
        taken_from: id of the job that loses the key; "" if none does.
    """

    did: str = "created"
    other: str = ""
    taken_from: str = ""


def expected(job: NewJob, before: Contents, now: int, needed: set[str], *, ends_at_once: bool) -> Expected:
    """What is to come of a new job because of its unique key, worked out from what was there.

    Args:
        job: that is asked for.
        before: what was there.
        now: when it is asked for, in ms.
        needed: ids of the jobs that it needs.
        ends_at_once: whether one of these has failed.
    """
    own = job.spec.unique_key
    value = None if own is None else before.value(keys.unique(job.asked.namespace, own))
    other = None if value is None else before.jobs().get(value.decode())
    if other is None:
        return Expected()
    is_open, mode = other.state not in TERMINAL, job.spec.unique_mode or UniqueMode.RETURN
    if mode is UniqueMode.IGNORE and (is_open or alone_until(other) > now):
        return Expected("ignored", other.id)
    if mode is UniqueMode.RETURN and is_open:
        return Expected("returned", other.id)
    if not is_open or ends_at_once:
        return Expected()
    is_replaced = other.state in WAITING and other.id not in needed
    return Expected("created", other.id if is_replaced else "", other.id)
