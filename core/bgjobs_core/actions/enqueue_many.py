"""enqueue_many: many jobs that somebody asks for at once are admitted and stored together, all of them or none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from bgjobs.vocabulary import State, UniqueAnswer
from bgjobs_core.actions.enqueue import same_job, what_happened
from bgjobs_core.actions.errors import (
    ActionError,
    BatchRefusedError,
    IdTakenError,
    NoRoomError,
    NotAdmittedError,
    OneOfManyError,
    TooManyClassesError,
)
from bgjobs_core.jobs.admission import NotAdmitted, decide_each, parents_missing
from bgjobs_core.jobs.record import NewJob
from bgjobs_core.redis.errors import StoreFullError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bgjobs_core.jobs.record import AskedJob, JobRecord
    from bgjobs_core.redis.memory import MemoryGate
    from bgjobs_core.store.enqueueing import Placed
    from bgjobs_core.store.store import Store


_READ_AT_ONCE: Final = 500  # records of jobs that others need


class Stored(NamedTuple):
    """A job that is safely stored. Its record is not read again: of a thousand jobs, nobody needs it.

    Attributes:
        id: the job's UUID; that of another one if its unique key was `returned` or `ignored`.
        state: the job's state.
        is_new: whether this call stored it; False if the same request had been made before, or if no job was made.
        batch: the batch that it is of, if it was to be of one; None if it is of none.
        unique: what has happened because of its unique key; None if it has none.
        replaced_id: id of the job that it has replaced; None if there was none.
    """

    id: str
    state: State
    is_new: bool
    batch: str | None = None
    unique: UniqueAnswer | None = None
    replaced_id: str | None = None


async def enqueue_many(store: Store, asked: Sequence[AskedJob], *, gate: MemoryGate | None) -> list[Stored]:
    """Admit jobs and store them together. For each of them holds what holds for `enqueue`.

    If Redis fails in the middle, some may be stored, and the same call may be sent again: what is there is the same
    job then.

    Args:
        store: where the jobs are stored.
        asked: the jobs as they were asked for; no two have the same id.
        gate: says whether Redis has room for more jobs; None: nobody is asked but Redis itself.

    Returns:
        The jobs in the same order.

    Raises:
        OneOfManyError: one of them is refused, and none is stored.
        NoRoomError: Redis is too full.
    """
    decisions = await _decisions(store, asked)
    refused: dict[int, ActionError] = {
        index: NotAdmittedError(one) for index, one in enumerate(decisions) if isinstance(one, NotAdmitted)
    }
    if gate is not None and not await gate.is_open():
        full = NoRoomError("Redis is nearly full")
        refused = {index: refused.get(index, full) for index in range(len(asked))}
    before = await _asked_before(store, asked, refused)
    new = {index: one for index, one in enumerate(decisions) if isinstance(one, NewJob) and index not in before}
    await _look_at_parents(store, new)
    await _look_at_batches(store, new)
    stored = await _store(store, new)
    return [stored[index] if index in stored else before[index] for index in range(len(asked))]


async def _decisions(store: Store, asked: Sequence[AskedJob]) -> list[NewJob | NotAdmitted]:
    """What admission says to each; each queue is read once."""
    queues = {key: await store.queue(key) for key in dict.fromkeys(one.queue_key for one in asked)}
    return decide_each(asked, queues)


async def _asked_before(
    store: Store, asked: Sequence[AskedJob], refused: Mapping[int, ActionError]
) -> dict[int, Stored]:
    """Those of the refused jobs that the same requests have made before: all of them, or an error is raised."""
    if not refused:
        return {}
    found: dict[str, JobRecord] = {one.id: one for one in await store.jobs([asked[index].id for index in refused])}
    before: dict[int, Stored] = {}
    answers = await store.answers([asked[index].id for index in refused if asked[index].spec.unique_key])
    for index, error in refused.items():
        said = answers.get(asked[index].id)
        if said is not None and asked[index].id not in found:
            if said.digest != asked[index].digest:
                raise OneOfManyError(index, IdTakenError(asked[index].id))
            before[index] = Stored(said.other, said.state, is_new=False, unique=UniqueAnswer(said.what))
            continue
        try:
            record = same_job(found.get(asked[index].id), asked[index], error)
        except NoRoomError:
            raise
        except ActionError as why:
            raise OneOfManyError(index, why) from why
        batch = record.batch or None if asked[index].batch else None
        unique, replaced = what_happened(record), record.replaced_id or None
        before[index] = Stored(record.id, record.state, is_new=False, batch=batch, unique=unique, replaced_id=replaced)
    return before


async def _look_at_parents(store: Store, new: Mapping[int, NewJob]) -> None:
    """Whether the jobs are there that new ones need, or stand before them in the same call.

    Raises:
        OneOfManyError: some are not.
    """
    wanted = {index: one.asked.needs for index, one in new.items() if one.asked.needs}
    if not wanted:
        return
    first: dict[str, int] = {}
    for index, one in new.items():
        first.setdefault(one.id, index)

    def is_before(parent: str, index: int) -> bool:
        place = first.get(parent, index)
        return place < index and new[place].asked.namespace == new[index].asked.namespace

    # One that is there already does not look at its parents again.
    ids = sorted({new[index].id for index in wanted} | {one for index in wanted for one in wanted[index]})
    there: dict[str, str] = {}
    for start in range(0, len(ids), _READ_AT_ONCE):
        there |= {one.id: one.namespace for one in await store.jobs(ids[start : start + _READ_AT_ONCE])}
    for start in range(0, len(ids), _READ_AT_ONCE):
        others = [one for one in ids[start : start + _READ_AT_ONCE] if one not in there]
        there |= {one.id: one.namespace for one in (await store.batches(others)).values()}
        there |= await _stood_for(store, [one for one in others if one not in there])
    for index, needs in wanted.items():
        asked = new[index].asked
        missing = [one for one in needs if not is_before(one, index) and there.get(one) != asked.namespace]
        if missing and asked.id not in there:
            raise OneOfManyError(index, NotAdmittedError(parents_missing(asked, missing)))


async def _stood_for(store: Store, ids: Sequence[str]) -> dict[str, str]:
    """Those of these ids for which no job was made, because another one has its unique key, with its namespace."""
    answers = await store.answers(ids)
    others = {one.id: one.namespace for one in await store.jobs([said.other for said in answers.values()])}
    return {job_id: others[said.other] for job_id, said in answers.items() if said.other in others}


async def _look_at_batches(store: Store, new: Mapping[int, NewJob]) -> None:
    """Whether the batches can take the jobs, as far as it can be known before one is stored.

    Raises:
        OneOfManyError: one cannot.
    """
    wanted = sorted({one.asked.batch for one in new.values() if one.asked.batch})
    there = await store.batches(wanted) if wanted else {}
    if not there:
        return
    known = await store.recorded([one.id for one in new.values()])
    for index, one in new.items():
        batch = there.get(one.asked.batch)
        if batch is None or one.id in known:
            continue
        if batch.namespace != one.asked.namespace:
            raise OneOfManyError(index, BatchRefusedError(batch.id, "batch_taken"))
        if batch.closed_at is not None:
            raise OneOfManyError(index, BatchRefusedError(batch.id, "batch_closed"))


async def _store(store: Store, new: Mapping[int, NewJob]) -> dict[int, Stored]:
    if not new:
        return {}
    try:
        replies = await store.enqueue_many(list(new.values()))
    except StoreFullError as error:
        raise NoRoomError(str(error)) from error
    made = dict(zip(new, replies, strict=True))
    for index, reply in made.items():
        if reply.did == "conflict":
            raise OneOfManyError(index, IdTakenError(new[index].id))
        if reply.did == "too_many_classes":
            raise TooManyClassesError(new[index].asked.namespace)
        if reply.did == "no_parent":
            # It was there a moment ago. What was stored before it stays, and the same call may be sent again.
            raise OneOfManyError(index, NotAdmittedError(parents_missing(new[index].asked, reply.missing)))
        if reply.did in {"batch_closed", "batch_needed", "batch_taken"}:
            raise OneOfManyError(index, BatchRefusedError(new[index].asked.batch, reply.did))
    return {index: _stored(new[index], reply) for index, reply in made.items()}


def _stored(job: NewJob, reply: Placed) -> Stored:
    state = State(reply.state)
    if reply.did in {"returned", "ignored"}:
        return Stored(reply.other, state, is_new=False, unique=UniqueAnswer(reply.did))
    unique = None
    if job.spec.unique_key is not None:
        unique = UniqueAnswer.REPLACED if reply.other else UniqueAnswer.NEW
    is_new = reply.did == "created"
    return Stored(
        job.id, state, is_new=is_new, batch=reply.batch or None, unique=unique, replaced_id=reply.other or None
    )
