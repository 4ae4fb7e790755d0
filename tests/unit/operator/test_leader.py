"""Everything that the leader runs, together, with Redis and Kubernetes in memory."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from fakeredis import FakeAsyncRedis, FakeServer
from structlog.testing import capture_logs

from bgjobs.vocabulary import Outcome
from bgjobs_core.jobs import ids
from bgjobs_core.redis.errors import StoreUnavailableError
from bgjobs_core.store.doorbell import Doorbell
from bgjobs_operator.health.health import Health
from bgjobs_operator.interfaces.launcher import Refusal
from bgjobs_operator.leader import Leader
from bgjobs_operator.loops.loop import NotLeaderError
from bgjobs_operator.loops.rollback import Memory
from bgjobs_operator.release import release
from tests.store.builders import QUEUE_KEY, a_job, a_queue
from tests.unit.operator.builders import NAMESPACE, a_pod, a_queue_object, a_request
from tests.unit.operator.fake_launcher import Refuse, Unreachable
from tests.unit.operator.world import DEADLINE_SECONDS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

    from tests.unit.operator.world import World

JOB = ids.request_job_id("uid-of-nightly")


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
async def leader(
    world: World, redis_server: FakeServer, health: Health, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Leader]:
    """Not leading yet; it has a queue of two slots."""
    monkeypatch.setattr("bgjobs_operator.leader._RETRY_SECONDS", 0.01)
    monkeypatch.setattr("bgjobs_operator.leader.MAX_BLOCK_MS", 100)
    await world.lead(queue=a_queue(2), uid="uid-of-default")
    bell = Doorbell(FakeAsyncRedis(server=redis_server))  # a connection of its own: it blocks
    made = Leader(world.store, bell, world.launcher, world.resources, world.pokes, (NAMESPACE,), 600, health)
    world.resources.put(a_queue_object(maxConcurrent=2))
    world.on_ring = lambda: made.poke("admit")
    yield made
    await bell.close()


@asynccontextmanager
async def leading(leader: Leader) -> AsyncGenerator[asyncio.Task[None], None]:
    """Lead while the block runs."""
    task = asyncio.create_task(leader.lead())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait({task})


async def becomes(world: World, job: str, *states: str) -> None:
    """The job comes to one of these states."""

    async def there() -> bool:
        record = await world.store.job(job)
        return record is not None and record.state in states

    await eventually(there)


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    """Let the loops run until the condition holds."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not await condition():  # noqa: ASYNC110 - what is waited for is in Redis
            await asyncio.sleep(0.005)


async def test_a_job_from_its_enqueue_to_its_end(world: World, leader: Leader) -> None:
    async with leading(leader):
        job = await world.queued()
        await becomes(world, job, "launched")
        await world.pod_starts(job)
        await world.store.finish(
            job_id=job, pod_uid="pod-1", attempt=1, outcome=Outcome.SUCCEEDED, failure="", result="7", exit_code=0
        )
        await becomes(world, job, "succeeded")


async def test_a_request_from_its_creation_to_its_deletion(world: World, leader: Leader) -> None:
    async with leading(leader):
        obj = world.resources.put(a_request())
        world.poke("backgroundjobrequests", obj)
        await becomes(world, JOB, "launched")
        await world.pod_starts(JOB)
        world.resources.remove(obj)
        world.poke("backgroundjobrequests", obj)
        await becomes(world, JOB, "cancelled")
        assert world.launcher.view(JOB) is None


async def test_requests_that_were_there_before_are_found(world: World, leader: Leader) -> None:
    world.resources.put(a_request())
    async with leading(leader):
        await becomes(world, JOB, "launched")


