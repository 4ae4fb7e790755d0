"""A store, a cluster in memory, and the loops between them; time passes when a test says so."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from bgjobs_core.store.store import Store
from bgjobs_operator.loops.admit import Admit, cancel_with_request
from bgjobs_operator.loops.dispatch import Dispatch
from bgjobs_operator.loops.launch import Launch
from bgjobs_operator.loops.observe import Observer, observe_queue
from bgjobs_operator.loops.pending import Pending
from bgjobs_operator.loops.reconcile import Reconcile
from bgjobs_operator.loops.retire import Retire
from bgjobs_operator.loops.settle import Settle
from bgjobs_operator.loops.stop import Stop
from bgjobs_operator.loops.suspend import Suspend
from bgjobs_operator.pokes import Poke, Pokes
from tests.store.builders import a_job, a_queue
from tests.unit.operator.builders import NAMESPACE, QUEUE_KEY

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

    from bgjobs_core.jobs.queue import QueueRecord
    from bgjobs_core.jobs.record import AttemptRecord, JobRecord
    from bgjobs_core.redis.connection import Client
    from bgjobs_core.resources.models import QueueSpec
    from bgjobs_core.store.replies import StartReply
    from bgjobs_operator.loops.fair_queue import FairQueue
    from bgjobs_operator.loops.troubles import Trouble
    from tests.store.builders import JobBuilder
    from tests.unit.operator.fake_launcher import FakeLauncher
    from tests.unit.operator.fake_resources import FakeResources

DEADLINE_SECONDS: Final = 60.0  # only a test that fails waits so long; a busy machine takes its time


OURS = frozenset({NAMESPACE, "closed"})


async def until(condition: Callable[[], object]) -> None:
    """Let others run until the condition holds; fails after a minute."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that in time"
        await asyncio.sleep(0.001)


