"""stop: what is in `stopping` has its KubeJob deleted; the verdict is recorded once it and its pods are gone.

A KubeJob whose POST has no answer may appear yet. So the end of such a job is held until it is there, and can be
deleted, or a minute has passed, after which no POST arrives any more.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

import structlog

from bgjobs.vocabulary import State
from bgjobs_core.store import keys
from bgjobs_operator.loops.fair_queue import Clock, FairQueue
from bgjobs_operator.loops.flows import DONE, Item, WorkEnd
from bgjobs_operator.loops.walk import walk

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from bgjobs_core.jobs.record import JobRecord
    from bgjobs_core.store.store import Store
    from bgjobs_operator.interfaces.launcher import KubeJobView, Launcher, PodView
    from bgjobs_operator.loops.troubles import Trouble

PERIOD: Final = 10.0
LOOK_AGAIN_SECONDS: Final = 1.0
LOOK_FOR_LATE_SECONDS: Final = 5.0  # the observer says so at once when it sees a late one
ORPHAN_SECONDS: Final = 30.0  # pods that outlive their KubeJob end by themselves within their grace, or never

log: Any = structlog.get_logger(__name__)


class StopStep(Enum):
    """What is done next with one job that is to be stopped."""

    NOTHING = "it is not stopping any more"
    WAIT_FOR_POST = "its POST is under way"
    WAIT_FOR_LATE = "a POST of it has no answer, and may arrive still"
    DELETE = "delete its KubeJob"
    WAIT = "wait for the pods"
    CHECK_PODS = "record the verdict if no pod is left"


def plan_stop(job: JobRecord | None, view: KubeJobView | None, *, posting: bool, may_arrive: bool = False) -> StopStep:
    """What is done next with a job that is to be stopped.

    Args:
        job: the record.
        view: its KubeJob, by a read that is no older than this turn.
        posting: this process is creating its KubeJob at the moment.
        may_arrive: a POST of it has no answer, and may still make its KubeJob.
    """
    if job is None or job.state is not State.STOPPING:
        return StopStep.NOTHING
    if posting:
        return StopStep.WAIT_FOR_POST
    if view is None or (job.kube_uid and view.uid != job.kube_uid):
        return StopStep.WAIT_FOR_LATE if may_arrive and not job.kube_uid else StopStep.CHECK_PODS
    return StopStep.WAIT if view.deleting else StopStep.DELETE


def orphans(pods: Sequence[PodView], gone_for: float) -> Sequence[PodView]:
    """The pods that nobody else will end: their KubeJob was deleted alone (`--cascade=orphan`) so many seconds ago."""
    return pods if gone_for >= ORPHAN_SECONDS else ()


@dataclass
class Stopping:
    """A job that is to be stopped; since when its KubeJob is known to be gone while pods of it are not."""

    gone_since: float | None = None


@dataclass
class Stop:
    """Takes every stopping job one step after the other.

    Attributes:
        namespaces: of jobs; elsewhere nothing can be stopped, until they are of jobs again.
        halt: takes the id and namespace of a job, and sees to it that no POST of it begins from now on; whether one is
            under way.
        tell, clock: see `FairQueue`.
        may_arrive: whether a POST without an answer may still make a job's KubeJob.
    """

    store: Store
    launcher: Launcher
    namespaces: Collection[str]
    halt: Callable[[str, str], bool]
    tell: Callable[[str, str, Trouble | None], None] = lambda _, __, ___: None
    clock: Clock = field(default_factory=asyncio.get_running_loop)
    may_arrive: Callable[[JobRecord], bool] = lambda _: False
    fair: FairQueue[Stopping] = field(init=False)

    def __post_init__(self) -> None:
        self.fair = FairQueue("stop", self._work, tell=self.tell, clock=self.clock)

    async def turn(self) -> float | None:
        """Take up what is new; what is not done with comes again by itself."""

        def offer(namespace: str, job_id: str) -> bool:
            return self.fair.offer(namespace, job_id, Stopping())

        await walk(self.store, keys.stopping, self.namespaces, offer)
        return None

    def look_at(self, namespace: str, job_id: str) -> None:
        """Something has happened to a job that is to be stopped."""
        if namespace in self.namespaces:
            self.fair.offer(namespace, job_id, Stopping(), now=True)

    async def _work(self, item: Item[Stopping]) -> WorkEnd:
        again = await self._step(item.key, item.what)
        return DONE if again is None else WorkEnd(again=again)

    async def _step(self, job_id: str, stopping: Stopping) -> float | None:
        """After how many seconds the job is to be looked at again; None: it is done with."""
        job = await self.store.job(job_id)
        if job is None or job.state is not State.STOPPING:
            return None
        posting = self.halt(job_id, job.namespace)
        may_arrive = self.may_arrive(job)  # before the look, which then decides
        view = None if posting else await self.launcher.find(job.namespace, job.kube_job)
        step = plan_stop(job, view, posting=posting, may_arrive=may_arrive)
        if view is not None and step in {StopStep.DELETE, StopStep.WAIT}:
            # So that its pods are known, should they outlive it.
            await self.store.bind(job_id=job_id, kube_uid=view.uid)
            if step is StopStep.DELETE:
                await self.launcher.delete(view.namespace, view.name, view.uid)
        if step is not StopStep.CHECK_PODS:
            stopping.gone_since = None
            return LOOK_FOR_LATE_SECONDS if step is StopStep.WAIT_FOR_LATE else LOOK_AGAIN_SECONDS
        if job.kube_uid and (pods := await self.launcher.pods(job.namespace, job.kube_uid)):
            await self._end_orphans(job, pods, stopping)
            return LOOK_AGAIN_SECONDS
        reply = await self.store.observe_end(job_id=job_id, kube_uid=job.kube_uid, what="absent", reason=job.note)
        log.info("stopped", job=job_id, state=reply.state)
        return None if reply.did == "moved" else LOOK_AGAIN_SECONDS

    async def _end_orphans(self, job: JobRecord, pods: Sequence[PodView], stopping: Stopping) -> None:
        now = self.clock.time()
        if stopping.gone_since is None:
            stopping.gone_since = now
        for pod in orphans(pods, now - stopping.gone_since):
            log.warning("deleting a pod that has outlived its KubeJob", job=job.id, pod=pod.name)
            await self.launcher.delete_pod(job.namespace, pod.name, pod.uid)
