"""reconcile: once a minute, and when leadership begins, what is recorded is compared with what is there.

Events can be lost (kopf loses deletions over a relist; a watch can die), deadlines have no event at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import structlog

from bgjobs.vocabulary import Outcome, Phase, State
from bgjobs_core.kube.objects import part
from bgjobs_core.resources.models import QUEUES, REQUESTS
from bgjobs_core.store import keys
from bgjobs_operator.loops import request_status
from bgjobs_operator.loops.admit import cancel_with_request
from bgjobs_operator.loops.loop import each
from bgjobs_operator.pokes import Poke

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from bgjobs_core.jobs.queue import QueueRecord
    from bgjobs_core.jobs.record import JobRecord
    from bgjobs_core.store.store import Store
    from bgjobs_operator.interfaces.launcher import Launcher, PodView
    from bgjobs_operator.interfaces.resources import ResourcesApi
    from bgjobs_operator.loops.observe import Observer
    from bgjobs_operator.pokes import Pokes

PERIOD: Final = 60.0
PENDING_PERIOD: Final = 5.0  # how often jobs that stay pending are looked at
PENDING_AFTER_MS: Final = 5000
_BATCH: Final = 500

log: Any = structlog.get_logger(__name__)


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
            while ids := await self.store.ids_in(index, now - PENDING_AFTER_MS, _BATCH, start):
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


@dataclass
class Reconcile:
    """Three-way: Redis × KubeJobs × custom resources."""

    store: Store
    api: ResourcesApi
    pokes: Pokes
    observers: Mapping[str, Observer]
    poke_all: Callable[[], None]

    async def turn(self) -> float | None:
        """Compare everything once, in all namespaces, and wake the other loops."""
        launched = await self._launched()
        try:
            await each(self.observers, partial(self._namespace, launched))
        finally:
            self.poke_all()
        return None

    async def _launched(self) -> dict[str, list[str]]:
        """Ids of launched jobs by their namespaces."""
        found: dict[str, list[str]] = {}
        async for job_id in self.store.all_ids_in(keys.launched):
            job = await self.store.job(job_id)
            if job is not None:
                found.setdefault(job.namespace, []).append(job_id)
        return found

    async def _namespace(self, launched: Mapping[str, Sequence[str]], namespace: str) -> None:
        requests: set[str] = set()
        queues: set[str] = set()
        for obj in await self.api.list(QUEUES, namespace):
            metadata = obj["metadata"]
            queues.add(f"{namespace}/{metadata['name']}")
            self.pokes.add(Poke(QUEUES, namespace, metadata["name"], metadata["uid"]))
        for obj in await self.api.list(REQUESTS, namespace):
            metadata = obj["metadata"]
            requests.add(metadata["uid"])
            if not request_status.has_ended(obj):
                await self._request(obj)
        for key in await self.store.queue_keys():
            if key.startswith(f"{namespace}/") and key not in queues:
                self.pokes.add(Poke(QUEUES, namespace, key.partition("/")[2], ""))
        for job_id in launched.get(namespace, ()):
            await self._job(job_id, requests)

    async def _request(self, obj: dict[str, Any]) -> None:
        metadata, said = obj["metadata"], part(obj, "status")
        job_id = said.get("jobId")
        if job_id and said.get("kubeJob") and await self.store.job(job_id) is None:
            log.warning("a request's job is not in Redis", request=metadata["name"], job=job_id)
            # Whether its code ran is known only if its KubeJob is still there; it is not run twice in silence.
            now = await self.store.now_ms()
            lost = request_status.refused(Outcome.LOST, "its record is gone from Redis", metadata["generation"], now)
            await self.api.apply_status(REQUESTS, metadata["namespace"], metadata["name"], metadata["uid"], lost)
        else:
            self.pokes.add(Poke(REQUESTS, metadata["namespace"], metadata["name"], metadata["uid"]))

    async def _job(self, job_id: str, requests: set[str]) -> None:
        job = await self.store.job(job_id)
        if job is None or job.state is not State.LAUNCHED:
            return
        if job.request_uid not in requests and await cancel_with_request(self.store, self.api, job):
            return
        observer = self.observers[job.namespace]
        view = observer.views.get(job.kube_uid)
        if view is not None:
            await observer.seen(view)
        else:
            await observer.check_absent(job)
