"""stop: what is in `stopping` has its KubeJob deleted; the verdict is recorded once it and its pods are gone."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

import structlog

from bgjobs.vocabulary import State
from bgjobs_core.store import keys
from bgjobs_operator.loops.loop import each

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Collection, Mapping

    from bgjobs_core.jobs.record import JobRecord
    from bgjobs_core.store.store import Store
    from bgjobs_operator.interfaces.launcher import KubeJobView, Launcher

LOOK_AGAIN_SECONDS: Final = 1.0

log: Any = structlog.get_logger(__name__)


class StopStep(Enum):
    """What is done next with one job that is to be stopped."""

    NOTHING = "it is not stopping any more"
    WAIT_FOR_POST = "its POST is under way"
    DELETE = "delete its KubeJob"
    WAIT = "wait for the pods"
    CHECK_PODS = "record the verdict if no pod is left"


def plan_stop(job: JobRecord | None, view: KubeJobView | None, *, posting: bool) -> StopStep:
    """What is done next with a job that is to be stopped.

    Args:
        job: the record.
        view: its KubeJob, by a read that is no older than this turn.
        posting: this process is creating its KubeJob at the moment.
    """
    if job is None or job.state is not State.STOPPING:
        return StopStep.NOTHING
    if posting:
        return StopStep.WAIT_FOR_POST
    if view is None or (job.kube_uid and view.uid != job.kube_uid):
        return StopStep.CHECK_PODS
    return StopStep.WAIT if view.deleting else StopStep.DELETE


@dataclass(frozen=True)
class Stop:
    """One turn takes every stopping job one step on."""

    store: Store
    launcher: Launcher
    namespaces: Collection[str]  # of jobs; elsewhere nothing can be stopped, until they are of jobs again
    posting: Mapping[str, asyncio.Event]

    async def turn(self) -> float | None:
        """Look again soon while anything is left."""
        namespaces = await self.store.namespaces()
        ids = [job_id for one in namespaces async for job_id in self.store.all_ids_in(keys.stopping, one)]
        done = await each(ids, self._step)
        return None if all(done) else LOOK_AGAIN_SECONDS

    async def _step(self, job_id: str) -> bool:
        """Whether the job is done with."""
        job = await self.store.job(job_id)
        if job is None or job.namespace not in self.namespaces:
            return True
        posting = job_id in self.posting
        view = None if posting else await self.launcher.find(job.namespace, job.kube_job)
        step = plan_stop(job, view, posting=posting)
        if view is not None and step in {StopStep.DELETE, StopStep.WAIT}:
            # So that its pods are known, should they outlive it.
            await self.store.bind(job_id=job_id, kube_uid=view.uid)
            if step is StopStep.DELETE:
                await self.launcher.delete(view.namespace, view.name, view.uid)
        if step is not StopStep.CHECK_PODS:
            return step is StopStep.NOTHING
        if job.kube_uid and await self.launcher.pods(job.namespace, job.kube_uid):
            return False
        reply = await self.store.observe_end(job_id=job_id, kube_uid=job.kube_uid, what="absent", reason=job.note)
        log.info("stopped", job=job_id, state=reply.state)
        return reply.did == "moved"
