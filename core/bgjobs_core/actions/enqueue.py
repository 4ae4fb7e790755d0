"""enqueue: a job that somebody asks for is admitted by the rules of its queue and stored; asking twice is asking once.

The API, the dashboard, local mode and the operator's admit loop all enqueue by this function.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bgjobs.vocabulary import State
from bgjobs_core.actions.errors import (
    ActionError,
    IdTakenError,
    NoRoomError,
    NotAdmittedError,
    TooManyClassesError,
)
from bgjobs_core.jobs.admission import NotAdmitted, decide
from bgjobs_core.redis.errors import StoreFullError

if TYPE_CHECKING:
    from bgjobs_core.jobs.record import AskedJob, FullJob
    from bgjobs_core.redis.memory import MemoryGate
    from bgjobs_core.store.store import Store


@dataclass(frozen=True)
class Enqueued:
    """A job that is safely stored.

    Attributes:
        record: the job as it is now.
        is_new: whether this call stored it; False if the same request had been made before.
    """

    record: FullJob
    is_new: bool


async def enqueue(store: Store, asked: AskedJob, *, gate: MemoryGate | None) -> Enqueued:
    """Admit the job and store it. The same request made before gives its job, even where a new one would be refused.

    Args:
        store: where the job is stored.
        asked: the job as it was asked for.
        gate: says whether Redis has room for another job; None: nobody is asked but Redis itself.

    Raises:
        NotAdmittedError: the rules of the job's queue refuse it.
        IdTakenError: the id belongs to another job.
        NoRoomError: Redis is too full.
    """
    queue = await store.queue(asked.queue_key)
    decision = decide(asked, queue.spec if queue else None)
    if isinstance(decision, NotAdmitted):
        return await _asked_before(store, asked, NotAdmittedError(decision))
    if gate is not None and not await gate.is_open():
        return await _asked_before(store, asked, NoRoomError("Redis is nearly full"))
    try:
        reply = await store.enqueue(decision)
    except StoreFullError as error:
        raise NoRoomError(str(error)) from error
    if reply.did == "created":
        return Enqueued(decision.as_created(State(reply.state), reply.now), is_new=True)
    if reply.did == "too_many_classes":
        raise TooManyClassesError(asked.namespace)
    return await _asked_before(store, asked, IdTakenError(asked.id))


async def _asked_before(store: Store, asked: AskedJob, error: ActionError) -> Enqueued:
    """The job that the same request has made before; if there is none, the error stands."""
    record = await store.full_job(asked.id)
    if record is None:
        raise error
    if asked.digest != record.digest:
        raise IdTakenError(asked.id)
    return Enqueued(record, is_new=False)
