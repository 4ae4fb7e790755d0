"""retire: KubeJobs of ended jobs are deleted after R, records after their retention.

In a namespace that is no longer one of jobs we have no rights: what is there is left to Kubernetes, whose own TTL
deletes KubeJobs, and only the records go.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from bgjobs_core.store import keys
from bgjobs_operator.loops.loop import each

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from bgjobs_core.jobs.record import JobRecord
    from bgjobs_core.store.store import Store
    from bgjobs_operator.interfaces.launcher import Launcher

BATCH: Final = 100
LONGEST_SLEEP: Final = 60.0


def sleep_seconds(oldest: int | None, keep_seconds: float, now: int) -> float:
    """Until the oldest ended job has been kept for long enough; times in ms."""
    if oldest is None:
        return LONGEST_SLEEP
    return min(LONGEST_SLEEP, max(0.0, keep_seconds + (oldest - now) / 1000))


@dataclass(frozen=True)
class Retire:
    """The loop that drops what has ended: one turn drops all KubeJobs and records whose time is over."""

    store: Store
    launcher: Launcher
    keep_seconds: float
    namespaces: Collection[str]
    drop_request: Callable[[JobRecord], Awaitable[None]]

    async def turn(self) -> float | None:
        """Drop what is due, and sleep until the next one is."""
        now = await self.store.now_ms()
        until = round(now - self.keep_seconds * 1000)
        steps: list[Callable[[], Awaitable[bool]]] = []
        more = False
        for namespace in await self.store.namespaces():
            kube_jobs = await self.store.ids_in(keys.ended, namespace, until, BATCH)
            records = await self.store.ids_in(keys.expiring, namespace, now, BATCH)
            steps += [partial(self._kube_job, namespace, job_id) for job_id in kube_jobs]
            steps += [partial(self._record, namespace, job_id, until) for job_id in records]
            more = more or BATCH in {len(kube_jobs), len(records)}
        done = await each(steps, lambda step: step())
        if any(done) and more:
            return 0.0
        oldest = [await self.store.oldest_in(keys.ended, namespace) for namespace in await self.store.namespaces()]
        return sleep_seconds(min((one for one in oldest if one is not None), default=None), self.keep_seconds, now)

    async def _kube_job(self, namespace: str, job_id: str) -> bool:
        """Whether it is gone."""
        job = await self.store.job(job_id)
        if job is None:
            return await self.store.forget(namespace=namespace, job_id=job_id) == "forgotten"
        if job.kube_uid and job.namespace in self.namespaces:
            await self.launcher.delete(job.namespace, job.kube_job, job.kube_uid)
        return await self.store.retire(job_id=job_id, stage="kube_job") != "kept"

    async def _record(self, namespace: str, job_id: str, until: int) -> bool:
        """Whether it is gone; of what has ended after `until` the KubeJob is kept, which may not outlive its record."""
        job = await self.store.job(job_id)
        if job is None:
            return await self.store.forget(namespace=namespace, job_id=job_id) == "forgotten"
        if (job.finished_at or 0) > until:
            return False
        if job.request_uid and job.namespace in self.namespaces:  # the request goes with its record
            await self.drop_request(job)
        return await self.store.retire(job_id=job_id, stage="record") != "kept"
