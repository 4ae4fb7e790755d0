"""rerun: what a job called is enqueued once more, as a new job; the old one stays as it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgjobs.vocabulary import TERMINAL
from bgjobs_core.actions.enqueue import enqueue
from bgjobs_core.actions.errors import NotEndedYetError
from bgjobs_core.jobs.record import AskedJob

if TYPE_CHECKING:
    from bgjobs_core.actions.enqueue import Enqueued
    from bgjobs_core.jobs.record import FullJob
    from bgjobs_core.redis.memory import MemoryGate
    from bgjobs_core.store.store import Store


async def rerun(store: Store, ended: FullJob, *, new_id: str, by: str, gate: MemoryGate | None) -> Enqueued:
    """Enqueue what a job asked for once more; its parameters are taken over byte for byte.

    The new job is due at once. It runs in the queue's image of today, since a job is mostly run again when its code was
    mended; in its old image only where the queue leaves the image to those who ask.

    Args:
        store: where the jobs are.
        ended: the job that is run again.
        new_id: id of the new job; asked again with the same id, it is the same new job.
        by: who wants it.
        gate: as in `enqueue`.

    Raises:
        NotEndedYetError: the job has not ended.
        ActionError: as `enqueue`; the rules of the queue are those of today.
    """
    if ended.state not in TERMINAL:
        raise NotEndedYetError(ended.state)
    asked = AskedJob(
        id=new_id,
        namespace=ended.namespace,
        spec=ended.spec.again(),
        parameters=ended.parameters.decode(),
        created_by=by,
        rerun_of=ended.id,
        last_image=ended.spec.image or "",
    )
    made = await enqueue(store, asked, gate=gate)
    await store.note_rerun(job_id=ended.id, by=by, new_id=new_id)
    return made
