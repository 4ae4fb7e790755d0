"""What people and programs can do with schedules: run one now, pause and resume one.

A schedule is an object of Kubernetes, and only the operator may change it: what is wished is kept in Redis until the
operator has done it. A job that is run now is enqueued at once, and the operator takes note of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgjobs_core.actions.enqueue import enqueue
from bgjobs_core.actions.errors import ScheduleInvalidError, ScheduleNotFoundError
from bgjobs_core.jobs.record import AskedJob

if TYPE_CHECKING:
    from bgjobs_core.actions.enqueue import Enqueued
    from bgjobs_core.jobs.schedule_record import ScheduleRecord
    from bgjobs_core.redis.memory import MemoryGate
    from bgjobs_core.store.store import Store


async def run_schedule(store: Store, key: str, *, new_id: str, by: str, gate: MemoryGate | None) -> Enqueued:
    """Enqueue the job of a schedule now, even if it is paused, and whatever its concurrency policy is.

    At the next tick the policy counts this job as any other of the schedule.

    Args:
        store: where the schedule is.
        key: its full name, as `namespace/name`.
        new_id: id of the job; asked again with the same id, it is the same job.
        by: who wants it.
        gate: as in `enqueue`.

    Raises:
        ScheduleNotFoundError: there is no such schedule.
        ScheduleInvalidError: its spec is invalid.
        ActionError: as `enqueue`.
    """
    record = await store.schedule(key)
    if record is None:
        raise ScheduleNotFoundError(key)
    spec = record.job_spec()
    if spec is None:
        raise ScheduleInvalidError(record.view().message or "")
    asked = AskedJob(id=new_id, namespace=record.namespace, spec=spec, parameters=record.parameters, created_by=by)
    found = await enqueue(store, asked, gate=gate)
    await store.schedule_wish(schedule=key, ran=new_id)
    return found


async def suspend_schedule(store: Store, key: str, *, suspend: bool, by: str) -> ScheduleRecord:
    """Have a schedule paused or resumed by the operator, which does so within moments.

    Args:
        store: where the schedule is.
        key: its full name, as `namespace/name`.
        suspend: whether it is to make no more jobs.
        by: who wants it.

    Returns:
        The schedule with the wish.

    Raises:
        ScheduleNotFoundError: there is no such schedule.
    """
    await store.schedule_wish(schedule=key, suspend="1" if suspend else "0", by=by)
    record = await store.schedule(key)
    if record is None:
        raise ScheduleNotFoundError(key)
    return record
