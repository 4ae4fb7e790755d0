"""What Prometheus is told, from a real store to the text of a scrape."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from bgjobs.vocabulary import Phase
from bgjobs_core.redis.errors import StoreUnavailableError
from bgjobs_core.store.cells import Cell
from bgjobs_operator.health import server
from bgjobs_operator.health.health import Health
from bgjobs_operator.loops.troubles import Kind, Trouble
from bgjobs_operator.metrics.families import exposition, families
from bgjobs_operator.metrics.snapshot import KEPT_SECONDS, Snapshots
from bgjobs_operator.metrics.waiting import Count, share
from tests.store.builders import QUEUE_KEY, a_job, a_queue
from tests.unit.operator.builders import NAMESPACE

if TYPE_CHECKING:
    from tests.unit.operator.world import World


DOCS: Final = Path(__file__).parents[3] / "docs" / "operations.md"


def leading() -> Health:
    """A process that leads."""
    health = Health()
    health.begin("epoch-1", [])
    return health


def told(body: bytes) -> dict[tuple[str, tuple[str, ...]], float]:
    """Each value by its name and the values of its labels, in the order of the names of these."""
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for one in text_string_to_metric_families(body.decode())
        for sample in one.samples
    }


async def scraped(world: World, health: Health) -> dict[tuple[str, tuple[str, ...]], float]:
    """One scrape as text."""
    snapshots = Snapshots(world.store, health, (NAMESPACE,), world.clock.time)
    body, content_type = exposition(await snapshots.take(), "")
    assert content_type.startswith("text/plain")
    return told(body)


async def test_jobs_and_queues(world: World) -> None:
    await world.lead(queue=a_queue(3))
    ended, _ = await world.launched(), await world.launched()
    world.launcher.vanish(ended, silently=True)
    await world.observe()
    await world.reconcile()

    found = await scraped(world, leading())

    assert found["bgjobs_jobs", (NAMESPACE, "default", "pending")] == 1
    assert found["bgjobs_jobs", (NAMESPACE, "default", "failed")] == 1
    assert found["bgjobs_jobs_ended_total", (NAMESPACE, "lost", "default", "failed")] == 1
    assert found["bgjobs_queue_slots", (NAMESPACE, "default")] == 3
    assert found["bgjobs_queue_slots_used", (NAMESPACE, "default")] == 1
    assert found["bgjobs_queue_paused", (NAMESPACE, "default")] == 0
    assert found["bgjobs_operator_leading", ()] == 1
    assert found["bgjobs_launches_held", ()] == 0
    assert found["bgjobs_redis_up", ()] == 1
    assert found["process_cpu_seconds_total", ()] > 0


async def waiting(world: World, health: Health) -> dict[tuple[str, str], float]:
    """How many jobs do not run, by queue and code."""
    found = await scraped(world, health)
    return {(labels[2], labels[0]): value for (name, labels), value in found.items() if name == "bgjobs_jobs_waiting"}


async def test_jobs_that_do_not_run_are_counted_by_why(world: World) -> None:
    await world.lead(queue=a_queue(2))
    health = leading()
    await world.launched()
    stuck = await world.launched()
    await world.store.observe_phase(
        job_id=stuck, kube_uid=(await world.job(stuck)).kube_uid, phase=Phase.PENDING, reason="ImagePullBackOff: x:1"
    )
    for _ in range(3):
        await world.store.enqueue(a_job().build())
    await world.store.enqueue(a_job().delayed(60).build())
    paused = a_job().build()
    await world.store.enqueue(paused)
    await world.store.pause(job_id=paused.id, by="ada", note="")

    expected = {"pod_pending": 1, "image_pull": 1, "queue_full": 3, "scheduled": 1, "paused": 1}
    assert await waiting(world, health) == {("default", code): count for code, count in expected.items()}

    await world.store.put_queue(QUEUE_KEY, a_queue(2, paused=True))
    assert (await waiting(world, health))["default", "queue_paused"] == 3
    await world.store.put_queue(QUEUE_KEY, a_queue(9))
    assert (await waiting(world, health))["default", "waits_its_turn"] == 3
    health.namespaces.tell("launch", NAMESPACE, Trouble(Kind.QUOTA, "exceeded quota"))
    assert (await waiting(world, health))["default", "namespace_in_trouble"] == 3
    await world.store.drop_queue(queue=QUEUE_KEY)
    assert (await waiting(world, health))["default", "queue_missing"] == 3


async def test_of_very_many_that_wait_for_their_pods_some_are_read(world: World) -> None:
    await world.lead(queue=a_queue(20))
    for number in range(6):
        job_id = await world.launched()
        if number < 4:
            await world.store.observe_phase(
                job_id=job_id,
                kube_uid=(await world.job(job_id)).kube_uid,
                phase=Phase.PENDING,
                reason="Unschedulable: x",
            )
    found: list[dict[str, int]] = []
    for most in (0, 2, 100):
        count = Count({}, set(), False, ())
        async for cell, size in world.store.sizes(NAMESPACE):
            count.add(NAMESPACE, cell, size)
        found.append({code: number for (_, _, code), number in (await count.read(world.store, most)).items()})
    none, some, whole = found
    assert none == {"pod_pending": 6}
    assert whole == {"pod_pending": 2, "unschedulable": 4}
    assert sum(some.values()) == 6
    assert some.get("unschedulable", 0) <= 2


def test_no_cell_takes_the_place_of_another() -> None:
    def cell(name: str) -> Cell:
        return Cell.read(f"shop/{name}:launched/pending:shop.jobs.Report", 1)

    cells = [("shop", cell("large"), 100_000), ("shop", cell("small"), 3), ("mail", cell("other"), 5_000)]
    assert [(one.queue, count) for _, one, count in share(cells, 1000)] == [
        ("small", 3),
        ("other", 498),
        ("large", 499),
    ]
    assert list(share(cells, 0)) == []
    assert list(share([], 1000)) == []


async def test_a_namespace_in_trouble(world: World) -> None:
    health = leading()
    health.namespaces.tell("launch", "mail", Trouble(Kind.QUOTA, "exceeded quota"))
    found = await scraped(world, health)
    assert found["bgjobs_namespace_in_trouble", ("mail",)] == 1


async def test_one_that_stands_by_tells_nothing_of_jobs(world: World) -> None:
    """Two processes that tell the same jobs would make each job two."""
    await world.lead()
    found = await scraped(world, Health())
    assert found["bgjobs_operator_leading", ()] == 0
    assert not [name for name, _ in found if name.startswith(("bgjobs_jobs", "bgjobs_queue"))]


async def test_redis_that_does_not_answer(world: World) -> None:
    class _Away(type(world.store)):  # type: ignore[misc]
        async def queue_keys(self) -> list[str]:
            raise StoreUnavailableError("it is away")

    world.store.__class__ = _Away
    found = await scraped(world, leading())
    assert found["bgjobs_redis_up", ()] == 0
    assert found["bgjobs_operator_leading", ()] == 1


async def test_many_who_ask_cost_no_more_than_one(world: World) -> None:
    await world.lead()
    snapshots = Snapshots(world.store, leading(), (NAMESPACE,), world.clock.time)
    first = await snapshots.take()
    assert await snapshots.take() is first
    world.clock.now += KEPT_SECONDS + 1
    assert await snapshots.take() is not first


async def test_all_are_documented(world: World) -> None:
    await world.lead()
    health = leading()
    health.namespaces.tell("launch", "mail", Trouble(Kind.QUOTA, "exceeded quota"))
    taken = await Snapshots(world.store, health, (NAMESPACE,), world.clock.time).take()
    said = DOCS.read_text(encoding="utf-8")
    missing = [one.name for one in families(taken) if f"`{one.name}" not in said]
    assert not missing, f"docs/operations.md does not tell what these are: {missing}"


async def test_over_http(world: World) -> None:
    snapshots = Snapshots(world.store, leading(), (NAMESPACE,), world.clock.time)

    async def scrape(accept: str) -> tuple[bytes, str]:
        return exposition(await snapshots.take(), accept)

    runner = await server.serve(Health(), "127.0.0.1", 0, scrape)
    try:
        host, port = runner.addresses[0]
        headers = {"Accept": "application/openmetrics-text; version=1.0.0"}
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://{host}:{port}/metrics", headers=headers) as answer,
        ):
            assert answer.status == 200
            assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
            assert (await answer.text()).endswith("# EOF\n")
    finally:
        await runner.cleanup()
