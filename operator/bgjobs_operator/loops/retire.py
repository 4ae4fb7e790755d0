"""retire: KubeJobs of ended jobs are deleted after R, records after their retention.

In a namespace that is no longer one of jobs we have no rights: what is there is left to Kubernetes, whose own TTL
deletes KubeJobs, and only the records go.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from bgjobs_core.store import keys
from bgjobs_operator.loops.fair_queue import LINE, Clock, FairQueue
from bgjobs_operator.loops.flows import DONE, Item, WorkEnd
from bgjobs_operator.loops.walk import walk

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence

    from bgjobs_core.jobs.record import JobRecord
    from bgjobs_core.store.store import Store
    from bgjobs_operator.interfaces.launcher import Launcher
    from bgjobs_operator.loops.troubles import Trouble

LONGEST_SLEEP: Final = 60.0
LOOK_AGAIN_SECONDS: Final = 1.0  # there may be more than the lines have room for
_KEPT_SECONDS: Final = 15.0  # until what the store keeps still is looked at again, as a record whose KubeJob stays
_PATIENT_SECONDS: Final = 5.0  # nothing is due but what is known

Stage = Literal["kube_job", "record"]


def sleep_seconds(oldest: int | None, keep_seconds: float, now: int) -> float:
    """Until the oldest ended job has been kept for long enough; times in ms."""
    if oldest is None:
        return LONGEST_SLEEP
    return min(LONGEST_SLEEP, max(0.0, keep_seconds + (oldest - now) / 1000))


@dataclass
class Retire:
    """The loop that drops what has ended: one turn offers all KubeJobs and records whose time is over.

    Attributes:
        namespaces: of jobs.
        drop_request: deletes the request of a job.
        line, tell, clock: see `FairQueue`.
    """

    store: Store
    launcher: Launcher
    keep_seconds: float
    namespaces: Collection[str]
    drop_request: Callable[[JobRecord], Awaitable[None]]
    line: int = LINE
    tell: Callable[[str, str, Trouble | None], None] = lambda _, __, ___: None
    clock: Clock = field(default_factory=asyncio.get_running_loop)
    fair: FairQueue[tuple[Stage, str]] = field(init=False)

    def __post_init__(self) -> None:
        self.fair = FairQueue("retire", self._work, line=self.line, tell=self.tell, clock=self.clock)

    async def turn(self) -> float | None:
        """Offer what is due, and sleep until the next one is."""
        now = await self.store.now_ms()
        namespaces = await self.store.namespaces()
        new = 0

        def offer(stage: Stage) -> Callable[[str, str], bool]:
            def one(namespace: str, job_id: str) -> bool:
                nonlocal new
                known = self.fair.knows(namespace, f"{stage} {job_id}") is not None
                new += not known
                return known or self.fair.offer(namespace, f"{stage} {job_id}", (stage, job_id))

            return one

        until = self._until(now)
        found = await walk(self.store, keys.ended, namespaces, offer("kube_job"), until)
        found += await walk(self.store, keys.expiring, namespaces, offer("record"), now)
        if new:
            return LOOK_AGAIN_SECONDS
        return min(await self._until_the_next(namespaces, until, now), _PATIENT_SECONDS if found else LONGEST_SLEEP)

    def _until(self, now: int) -> int:
        return round(now - self.keep_seconds * 1000)

    async def _until_the_next(self, namespaces: Sequence[str], until: int, now: int) -> float:
        found = await asyncio.gather(*(self.store.oldest_in(keys.ended, namespace) for namespace in namespaces))
        oldest = min((one for one in found if one is not None and one > until), default=None)
        return sleep_seconds(oldest, self.keep_seconds, now)

    async def _work(self, item: Item[tuple[Stage, str]]) -> WorkEnd | None:
        stage, job_id = item.what
        job = await self.store.job(job_id)
        if job is None:
            await self.store.forget(namespace=item.namespace, job_id=job_id)
            return WorkEnd(heard=False)
        ours = job.namespace in self.namespaces
        if stage == "kube_job":
            if job.kube_uid and ours:
                await self.launcher.delete(job.namespace, job.kube_job, job.kube_uid)
        elif (job.finished_at or 0) > self._until(await self.store.now_ms()):
            return WorkEnd(heard=False)  # its KubeJob is kept still, and may not outlive its record
        elif await self.store.has_children(job_id, job.batch):
            # They may read what it returned. Its request stays, too, and the store puts it behind the others.
            await self.store.retire(job_id=job_id, stage=stage)
            return WorkEnd(heard=False)
        elif job.request_uid and ours:  # the request goes with its record
            await self.drop_request(job)
        self.fair.answered(item)
        did = await self.store.retire(job_id=job_id, stage=stage)
        return WorkEnd(again=_KEPT_SECONDS) if did == "kept" else DONE
