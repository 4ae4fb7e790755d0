"""enqueue: a job that somebody asks for is admitted by the rules of its queue and stored; asking twice is asking once.

The API, the dashboard, local mode and the operator's admit loop all enqueue by this function.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, cast

from bgjobs.vocabulary import State, UniqueAnswer
from bgjobs_core.actions.errors import (
    ActionError,
    BatchRefusedError,
    IdTakenError,
    JobNotFoundError,
    NoRoomError,
    NotAdmittedError,
    TooManyClassesError,
)
from bgjobs_core.jobs.admission import NotAdmitted, decide_by, parents_missing
from bgjobs_core.jobs.record import NewJob
from bgjobs_core.redis.errors import StoreFullError

if TYPE_CHECKING:
    from bgjobs_core.jobs.record import AskedJob, FullJob, JobRecord
    from bgjobs_core.redis.memory import MemoryGate
    from bgjobs_core.store.store import Store


Found = TypeVar("Found", bound="JobRecord")


@dataclass(frozen=True)
class Enqueued:
    """A job that is safely stored.

    Attributes:
        record: the job as it is now; another one if its unique key was `returned` or `ignored`.
        is_new: whether this call stored it; False if the same request had been made before, or if no job was made.
        unique: what has happened because of its unique key; None if it has none.
    """

    record: FullJob
    is_new: bool
    unique: UniqueAnswer | None = None

    @property
    def is_another(self) -> bool:
        """Whether no job was made, because another one has its unique key."""
        return self.unique in {UniqueAnswer.RETURNED, UniqueAnswer.IGNORED}


def what_happened(record: JobRecord) -> UniqueAnswer | None:
    """What happened because of its unique key when a job was made."""
    if record.spec.unique_key is None:
        return None
    return UniqueAnswer.REPLACED if record.replaced_id else UniqueAnswer.NEW


async def enqueue(store: Store, asked: AskedJob, *, gate: MemoryGate | None) -> Enqueued:
    """Admit the job and store it. The same request made before gives its job, even where a new one would be refused.

    Args:
        store: where the job is stored.
        asked: the job as it was asked for.
        gate: says whether Redis has room for another job; None: nobody is asked but Redis itself.

    Raises:
        NotAdmittedError: the rules of the job's queue refuse it.
        IdTakenError: the id belongs to another job.
        BatchRefusedError: the batch that it names cannot take it.
        NoRoomError: Redis is too full.
        JobNotFoundError: the same request was answered with another job before, and that is not kept any more.
    """
    # Settings that were read before save a trip to Redis; the verb tells whether they hold still.
    remembered = await store.remembered_queue(asked.queue_key)
    if remembered and remembered.version:
        decision = decide_by(asked, remembered)
        if isinstance(decision, NewJob):
            done = await _store(store, decision, gate, rules=remembered.version)
            if done is not None:
                return done
    queue = await store.queue(asked.queue_key)
    decision = decide_by(asked, queue)
    if isinstance(decision, NotAdmitted):
        return await _asked_before(store, asked, NotAdmittedError(decision))
    return cast("Enqueued", await _store(store, decision, gate, rules=""))


async def _store(store: Store, job: NewJob, gate: MemoryGate | None, *, rules: str) -> Enqueued | None:
    """Store a job that was admitted by these rules; None if there are others by now."""
    asked = job.asked
    if gate is not None and not await gate.is_open():
        return await _asked_before(store, asked, NoRoomError("Redis is nearly full"))
    try:
        reply = await store.enqueue(job, rules)
    except StoreFullError as error:
        raise NoRoomError(str(error)) from error
    match reply.did:
        case "other_rules":
            return None
        case "no_parent":
            raise NotAdmittedError(parents_missing(asked, reply.missing))
        case "created" if reply.state == State.CANCELLED:  # a job that it needs has failed, which is read with it
            return await _asked_before(store, asked, IdTakenError(asked.id), is_new=True)
        case "created":
            made = job.as_created(State(reply.state), reply.now, reply.other)
            return Enqueued(made, is_new=True, unique=what_happened(made))
        case "returned" | "ignored":
            return await _another(store, reply.other, reply.did)
        case "too_many_classes":
            raise TooManyClassesError(asked.namespace)
        case "batch_closed" | "batch_needed" | "batch_taken":
            raise BatchRefusedError(asked.batch, reply.did)
        case _:
            return await _asked_before(store, asked, IdTakenError(asked.id))


async def _asked_before(store: Store, asked: AskedJob, error: ActionError, *, is_new: bool = False) -> Enqueued:
    """The job that the same request has made before, or was answered with; if there is none, the error stands."""
    found = await store.full_job(asked.id)
    if found is None and (said := await store.answer(asked.id) if asked.spec.unique_key else None) is not None:
        if said.digest != asked.digest:
            raise IdTakenError(asked.id)
        return await _another(store, said.other, said.what)
    record = same_job(found, asked, error)
    return Enqueued(record, is_new=is_new, unique=what_happened(record))


async def _another(store: Store, job_id: str, what: str) -> Enqueued:
    """The job that has the unique key of one that was not made."""
    record = await store.full_job(job_id)
    if record is None:
        raise JobNotFoundError(job_id)
    return Enqueued(record, is_new=False, unique=UniqueAnswer(what))


def same_job(found: Found | None, asked: AskedJob, error: ActionError) -> Found:
    """The job that the store has under an id, if the same request has made it.

    Args:
        found: the job; None if there is none.
        asked: the job as it is asked for now.
        error: why it is not enqueued anew, which is raised if there is none.

    Raises:
        IdTakenError: another request has made it.
    """
    if found is None:
        raise error
    if asked.digest != found.digest:
        raise IdTakenError(asked.id)
    return found