async def test_a_schedule_makes_a_job_that_is_launched(world: World, leader: Leader) -> None:
    half_an_hour = 1800
    now = await world.store.now_ms() // 1000
    made = datetime.fromtimestamp(now - 2 * half_an_hour, UTC).isoformat()
    world.resources.put({
        "kind": "BackgroundJobSchedule",
        "metadata": {
            "name": "often", "namespace": NAMESPACE, "uid": "uid-of-often", "generation": 1, "creationTimestamp": made,
        },
        "spec": {"everySeconds": half_an_hour, "job": {"class": "shop.jobs.Report", "method": "build"}},
    })  # fmt: skip
    async with leading(leader):
        await becomes(world, ids.schedule_job_id("uid-of-often", now // half_an_hour * half_an_hour), "launched")


async def test_a_cancel_stops_what_runs(world: World, leader: Leader) -> None:
    async with leading(leader):
        job = await world.queued()
        await becomes(world, job, "launched")
        await world.pod_starts(job)
        await world.store.stop(job_id=job, verdict=Outcome.CANCELLED, by="ada", note="")
        await becomes(world, job, "cancelled")
        assert world.launcher.view(job) is None


async def test_a_freed_slot_goes_to_the_next(world: World, leader: Leader) -> None:
    async with leading(leader):
        jobs = [await world.queued() for _ in range(3)]
        await becomes(world, jobs[0], "launched")
        await becomes(world, jobs[1], "launched")
        assert await world.state(jobs[2]) == "queued"
        world.launcher.change(jobs[0], complete=True)
        await becomes(world, jobs[2], "launched")


async def test_out_of_memory_until_kubernetes_gives_up(world: World, leader: Leader) -> None:
    async with leading(leader):
        job = await world.queued(a_job().retried(1))
        await becomes(world, job, "launched")
        for number in (1, 2):
            await world.pod_starts(job, f"pod-{number}")
            world.launcher.pod(job, a_pod(f"pod-{number}").exited(137, "OOMKilled").build())
            gone_too_far = {"failure": "BackoffLimitExceeded"} if number == 2 else {}
            world.launcher.change(job, failed=number, **gone_too_far)

            async def attempt_ended(count: int = number) -> bool:
                attempts = await world.attempts(job)
                return len(attempts) == count and attempts[-1].outcome == "oom_killed"

            await eventually(attempt_ended)
        await becomes(world, job, "failed")
        assert (await world.job(job)).outcome == "oom_killed"


async def test_a_new_leader_goes_on_with_the_intents_of_the_one_before(world: World, leader: Leader) -> None:
    world.resources.put(a_queue_object(maxConcurrent=3))
    await world.lead(queue=a_queue(3), uid="uid-of-default")
    done, lost, refused = [await world.claimed() for _ in range(3)]
    world.launcher.stray(done, await world.job(done))
    world.launcher.stray(lost, await world.job(lost))
    world.launcher.vanish(lost)
    world.launcher.script(Refuse(Refusal.QUOTA))
    async with leading(leader):
        for job in (done, lost, refused):
            await becomes(world, job, "launched")


async def test_a_job_is_launched_because_its_queue_is_heard_of(
    world: World, leader: Leader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All queues are asked at first, and then not again in this test."""
    monkeypatch.setattr("bgjobs_operator.loops.dispatch.LONGEST_SLEEP", 3600.0)
    async with leading(leader):
        for _ in range(2):
            await becomes(world, await world.queued(), "launched")


async def test_another_leader_ends_it(world: World, leader: Leader, health: Health) -> None:
    async with leading(leader) as task:
        job = await world.queued()
        await becomes(world, job, "launched")
        await world.store.lead("somebody-else")
        await world.queued()
        await asyncio.wait({task}, timeout=DEADLINE_SECONDS)
        with pytest.RaisesGroup(NotLeaderError):
            task.result()
    assert not health.leading
    await world.queued()
    leader.poke("dispatch")  # nobody is there to hear it


async def test_an_observer_in_trouble_watches_again(world: World, leader: Leader) -> None:
    with capture_logs() as logs:
        async with leading(leader):
            job = await world.queued()
            await becomes(world, job, "launched")
            for error in (StoreUnavailableError("gone"), ZeroDivisionError("oh")):
                watchers = world.launcher.watched
                world.launcher.break_watches(error)

                async def watches_again(before: int = watchers) -> bool:
                    return world.launcher.watched > before

                await eventually(watches_again)
            world.launcher.change(job, complete=True)
            await becomes(world, job, "succeeded")
    events = [entry["event"] for entry in logs]
    assert "observer interrupted" in events
    assert "observer failed unexpectedly" in events


async def test_it_waits_for_redis(
    world: World, leader: Leader, health: Health, monkeypatch: pytest.MonkeyPatch
) -> None:
    lead = world.store.lead

    async def away(_: str) -> tuple[str, int]:
        raise StoreUnavailableError("gone")

    monkeypatch.setattr(world.store, "lead", away)
    async with leading(leader):

        async def told() -> bool:
            code, body = health.ready()
            return (code, body["leading"], body["problems"]) == (503, False, {"redis": "gone"})

        await eventually(told)
        monkeypatch.setattr(world.store, "lead", lead)
        job = await world.queued()
        await becomes(world, job, "launched")
        assert health.leading
        assert "redis" not in health.problems


async def test_a_lost_answer_in_all_the_bustle(world: World, leader: Leader) -> None:
    world.launcher.script(Unreachable(done=True))
    async with leading(leader):
        job = await world.queued()
        await becomes(world, job, "launched")
        assert list(world.launcher.created.values()) == [job]


async def test_who_stands_by_keeps_no_pokes(world: World, leader: Leader) -> None:
    """They would be all that ever was in the cluster; whoever begins to lead looks at everything."""
    async with leading(leader):
        job = await world.queued()
        await becomes(world, job, "launched")
    world.poke("backgroundjobrequests", a_request())
    assert world.pokes.namespaces() == []


async def test_a_namespace_that_refuses_is_told_and_the_other_one_works(
    world: World, redis_server: FakeServer, health: Health, leader: Leader
) -> None:
    bell = Doorbell(FakeAsyncRedis(server=redis_server))
    both = Leader(world.store, bell, world.launcher, world.resources, world.pokes, ("closed", NAMESPACE), 600, health)
    world.on_ring = lambda: both.poke("admit")
    world.resources.refused.add("closed")
    world.launcher.refused_namespaces.add("closed")
    async with leading(both):
        job = await world.queued()
        await becomes(world, job, "launched")

        async def told() -> bool:
            return [one.code for one in health.findings("")] == ["namespace_in_trouble"]

        await eventually(told)
        assert health.ready()[0] == 200
        world.launcher.change(job, complete=True)
        await becomes(world, job, "succeeded")
    await bell.close()


async def test_nothing_is_launched_by_what_an_earlier_leader_knew_of_a_queue(
    world: World, leader: Leader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While nobody led, the namespace was deleted, and somebody else has made one of the same name."""
    answers = world.resources.get

    async def slowly(plural: str, namespace: str, name: str) -> Any:
        for _ in range(500):  # every other loop gets its turns meanwhile
            await asyncio.sleep(0)
        return await answers(plural, namespace, name)

    monkeypatch.setattr(world.resources, "get", slowly)
    claimed, waiting = await world.queued(), await world.queued()
    await world.store.claim(epoch="epoch-1", queue=QUEUE_KEY, limit=1)
    another = a_queue_object(maxConcurrent=2)
    another["metadata"]["uid"] = "uid-of-another"
    world.resources.put(another)

    async def is_seen() -> bool:
        queue = await world.store.queue(QUEUE_KEY)
        return queue is not None and queue.uid == "uid-of-another"

    async with leading(leader):
        await eventually(is_seen)
        fresh = await world.queued()
        await becomes(world, fresh, "launched")
        await becomes(world, claimed, "stopping")  # for a minute, in which a POST of the leader before may still arrive
        await becomes(world, waiting, "failed")
    assert set(world.launcher.posts) == {fresh}


async def test_an_older_redis_launches_nothing_until_it_is_released(
    world: World, leader: Leader, health: Health
) -> None:
    """Neither what was claimed when the copy was made, nor what waited, nor what comes; what runs goes on."""
    running = await world.launched()
    claimed, waiting = await world.claimed(), await world.queued()
    mark = await world.store.mark()
    an_hour_ago = mark.now - 3_600_000
    leader.rollback.memory = Memory(mark.store_id, ((mark.seq + 1000, an_hour_ago),))
    async with leading(leader):
        new = await world.queued()

        async def has_looked() -> bool:
            for name in ("launch", "dispatch"):
                leader.poke(name)
            return health.held is not None and all(loop.turned_at > began for loop in health.loops)

        began = time.monotonic()
        await eventually(has_looked)
        began = time.monotonic()  # all of them once more, now that everything was looked at
        for loop in health.loops:
            loop.poke()
        await eventually(has_looked)
        assert world.launcher.posts == [running]
        assert [one.code for one in health.findings("", "release it")] == ["redis_older"]
        world.launcher.change(running, complete=True)
        await becomes(world, running, "succeeded")
        assert world.launcher.posts == [running], "nor does a freed slot launch another one"

        assert await release(world.store, agreed=True) == 0
        leader.poke("rollback")
        await becomes(world, claimed, "launched")
        await becomes(world, waiting, "launched")
        world.launcher.change(claimed, complete=True)
        await becomes(world, new, "launched")
        assert health.held is None
    assert sorted(world.launcher.posts) == sorted([running, claimed, waiting, new])
