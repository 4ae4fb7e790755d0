"""rerun: what a job called is enqueued once more, as a new job, with changes if wanted; the old one stays as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgjobs.changes import UnfitChangeError
from bgjobs.vocabulary import TERMINAL
from bgjobs_core.actions.enqueue import enqueue
from bgjobs_core.actions.errors import ChangeUnfitError, NotEndedYetError
from bgjobs_core.jobs.record import AskedJob

if TYPE_CHECKING:
    from bgjobs.changes import JobChanges
    from bgjobs_core.actions.enqueue import Enqueued
    from bgjobs_core.jobs.record import FullJob
    from bgjobs_core.redis.memory import MemoryGate
    from bgjobs_core.store.store import Store


async def rerun(
    store: Store,
    ended: FullJob,
    *,
    new_id: str,
    by: str,
    gate: MemoryGate | None,
    changes: JobChanges | None = None,
    bulk: str = "",
) -> Enqueued:
    """Enqueue what a job asked for once more; parameters that are not changed are taken over byte for byte.

    The new job is due at once. It runs in the queue's image of today, since a job is mostly run again when its code was
    mended; in its old image only where the queue leaves the image to those who ask. It has the unique key of the old
    one: if another job has that at present, no job is made, and that one is the answer.

    Args:
        store: where the jobs are.
        ended: the job that is run again.
        new_id: id of the new job; asked again with the same id and changes, it is the same new job.
        by: who wants it.
        gate: as in `enqueue`.
        changes: what is to be different in the new job; None: nothing.
        bulk: id of the bulk by which it is run again, "" if it is by none.

    Raises:
        NotEndedYetError: the job has not ended.
        ChangeUnfitError: a change does not fit the job.
        ActionError: as `enqueue`; the rules of the queue are those of today.
    """
    if ended.state not in TERMINAL:
        raise NotEndedYetError(ended.state)
    spec, parameters = ended.spec.again(), ended.parameters.decode()
    if changes is not None:
        try:
            spec, parameters = changes.new_spec(spec), changes.new_parameters(parameters)
        except UnfitChangeError as error:
            raise ChangeUnfitError(error.field, str(error)) from error
    asked = AskedJob(
        id=new_id,
        namespace=ended.namespace,
        spec=spec,
        parameters=parameters,
        created_by=by,
        rerun_of=ended.id,
        last_image=ended.spec.image or "",
    )
    made = await enqueue(store, asked, gate=gate)
    if not made.is_another:
        await store.note_rerun(job_id=ended.id, by=f"{by} (bulk {bulk})" if bulk else by, new_id=new_id)
    return made
