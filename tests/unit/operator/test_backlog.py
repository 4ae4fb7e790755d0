"""Requests of a list that become jobs many at once, and what of them is left to admit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bgjobs_core.jobs import ids
from bgjobs_core.redis.errors import StoreFullError, StoreUnavailableError
from bgjobs_core.redis.memory import Memory, MemoryGate
from bgjobs_core.resources.models import QUEUES, REQUESTS
from bgjobs_core.store import keys
from bgjobs_operator.loops import backlog as module
from bgjobs_operator.loops.backlog import MANY, SOON_SECONDS, Backlog, poke_of
from bgjobs_operator.pokes import Poke, Pokes
from tests.store.builders import QUEUE_KEY, a_queue
from tests.unit.operator.builders import NAMESPACE, a_queue_object, a_request
from tests.unit.operator.world import taken

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from bgjobs_core.jobs.record import NewJob
    from bgjobs_core.redis.connection import Client
    from bgjobs_core.store.enqueueing import Placed
    from bgjobs_operator.interfaces.resources import Listed
    from tests.unit.operator.world import World


@pytest.fixture
def backlog(world: World) -> Backlog:
    """It works for reconcile."""
    made = Backlog(
        world.store, world.pokes, lambda _: True, world.admission.others_may_go_on, clock=world.clock
    )  # fmt: skip
    world.comparing.take = made.take
    return made


def put(world: World, count: int, **spec: Any) -> list[str]:
    """So many requests; the ids of their jobs."""
    objects = [world.resources.put(a_request(f"request-{number:03d}", **spec)) for number in range(count)]
    return [job_of(one) for one in objects]


def job_of(request: dict[str, Any]) -> str:
    return ids.request_job_id(request["metadata"]["uid"])


async def listed(world: World) -> Sequence[Listed]:
    return [one async for page in world.resources.requests(NAMESPACE) for one in page]


def poked(world: World) -> list[str]:
    return [poke.name for poke in taken(world.pokes) if poke.plural == REQUESTS]


async def test_all_of_a_list_become_jobs_and_none_is_asked_for_by_itself(world: World, backlog: Backlog) -> None:
    jobs = put(world, module.TOGETHER + 7, parameters={"ids": [1]})
    assert backlog is not None
    await world.reconcile()
    assert {await world.state(job) for job in jobs} == {"queued"}
    assert (world.resources.reads, poked(world), world.resources.written) == (0, [], [])


async def test_the_job_is_the_one_that_admit_would_have_made(world: World, backlog: Backlog) -> None:
    request = world.resources.put(a_request(parameters=[2, "ü"], priority=1, delaySeconds=60, paused=True))
    plain = world.resources.put(a_request("plain"))
    assert await backlog.take(NAMESPACE, await listed(world), set()) == []
    made = [await world.job(job_of(one)) for one in (request, plain)]
    for one in (request, plain):
        world.poke(REQUESTS, one)
    await world.admit()
    assert [await world.job(job_of(one)) for one in (request, plain)] == made, "the same job, as it was"
    assert world.resources.written == []
    assert (made[0].state, made[0].paused_by, made[0].request_name) == ("paused", "request:nightly", "nightly")


@pytest.mark.parametrize(
    "odd",
    [
        {"needs": ["parent"]},
        {"uniqueKey": "index"},
        {"method": "_private"},
        {"class": "other.Report"},
        {"queue": "nobody-has-it"},
        {"parameters": ["x" * 300_000]},
        {"status": {"state": "waiting", "observedGeneration": 1}},
    ],
)
async def test_what_there_is_more_to_say_of_is_left_to_admit(
    world: World, backlog: Backlog, odd: dict[str, Any]
) -> None:
    world.resources.put(a_request("odd", **odd))
    good = world.resources.put(a_request("good"))
    assert backlog is not None
    await world.reconcile()
    assert poked(world) == ["odd"]
    assert await world.state(job_of(good)) == "queued"
    assert world.resources.written == []


@pytest.mark.parametrize("changed", [{"generation": 2}, {"deletionTimestamp": "2026-11-24T17:36:36Z"}])
async def test_a_request_that_was_changed_is_left_to_admit(
    world: World, backlog: Backlog, changed: dict[str, Any]
) -> None:
    request = world.resources.put(a_request())
    request["metadata"] |= changed
    assert await backlog.take(NAMESPACE, await listed(world), set())
    assert await world.store.job(job_of(request)) is None


async def test_queues_come_first(world: World, backlog: Backlog) -> None:
    """Their settings may have changed while nobody led."""
    [job] = put(world, 1)
    backlog.queues_known = world.admission.queues_known
    world.pokes.add(Poke(QUEUES, NAMESPACE, "default", "u"))
    assert len(await backlog.take(NAMESPACE, await listed(world), set())) == 1
    assert await world.store.job(job) is None


async def test_settings_that_have_changed_meanwhile_count(world: World, backlog: Backlog) -> None:
    [job] = put(world, 1)
    assert await world.store.remembered_queue(QUEUE_KEY) is not None
    await world.store.put_queue(QUEUE_KEY, a_queue().model_copy(update={"approved_classes": ["other.*"]}))
    assert len(await backlog.take(NAMESPACE, await listed(world), set())) == 1
    assert await world.store.job(job) is None


async def test_a_full_redis_is_admits_to_tell(world: World, backlog: Backlog, monkeypatch: pytest.MonkeyPatch) -> None:
    put(world, 2)

    async def full(_jobs: Sequence[NewJob], _rules: str) -> list[Placed]:
        raise StoreFullError("Redis is at its memory limit")

    monkeypatch.setattr(world.store, "enqueue_each", full)
    assert len(await backlog.take(NAMESPACE, await listed(world), set())) == 2


async def test_a_nearly_full_redis_gets_no_jobs(world: World, backlog: Backlog) -> None:
    class Full:
        async def memory(self) -> Memory:
            return Memory(99, 100)

    [job] = put(world, 1)
    backlog.gate = MemoryGate(Full(), world.clock.time)
    assert len(await backlog.take(NAMESPACE, await listed(world), set())) == 1
    assert await world.store.job(job) is None


async def test_a_request_that_was_deleted_after_the_list_is_cancelled(
    world: World, backlog: Backlog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its deletion is heard of, and dealt with, before there is a job."""
    world.resources.put(a_queue_object())
    request = world.resources.put(a_request())
    list_requests = world.resources.requests

    async def deleted_after_it(namespace: str) -> AsyncGenerator[Sequence[Listed], None]:
        async for page in list_requests(namespace):
            world.resources.remove(request)
            world.poke(REQUESTS, request)
            await world.admit()
            yield page

    monkeypatch.setattr(world.resources, "requests", deleted_after_it)
    assert backlog is not None
    await world.reconcile()
    await world.admit()
    assert await world.store.job(job_of(request)) is None


