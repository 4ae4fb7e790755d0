"""pending: jobs whose code does not start say why, and are given up after the deadline of their queue.

A deadline has no event, and Kubernetes says why a pod does not start only to those who look.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from bgjobs.vocabulary import Outcome, Phase, State
from bgjobs_core.store import keys
from bgjobs_operator.loops.loop import each

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from bgjobs_core.jobs.queue import QueueRecord
    from bgjobs_core.jobs.record import JobRecord
    from bgjobs_core.store.store import Store
    from bgjobs_operator.interfaces.launcher import Launcher, PodView

PERIOD: Final = 5.0  # seconds between two looks
AFTER_MS: Final = 5000  # a job that holds its slot for less is not looked at
_BATCH: Final = 500


def pending_reason(pods: Sequence[PodView]) -> str:
    """Why a launched job has not started, in Kubernetes' own words; "" if nothing is wrong."""
    for pod in pods:
        if pod.waiting_reason and pod.waiting_reason not in {"ContainerCreating", "PodInitializing"}:
            return f"{pod.waiting_reason}: {pod.waiting_message}" if pod.waiting_message else pod.waiting_reason
    return ""


def waits_since(job: JobRecord, pods: Sequence[PodView]) -> int | None:
    """Since when a pod of it could have run its code (Unix ms); None: none has to.

    Between two attempts that is since there is the next pod: the back-off before it is meant.
    """
    if job.attempt == 0:
        return job.launched_at or job.claimed_at
    # The pod whose attempt has ended may look alive for some seconds, or for as long as its node is away.
    others = (pod for pod in pods if not pod.ended and pod.uid != job.fence)
    return min((pod.created_at for pod in others if pod.created_at is not None), default=None)


def overdue(since: int | None, queue: QueueRecord | None, now: int) -> bool:
    """Whether a job has waited for the start of its code for longer than the queue allows; times in Unix ms."""
    return since is not None and queue is not None and now - since > queue.spec.pending_deadline_seconds * 1000


@dataclass
class Pending:
    """Jobs whose code does not start, the first time or again, say why, and are given up after the queue's deadline."""

    store: Store
    launcher: Launcher
    namespaces: Collection[str]

    async def turn(self) -> float | None:
        """One look at every job that holds a slot for a while and has not started."""
        now = await self.store.now_ms()
        pending: list[JobRecord] = []
        for index in (keys.launched, keys.launching):
            start = 0
            while ids := await self.store.ids_in(index, now - AFTER_MS, _BATCH, start):
                pending += [job for job in await self.store.jobs(ids) if self._waits(job)]
                start += len(ids)
        await each(pending, partial(self._look, now))
        return None

    def _waits(self, job: JobRecord) -> bool:
        return job.namespace in self.namespaces and (job.attempt == 0 or job.phase == Phase.RETRYING)

    async def _look(self, now: int, job: JobRecord) -> None:
        reason = job.reason
        pods: list[PodView] = []
        if job.state is State.LAUNCHED:
            pods = await self.launcher.pods(job.namespace, job.kube_uid)
            words = pending_reason(pods)
            if not pods:  # those that quota or admission refuses are nowhere: only an Event of the KubeJob says so
                words = await self.launcher.complaint(job.namespace, job.kube_uid)
            reason = words[:1024]
            phase = Phase.RETRYING if job.attempt else Phase.PENDING
            await self.store.observe_phase(job_id=job.id, kube_uid=job.kube_uid, phase=phase, reason=reason)
        if overdue(waits_since(job, pods), await self.store.queue(job.queue_key), now):
            what = f"attempt {job.attempt + 1}" if job.attempt else "its code"
            note = f"{what} did not start in time{': ' if reason else ''}{reason}"
            await self.store.stop(job_id=job.id, verdict=Outcome.NEVER_STARTED, by="bgjobs", note=note)
