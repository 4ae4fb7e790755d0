"""Lets many jobs live at once in a store, one call after another, so that each verb can be called when it has work.

Each verb takes a job from where the verb before it in a job's life has left one. `needs` says which verb that is, so
that any verb can be called at any time: what it needs is done first.
"""

from __future__ import annotations

import zlib
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bench.subjects import jobs
from bgjobs.vocabulary import Outcome, Phase, State
from bgjobs_core.actions import listing
from bgjobs_core.health.operator_report import OperatorReport

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bgjobs_core.store.store import Store

EPOCH: Final = "bench"
BATCH: Final = 20  # jobs that one claim takes
_LINES: Final = b"".join(b"%d o line %d of the log of a job\n" % (1_700_000_000_000 + n, n) for n in range(20))
_CHUNK: Final = zlib.compress(_LINES)
_PAGE: Final = 50


@dataclass(frozen=True)
class Call:
    """One way to call the store.

    Attributes:
        run: does it, and returns what it did, in a few words.
        weight: how often it is called in the mix, for each job that lives.
        needs: the call that must come before it, and a test whether it has come.
    """

    run: Callable[[], Awaitable[str]]
    weight: float
    needs: tuple[str, Callable[[], bool]] | None = None


@dataclass
class StoreLife:
    """The jobs of one store.

    Attributes:
        store: where they are.
        factory: makes them.
        waiting: how many wait, as far as it is known here.
    """

    store: Store
    factory: jobs.Factory
    waiting: int = 0
    _launching: deque[str] = field(default_factory=deque[str])
    _launched: deque[str] = field(default_factory=deque[str])
    _running: deque[tuple[str, int]] = field(default_factory=deque[tuple[str, int]])  # and the length of its log
    _lost: deque[str] = field(default_factory=deque[str])
    _ended: deque[str] = field(default_factory=deque[str])
    _expiring: deque[str] = field(default_factory=deque[str])
    _fresh: deque[str] = field(default_factory=lambda: deque[str](maxlen=BATCH))
    _delayed: int = 0
    _turn: int = 0

    async def begin(self) -> None:
        """Lead, and write the settings of the queues."""
        await self.store.lead(EPOCH)
        await jobs.put_queues(self.store, self.factory)

    async def end(self, count: int) -> None:
        """Take so many new jobs to their end."""
        for _ in range(count):
            await self.store.enqueue(self.factory.job())
        for queue in self.factory.queue_keys:
            while (reply := await self.store.claim(epoch=EPOCH, queue=queue, limit=BATCH)).ids:
                for job_id in reply.ids:
                    self._launching.append(job_id)
                    for step in (self._bind, self._start, self._finish):
                        await step()

    def calls(self) -> dict[str, Call]:
        """All calls by their names."""
        launching = (f"claim {BATCH}", lambda: bool(self._launching))
        launched = ("bind", lambda: bool(self._launched))
        running = ("start", lambda: bool(self._running))
        return {
            "enqueue": Call(self._enqueue, 1.0),
            "enqueue, delayed": Call(self._enqueue_delayed, 0.2),
            "promote": Call(self._promote, 0.05, ("enqueue, delayed", lambda: self._delayed >= BATCH)),
            "claim 1": Call(lambda: self._claim(1), 0.1, ("enqueue", lambda: self.waiting > 0)),
            f"claim {BATCH}": Call(
                lambda: self._claim(BATCH), 1.0 / BATCH, ("enqueue", lambda: self.waiting > BATCH * self._queues)
            ),
            "decline": Call(self._decline, 0.05, launching),
            "bind": Call(self._bind, 1.0, launching),
            "observe_phase": Call(self._observe_phase, 1.0, launched),
            "start": Call(self._start, 1.0, launched),
            "beat": Call(self._beat, 2.0, running),
            "finish": Call(self._finish, 0.9, running),
            "observe_attempt": Call(self._observe_attempt, 0.1, running),
            "observe_end": Call(self._observe_end, 0.1, ("observe_attempt", lambda: bool(self._lost))),
            "stop": Call(self._stop, 0.05, ("enqueue", lambda: bool(self._fresh))),
            "retire, KubeJob": Call(self._retire_kube_job, 1.0, ("finish", lambda: bool(self._ended))),
            "retire, record": Call(self._retire_record, 1.0, ("retire, KubeJob", lambda: bool(self._expiring))),
            "put_queue": Call(self._put_queue, 0.02),
            "report": Call(self._report, 0.05),
            "read a job": Call(self._read_job, 1.0, launched),
            "read a queue's load": Call(self._read_load, 0.2),
            f"list {_PAGE}": Call(self._list, 0.1),
        }

    async def run(self, name: str, calls: dict[str, Call], around: Callable[[str, Call], Awaitable[None]]) -> None:
        """Run a call, and before it whatever it needs.

        Args:
            name: of the call.
            calls: all of them.
            around: runs each call, by its name.
        """
        needs = calls[name].needs
        while needs is not None and not needs[1]():
            await self.run(needs[0], calls, around)
        await around(name, calls[name])

    @property
    def _queues(self) -> int:
        return len(self.factory.queue_keys)

    def _next_queue(self) -> str:
        self._turn += 1
        return self.factory.queue_keys[self._turn % self._queues]

    async def _enqueue(self) -> str:
        job = self.factory.job()
        await self.store.enqueue(job)
        self.waiting += 1
        self._fresh.append(job.id)
        return job.queue_key

    async def _enqueue_delayed(self) -> str:
        await self.store.enqueue(self.factory.job(delay_seconds=0.001))
        self._delayed += 1
        return "due in 1 ms"

    async def _promote(self) -> str:
        reply = await self.store.promote()
        self._delayed = max(0, self._delayed - reply.promoted)
        self.waiting += reply.promoted
        return f"{reply.promoted} promoted"

    async def _claim(self, limit: int) -> str:
        queue = self._next_queue()
        reply = await self.store.claim(epoch=EPOCH, queue=queue, limit=limit)
        self._launching += reply.ids
        self.waiting -= len(reply.ids)
        return f"{len(reply.ids)} of {queue} claimed"

    async def _decline(self) -> str:
        job_id = self._launching.popleft()
        await self.store.decline(
            epoch=EPOCH, job_id=job_id, target=State.SCHEDULED, back_off_ms=1, reason="the quota is used up"
        )
        self._delayed += 1
        return "put off"

    async def _bind(self) -> str:
        job_id = self._launching.popleft()
        reply = await self.store.bind(job_id=job_id, kube_uid=f"kube-{job_id}")
        self._launched.append(job_id)
        return reply.did

    async def _observe_phase(self) -> str:
        job_id = self._launched[-1]
        reply = await self.store.observe_phase(
            job_id=job_id, kube_uid=f"kube-{job_id}", phase=Phase.PENDING, reason="ImagePullBackOff: it is not there"
        )
        return reply.did

    async def _start(self) -> str:
        job_id = self._launched.popleft()
        reply = await self.store.start(
            job_id=job_id, kube_uid=f"kube-{job_id}", pod_uid=f"pod-{job_id}", pod_name=f"bgjob-{job_id}-x"
        )
        self._running.append((job_id, 0))
        return reply.action

    async def _beat(self) -> str:
        job_id, length = self._running.popleft()
        reply = await self.store.beat(
            job_id=job_id,
            pod_uid=f"pod-{job_id}",
            attempt=1,
            chunk=(length, len(_LINES), _CHUNK),
            progress='{"done":1,"total":2}',
            keep_seconds=600,
        )
        self._running.append((job_id, length + len(_LINES)))
        return reply.action

    async def _finish(self) -> str:
        job_id, _ = self._running.popleft()
        reply = await self.store.finish(
            job_id=job_id, pod_uid=f"pod-{job_id}", attempt=1, outcome=Outcome.SUCCEEDED, failure="", result="7",
            exit_code=0,
        )  # fmt: skip
        self._ended.append(job_id)
        return reply.state

    async def _observe_attempt(self) -> str:
        job_id, _ = self._running.popleft()
        reply = await self.store.observe_attempt(
            job_id=job_id, kube_uid=f"kube-{job_id}", pod_uid=f"pod-{job_id}", outcome=Outcome.OOM_KILLED, failure="",
            exit_code=137,
        )  # fmt: skip
        self._lost.append(job_id)
        return reply.did

    async def _observe_end(self) -> str:
        job_id = self._lost.popleft()
        reply = await self.store.observe_end(
            job_id=job_id, kube_uid=f"kube-{job_id}", what="failed", outcome=Outcome.OOM_KILLED, reason="BackoffLimit"
        )
        self._ended.append(job_id)
        return reply.did

    async def _stop(self) -> str:
        job_id = self._fresh.pop()
        reply = await self.store.stop(job_id=job_id, verdict=Outcome.CANCELLED, by="ada", note="not needed any more")
        if reply.did == "cancelled":
            self.waiting -= 1
            self._ended.append(job_id)
        else:
            self._launched.extend([job_id] if reply.did == "kept" else [])
        return reply.did

    async def _retire_kube_job(self) -> str:
        job_id = self._ended.popleft()
        did = await self.store.retire(job_id=job_id, stage="kube_job")
        self._expiring.append(job_id)
        return did

    async def _retire_record(self) -> str:
        return await self.store.retire(job_id=self._expiring.popleft(), stage="record")

    async def _put_queue(self) -> str:
        queue = self._next_queue()
        return await self.store.put_queue(queue, jobs.a_queue(99_000 + self._turn % 997))  # other settings each time

    async def _report(self) -> str:
        return await self.store.report(OperatorReport("0", "operator-0", 0), EPOCH)

    async def _read_job(self) -> str:
        record = await self.store.job(self._launched[0])
        return record.state if record else "missing"

    async def _read_load(self) -> str:
        queue = self._next_queue()
        await self.store.queue_load(queue)
        return queue

    async def _list(self) -> str:
        page = await listing.page(self.store, listing.Filter((jobs.NAMESPACE,)), _PAGE, None)
        return f"{len(page.records)} rows"
