"""suspend: the KubeJob of a job that somebody has suspended or resumed becomes so, and the record hears of it.

A suspended KubeJob has its pod deleted by Kubernetes, which does not count it as a failure. What is wished is in the
record; the work list says only of which jobs something is left to be done. A KubeJob of Kueue is suspended by Kueue
alone, which is told to leave it alone.
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
    from collections.abc import Callable, Collection

    from bgjobs_core.jobs.record import JobRecord
    from bgjobs_core.store.store import Store
    from bgjobs_operator.interfaces.launcher import KubeJobView, Launcher
    from bgjobs_operator.loops.troubles import Trouble

PERIOD: Final = 10.0
LOOK_AGAIN_SECONDS: Final = 1.0  # while its pod ends
ENDS_SECONDS: Final = 10.0  # while it comes to its end, which others see to

log: Any = structlog.get_logger(__name__)


class SuspendStep(Enum):
    """What is done next with one job that somebody has suspended or resumed."""

    NOTHING = "nothing of the kind is wished any more"
    LEAVE = "its KubeJob comes to its end, which others take into the record"
    NOTE_GONE = "record that no pod is left; others take into the record that its KubeJob is gone"
    SUSPEND = "suspend its KubeJob"
    CHECK_PODS = "record that it is suspended if no pod is left"
    RESUME = "have its KubeJob make pods again, and record that"
    NOTE_RESUMED = "record that it makes pods again"
    WITHDRAW = "have Kueue leave it alone, and record that it is suspended if no pod is left"
    OFFER = "have Kueue admit it again when there is room, and record that"


def plan_suspend(job: JobRecord | None, view: KubeJobView | None) -> SuspendStep:
    """What is done next with a job of which a suspension, or its end, is wished.

    Args:
        job: the record.
        view: its KubeJob, by a read that is no older than this turn.
    """
    if job is None or job.state is not State.LAUNCHED or not (job.paused_by or job.resumed_at):
        return SuspendStep.NOTHING
    if view is None or view.uid != job.kube_uid:
        return SuspendStep.NOTE_GONE
    if view.deleting or view.complete or view.failure:
        return SuspendStep.LEAVE
    if view.kueue_queue:
        return SuspendStep.WITHDRAW if job.paused_by else SuspendStep.OFFER
    if job.paused_by:
        return SuspendStep.CHECK_PODS if view.suspended else SuspendStep.SUSPEND
    return SuspendStep.RESUME if view.suspended else SuspendStep.NOTE_RESUMED


@dataclass
class Suspend:
    """Takes every job that is to be suspended or resumed one step after the other.

    Attributes:
        namespaces: of jobs; elsewhere nothing can be done, until they are of jobs again.
        tell, clock: see `FairQueue`.
    """

    store: Store
    launcher: Launcher
    namespaces: Collection[str]
    tell: Callable[[str, str, Trouble | None], None] = lambda _, __, ___: None
    clock: Clock = field(default_factory=asyncio.get_running_loop)
    fair: FairQueue[None] = field(init=False)

    def __post_init__(self) -> None:
        self.fair = FairQueue("suspend", self._work, tell=self.tell, clock=self.clock)

    async def turn(self) -> float | None:
        """Take up what is new; what is not done with comes again by itself."""

        def offer(namespace: str, job_id: str) -> bool:
            return self.fair.offer(namespace, job_id, None, now=True)

        await walk(self.store, keys.suspending, self.namespaces, offer)
        return None

    def look_at(self, namespace: str, job_id: str) -> None:
        """A job is to be suspended, and its KubeJob is not."""
        if namespace in self.namespaces:
            self.fair.offer(namespace, job_id, None, now=True)

    async def _work(self, item: Item[None]) -> WorkEnd:
        job = await self.store.job(item.key)
        if plan_suspend(job, None) is SuspendStep.NOTHING or job is None:
            if job is None:
                await self.store.forget(namespace=item.namespace, job_id=item.key)
            return WorkEnd(heard=False)
        view = await self.launcher.find(job.namespace, job.kube_job)
        step = plan_suspend(job, view)
        if step is SuspendStep.LEAVE:
            return WorkEnd(again=ENDS_SECONDS)
        return await self._do(step, job, is_suspended=view is not None and view.suspended)

    async def _do(self, step: SuspendStep, job: JobRecord, *, is_suspended: bool) -> WorkEnd:
        again = WorkEnd(again=LOOK_AGAIN_SECONDS)
        if step in {SuspendStep.SUSPEND, SuspendStep.RESUME}:
            suspend = step is SuspendStep.SUSPEND
            log.info("suspending" if suspend else "resuming", job=job.id, kube_job=job.kube_job)
            await self.launcher.suspend(job.namespace, job.kube_job, job.kube_uid, suspend=suspend)
            if suspend:
                return again
        elif step in {SuspendStep.WITHDRAW, SuspendStep.OFFER}:
            await self.launcher.offer_to_kueue(job.namespace, job.kube_uid, active=step is SuspendStep.OFFER)
            if step is SuspendStep.WITHDRAW and not is_suspended:
                return again
        if step in {SuspendStep.CHECK_PODS, SuspendStep.WITHDRAW}:
            pods = await self.launcher.pods(job.namespace, job.kube_uid)
            if not all(pod.ended for pod in pods):
                return again
        noted = await self.store.suspended(
            job_id=job.id, kube_uid=job.kube_uid, is_suspended="yes" if job.paused_by else "no"
        )
        # Somebody may wish something else by now.
        return again if noted.did == "same" else DONE