class Hands:
    """A clock that tests move; implements `fair_queue.Clock`."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._calls: list[Call] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], object], /) -> Call:
        call = Call(when, callback)
        self._calls.append(call)
        return call

    def move_to(self, when: float) -> None:
        """It is so late; what was to be called by then is called."""
        self.now = max(self.now, when)
        due = [call for call in self._calls if call.when <= self.now and not call.cancelled]
        self._calls = [call for call in self._calls if call not in due and not call.cancelled]
        for call in due:
            call.callback()


@dataclass(eq=False)
class Call:
    """Something that is called when it is so late."""

    when: float
    callback: Callable[[], object]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


def taken(pokes: Pokes) -> list[Poke]:
    """Everything that waits, the queues first."""
    return list(iter(pokes.take, None))


class TimedStore(Store):
    """The store, with a clock that tests move and faults that they switch on; `asked` has the jobs that were read."""

    def __init__(self, client: Client) -> None:
        super().__init__(client, lambda: self.offset_ms)
        self.offset_ms = 0
        self.failing: Exception | None = None
        self.settings_failing: Exception | None = None
        self.asked: list[str] = []

    async def now_ms(self) -> int:
        return await super().now_ms() + self.offset_ms

    async def queue(self, key: str) -> QueueRecord | None:
        if self.settings_failing is not None:
            raise self.settings_failing
        return await super().queue(key)

    async def job(self, job_id: str) -> JobRecord | None:
        self.asked.append(job_id)
        if self.failing is not None:
            raise self.failing
        return await super().job(job_id)

    async def jobs(self, ids: Sequence[str]) -> list[JobRecord]:
        self.asked += ids
        if self.failing is not None:
            raise self.failing
        return await super().jobs(ids)


@dataclass
class World:
    """Everything a leader has, without the Lease; each loop is turned by hand.

    Attributes:
        slept: seconds that were waited for something to be launched again.
        on_sleep: called in place of each of these waits.
        told: what the loops have told of the trouble of namespaces.
        poked: names of the loops that were poked.
        on_ring: called when kopf has poked.
        room: how many jobs dispatch may claim.
        claims: what dispatch has claimed, by queue; `launch` finds it in the index.
    """

    store: TimedStore
    launcher: FakeLauncher
    resources: FakeResources
    epoch: str = "epoch-1"
    slept: list[float] = field(default_factory=list[float])
    on_sleep: Callable[[], Awaitable[None]] | None = None
    poked: list[str] = field(default_factory=list[str])
    on_ring: Callable[[], None] | None = None
    room: int = 1000
    claims: list[tuple[str, list[str]]] = field(default_factory=list[tuple[str, list[str]]])

    def __post_init__(self) -> None:
        self.clock = Hands()
        self.told: list[tuple[str, str, Trouble | None]] = []
        self.pokes = Pokes(self._ring)
        self.admission = Admit(self.store, self.resources, self.pokes, tell=self._tell, clock=self.clock)
        self.observing = observe_queue(self._tell, self.clock)
        self.stops = Stop(self.store, self.launcher, OURS, self._halt, self._tell, self.clock, self._may_arrive)
        self.suspends = Suspend(self.store, self.launcher, OURS, self._tell, self.clock)
        self.observer = self.observer_of(NAMESPACE)
        self.settling = Settle(self.store, self.resources, OURS, self._tell, self.clock)
        self.looking = Pending(self.store, self.launcher, OURS, self._tell, self.clock)
        self.launches = self._launches()
        self.comparing = Reconcile(
            self.store,
            self.resources,
            self.pokes,
            {NAMESPACE: self.observer},
            lambda: self.poked.append("all"),
            self.settling.write_again,
            self._tell,
            self.clock,
        )

    def observer_of(self, namespace: str) -> Observer:
        """The observer of a namespace; its watch is not begun."""
        return Observer(
            self.store,
            self.launcher,
            self.resources,
            namespace,
            self.observing,
            self._poke_stop,
            lambda: self.poked.append("listed"),
            lambda job_id: job_id in self.launches.posting,
            poke_suspend=self._poke_suspend,
        )

    def _ring(self) -> None:
        self.poked.append("admit")
        if self.on_ring is not None:
            self.on_ring()

    def _poke_stop(self, namespace: str, job_id: str) -> None:
        self.poked.append("stop")
        self.stops.look_at(namespace, job_id)

    def _poke_suspend(self, namespace: str, job_id: str) -> None:
        self.poked.append("suspend")
        self.suspends.look_at(namespace, job_id)

    def _halt(self, job_id: str, namespace: str) -> bool:
        return self.launches.halt(job_id, namespace)

    def _may_arrive(self, job: JobRecord) -> bool:
        return self.launches.may_arrive(job)

    def _tell(self, loop: str, namespace: str, trouble: Trouble | None) -> None:
        self.told.append((loop, namespace, trouble))

    def in_trouble(self, loop: str) -> set[str]:
        """The namespaces that were in trouble at some time, as a loop has told."""
        return {namespace for name, namespace, trouble in self.told if name == loop and trouble is not None}

    # ------------------------------------------------------------------- time
    def forward(self, seconds: float) -> None:
        """Let so much time pass."""
        self.store.offset_ms += round(seconds * 1000)
        self.clock.move_to(self.clock.now + seconds)

    # ------------------------------------------------------------------ loops
    async def lead(self, epoch: str = "epoch-1", queue: QueueSpec | None = None, uid: str = "") -> None:
        """A leader with this epoch takes over."""
        self.epoch = epoch
        self.launches = self._launches()
        await self.store.lead(epoch)
        await self.store.put_queue(QUEUE_KEY, queue or a_queue(), uid)

    def _launches(self) -> Launch:
        unwanted = partial(cancel_with_request, self.store, self.resources)
        return Launch(
            self.store, self.launcher, self.epoch, self._poke_stop, asyncio.TaskGroup(), unwanted, OURS,
            bound=self._bound, tell=self._tell, clock=self.clock,
        )  # fmt: skip

    def _bound(self, _namespace: str, uid: str) -> None:
        self.observer.bound(uid)

    @asynccontextmanager
    async def working(self, *queues: FairQueue[Any]) -> AsyncGenerator[None]:
        """These queues work during the block, and after it until nothing is under way."""
        runs = [asyncio.create_task(queue.run()) for queue in queues]
        await asyncio.sleep(0)  # they have begun
        try:
            yield
            await until(lambda: all(queue.at_rest() for queue in queues) or any(run.done() for run in runs))
        finally:
            for run in runs:
                run.cancel()
            await asyncio.wait(runs)
        for run in runs:
            if not run.cancelled():
                run.result()

    async def dispatch(self) -> float | None:
        """One turn of dispatch."""
        dispatch = Dispatch(self.store, self.epoch, OURS, lambda: self.room, self._claimed, clock=self.clock.time)
        return await dispatch.turn()

    def _claimed(self, queue: str, ids: Sequence[str]) -> None:
        self.poked.append("launch")
        self.claims.append((queue, list(ids)))

    async def launch(self, sleeps: int = 50) -> None:
        """One turn of launch, until nothing waits: time passes as it is waited for, so many times at most."""
        fair = self.launches.fair
        async with asyncio.timeout(DEADLINE_SECONDS), self.launching():
            await self.launches.turn()
            while True:
                await until(self.launches.is_at_rest)
                when = fair.wake_at()
                if when is None or not sleeps or fair.is_empty():
                    break
                sleeps -= 1
                self.slept.append(when - self.clock.now)
                if self.on_sleep is not None:
                    await self.on_sleep()
                self.clock.move_to(when)

    @asynccontextmanager
    async def launching(self) -> AsyncGenerator[None]:
        """The launch loop works during the block, and after it until nothing is under way."""
        async with self.working(self.launches.fair), asyncio.TaskGroup() as tasks:
            self.launches.tasks = tasks
            yield

    async def stop(self) -> None:
        """One look at each job that is to be stopped."""
        self.clock.move_to(self.clock.now + 1)
        async with self.working(self.stops.fair):
            await self.stops.turn()

    async def suspend(self) -> None:
        """One look at each job that is to be suspended or resumed."""
        self.clock.move_to(self.clock.now + 10)
        async with self.working(self.suspends.fair):
            await self.suspends.turn()

    async def admit(self) -> None:
        """One look at everything that was poked, or waits for its next look."""
        async with self.working(self.admission.fair):
            await self.admission.turn()

    async def settle(self) -> float | None:
        """Every status that is due is written."""
        async with self.working(self.settling.fair):
            return await self.settling.turn()

    async def pending(self) -> None:
        """One look at all jobs whose code does not start."""
        async with self.working(self.looking.fair):
            await self.looking.turn()

    async def reconcile(self) -> None:
        """Everything is compared once, and what is found is done."""
        async with self.working(self.comparing.fair, self.observing):
            await self.comparing.turn()

    def retire(self, keep_seconds: float = 600, line: int = 100) -> Retire:
        """The retire loop."""
        return Retire(self.store, self.launcher, keep_seconds, OURS, self._drop_request, line, self._tell, self.clock)

    async def retired(self, retire: Retire) -> float | None:
        """What is due in this loop is dropped."""
        async with self.working(retire.fair):
            return await retire.turn()

    async def _drop_request(self, job: JobRecord) -> None:
        await self.resources.delete("backgroundjobrequests", job.namespace, job.request_name, job.request_uid)

    async def observe(self) -> None:
        """The observer lists once more and takes in all that there is to see."""
        before = self.poked.count("listed")
        async with self.working(self.observing):
            task = asyncio.create_task(self.observer.run())
            await until(lambda: task.done() or self.poked.count("listed") > before)
            task.cancel()
            await asyncio.wait({task})
        if not task.cancelled():
            task.result()

    @asynccontextmanager
    async def watching(self) -> AsyncGenerator[None]:
        """The observer has listed, and watches during the block; what is seen in it is done after it."""
        before = self.poked.count("listed")
        async with self.working(self.observing):
            task = asyncio.create_task(self.observer.run())
            await until(lambda: task.done() or self.poked.count("listed") > before)
            try:
                yield
            finally:
                task.cancel()
                await asyncio.wait({task})

    # ------------------------------------------------------------------- jobs
    async def queued(self, builder: JobBuilder | None = None) -> str:
        """A new job, admitted to the queue that is there; returns its id."""
        job = (builder or a_job()).build()
        queue = None if job.queue_uid else await Store.queue(self.store, job.queue_key)
        await self.store.enqueue(replace(job, queue_uid=queue.uid) if queue else job)
        return job.id

    async def claimed(self, builder: JobBuilder | None = None) -> str:
        """A job that has its slot."""
        job_id = await self.queued(builder)
        await self.dispatch()
        assert (await self.job(job_id)).state == "launching"
        return job_id

    async def launched(self, builder: JobBuilder | None = None) -> str:
        """A job that has its KubeJob."""
        job_id = await self.claimed(builder)
        await self.launch()
        assert (await self.job(job_id)).state == "launched"
        return job_id

    async def job(self, job_id: str) -> JobRecord:
        """A job that must be there."""
        record = await self.store.job(job_id)
        assert record is not None, f"there is no job {job_id}"
        return record

    async def state(self, job_id: str) -> str:
        """Its state."""
        return (await self.job(job_id)).state.value

    async def attempts(self, job_id: str) -> list[AttemptRecord]:
        """Its attempts."""
        return await self.store.attempts(await self.job(job_id))

    async def pod_starts(self, job_id: str, pod: str = "pod-1") -> StartReply:
        """A pod of the job's KubeJob asks to run its code."""
        return await self.store.start(
            job_id=job_id, kube_uid=self.launcher.uid(job_id), pod_uid=pod, pod_name=f"bgjob-{pod}"
        )

    def poke(self, plural: str, obj: dict[str, dict[str, str]]) -> None:
        """kopf tells of an object."""
        metadata = obj["metadata"]
        self.pokes.add(Poke(plural, metadata["namespace"], metadata["name"], metadata["uid"]))