async def test_a_request_that_is_deleted_while_its_job_is_made_is_cancelled(
    world: World, backlog: Backlog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its deletion is heard of, and dealt with, just before there is a job."""
    world.poke(QUEUES, world.resources.put(a_queue_object()))
    await world.admit()
    request = world.resources.put(a_request())
    enqueue_each = world.store.enqueue_each

    async def deleted_before_it(jobs: Sequence[NewJob], rules: str) -> list[Placed]:
        world.resources.remove(request)
        world.poke(REQUESTS, request)
        await world.admit()
        return await enqueue_each(jobs, rules)

    monkeypatch.setattr(world.store, "enqueue_each", deleted_before_it)
    assert backlog is not None
    await world.reconcile()
    assert await world.state(job_of(request)) == "queued"
    await world.admit()
    assert await world.state(job_of(request)) == "cancelled"


async def test_a_request_that_was_paused_after_the_list_is_never_queued(world: World, backlog: Backlog) -> None:
    world.resources.put(a_queue_object())
    request = world.resources.put(a_request())
    page = await listed(world)
    with world.pokes.noting(NAMESPACE) as noted:
        request["spec"]["paused"] = True
        request["metadata"]["generation"] = 2
        world.poke(REQUESTS, request)
        assert len(await backlog.take(NAMESPACE, page, noted)) == 1
    assert await world.store.job(job_of(request)) is None
    await world.admit()
    assert await world.state(job_of(request)) == "paused"


async def test_a_record_that_cannot_be_read_is_no_trouble_of_the_others(
    world: World, backlog: Backlog, client: Client
) -> None:
    jobs = put(world, 30)
    await client.set(keys.job(jobs[3]), "something else")
    assert backlog is not None
    await world.reconcile()
    assert (
        set(jobs) >= {job_of(world.resources.objects[REQUESTS, NAMESPACE, name]) for name in poked(world)} >= {jobs[3]}
    )
    await world.reconcile()
    world.pokes.add(poke_of(world.resources.put(a_request("later"))))
    assert "later" in poked(world)
    await client.delete(keys.job(jobs[3]))


async def test_a_request_that_breaks_the_reading_is_left_to_admit(
    world: World, backlog: Backlog, monkeypatch: pytest.MonkeyPatch
) -> None:
    [bad, good] = put(world, 2)
    parse = module.parse

    def breaks(request: dict[str, Any]) -> Any:
        if job_of(request) == bad:
            raise RuntimeError("a mistake of ours")
        return parse(request)

    monkeypatch.setattr(module, "parse", breaks)
    assert [job_of(one) for one in await backlog.take(NAMESPACE, await listed(world), set())] == [bad]
    assert await world.state(good) == "queued"


async def test_what_was_heard_is_kept_when_redis_fails_in_the_middle(
    world: World, backlog: Backlog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The script may have been carried out, and only its answer is lost."""
    request = world.resources.put(a_request())
    enqueue_each = world.store.enqueue_each

    noted = set[Poke]()

    async def lost(jobs: Sequence[NewJob], rules: str) -> list[Placed]:
        await enqueue_each(jobs, rules)
        noted.add(poke_of(request))
        raise StoreUnavailableError("no answer")

    monkeypatch.setattr(world.store, "enqueue_each", lost)
    with pytest.raises(StoreUnavailableError):
        await backlog.take(NAMESPACE, await listed(world), noted)
    assert poked(world) == ["nightly"]


async def test_what_was_poked_before_the_list_is_not_looked_at_again(world: World, backlog: Backlog) -> None:
    for name in ("before", "since"):
        world.poke(REQUESTS, world.resources.put(a_request(name)))
    since = poke_of(world.resources.objects[REQUESTS, NAMESPACE, "since"])
    await backlog.take(NAMESPACE, await listed(world), {since})
    assert poked(world) == ["since"]


async def test_a_request_that_has_waited_for_it_goes_on(world: World, backlog: Backlog) -> None:
    child = world.resources.put(a_request("child", needs=["parent"]))
    world.poke(REQUESTS, child)
    await world.admit()
    world.resources.put(a_request("parent"))
    assert len(await backlog.take(NAMESPACE, await listed(world), set())) == 1
    await world.admit()
    assert await world.state(job_of(child)) == "blocked"


class TestWhatIsSaidCanWait:
    """Jobs come first, and then what their requests say."""

    async def test_as_long_as_many_are_made(self, world: World, backlog: Backlog) -> None:
        jobs = put(world, MANY)
        world.settling.can_wait = backlog.is_taken
        assert not backlog.is_taken(NAMESPACE)
        await backlog.take(NAMESPACE, await listed(world), set())
        world.store.offset_ms += 2000
        assert await world.settle() is not None
        assert world.resources.written == []
        world.forward(SOON_SECONDS)
        await world.settle()
        assert len(world.resources.written) == len(jobs)

    async def test_not_for_a_few(self, world: World, backlog: Backlog) -> None:
        put(world, MANY - 1)
        await backlog.take(NAMESPACE, await listed(world), set())
        assert not backlog.is_taken(NAMESPACE)

    async def test_not_where_none_is_made(self, world: World, backlog: Backlog) -> None:
        put(world, MANY, queue="nobody-has-it")
        await backlog.take(NAMESPACE, await listed(world), set())
        assert not backlog.is_taken(NAMESPACE)

    async def test_not_in_other_namespaces(self, world: World, backlog: Backlog) -> None:
        put(world, MANY)
        await backlog.take(NAMESPACE, await listed(world), set())
        assert not backlog.is_taken("closed")


class TestNotes:
    """What is poked while a list is read."""

    def test_have_what_was_taken_already(self) -> None:
        pokes = Pokes(lambda: None)
        before, since, elsewhere = (Poke(REQUESTS, *where, "u") for where in (("a", "1"), ("a", "2"), ("b", "1")))
        pokes.add(before)
        with pokes.noting("a") as first, pokes.noting("a") as second:
            pokes.add(since)
            pokes.add(elsewhere)
            taken(pokes)
            assert first == second == {since}
        pokes.add(before)
        assert first == {since}

    def test_what_is_dropped_is_not_taken(self) -> None:
        pokes = Pokes(lambda: None)
        one, other = Poke(REQUESTS, "a", "1", "u"), Poke(REQUESTS, "a", "2", "u")
        for poke in (one, other):
            pokes.add(poke)
        pokes.drop(one)
        pokes.drop(one)
        assert taken(pokes) == [other]
        pokes.add(one)
        pokes.drop(one)
        assert pokes.namespaces() == []
