"""A Redis that is older than the world: what is taken for one, and that nothing is launched by it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bgjobs_core.store import keys
from bgjobs_core.store.rollback import Hold, Mark
from bgjobs_operator.loops.loop import NotLeaderError
from bgjobs_operator.loops.rollback import SURE_MS, Memory, Rollback, judge, sure_ms
from bgjobs_operator.release import release

if TYPE_CHECKING:
    from bgjobs_core.redis.connection import Client
    from tests.unit.operator.world import World

NOW = 1_795_000_000_000
MINUTE = 60_000
# So many writes ten minutes, four minutes, and one minute ago.
MEMORY = Memory("one", ((100, NOW - 10 * MINUTE), (400, NOW - 4 * MINUTE), (900, NOW - MINUTE)))
LOOKED = replace(MEMORY, looks=((10, NOW - 10 * MINUTE), (40, NOW - 4 * MINUTE), (90, NOW - MINUTE)))
LONG_AGO = Memory("one", ((100, NOW - 20 * MINUTE), (400, NOW - 10 * MINUTE)))


@pytest.mark.parametrize(
    ("memory", "mark", "why"),
    [
        pytest.param(None, Mark("one", 1, NOW), "", id="nobody has ever led"),
        pytest.param(MEMORY, Mark("one", 900, NOW), "", id="nothing is lost"),
        pytest.param(MEMORY, Mark("one", 400, NOW), "", id="what is lost is younger than what Kubernetes forgets"),
        pytest.param(MEMORY, Mark("one", 399, NOW), "knows 399", id="older"),
        pytest.param(MEMORY, Mark("two", 5000, NOW), "emptied", id="another store"),
        pytest.param(MEMORY, Mark("", 0, NOW), "emptied", id="an empty store"),
        pytest.param(MEMORY, Mark("two", 1, NOW, emptied="one"), "", id="emptied on purpose"),
        pytest.param(MEMORY, Mark("two", 1, NOW, emptied="three"), "emptied", id="another one was emptied on purpose"),
        pytest.param(MEMORY, Mark("one", 5, NOW, emptied="one"), "knows 5", id="put back after it was emptied"),
        pytest.param(LONG_AGO, Mark("one", 400, NOW), "", id="nobody led for long, and nothing is lost"),
        pytest.param(LONG_AGO, Mark("one", 399, NOW), "has 399", id="nobody led for long, and one write is lost"),
        pytest.param(Memory("one", ()), Mark("two", 1, NOW), "", id="nothing was remembered"),
        pytest.param(LOOKED, Mark("one", 9000, NOW, looks=40), "", id="of the looks none is lost that counts"),
        pytest.param(LOOKED, Mark("one", 9000, NOW, looks=39), "39 are left", id="others made up for what was lost"),
    ],
)
def test_what_is_older_than_the_world(memory: Memory | None, mark: Mark, why: str) -> None:
    found = judge(memory, mark, mark.emptied)
    assert bool(found) == bool(why)
    assert why.replace("knows", "has") in found


@pytest.mark.parametrize(
    ("kept_seconds", "seq", "why"),
    [
        pytest.param(600, 400, "", id="KubeJobs of that time are there"),
        pytest.param(240, 400, "has 400", id="they may be gone: they are kept for a shorter time"),
        pytest.param(240, 900, "", id="those of the last minute are there"),
        pytest.param(0, 899, "has 899", id="none is kept, and one write is lost"),
        pytest.param(0, 900, "", id="none is kept, and nothing is lost"),
    ],
)
def test_how_much_may_be_lost_goes_by_how_long_kube_jobs_are_kept(kept_seconds: float, seq: int, why: str) -> None:
    found = judge(MEMORY, Mark("one", seq, NOW), sure=sure_ms(kept_seconds))
    assert bool(found) == bool(why)
    assert why in found


def test_marks_are_a_minute_apart_and_reach_back_for_as_long_as_kubernetes_is_sure() -> None:
    memory = Memory("one", ())
    for second in range(0, 3600, 5):
        memory = memory.with_mark(Mark("one", second, NOW + second * 1000, looks=second // 5))
    assert [at for _, at in memory.looks] == [at for _, at in memory.marks]
    times = [at for _, at in memory.marks]
    now = times[-1]
    assert now == NOW + 3595 * 1000
    assert now - times[0] >= SURE_MS
    assert len(times) <= 8
    floor = memory.floor(now)
    assert 3595 - SURE_MS / 1000 <= floor <= 3595 - SURE_MS / 1000 + 60


def test_the_memory_is_read_as_it_was_written() -> None:
    assert Memory.read(LOOKED.text()) == LOOKED


def test_what_an_earlier_version_remembers_is_read() -> None:
    assert Memory.read('{"store":"one","marks":[[400,1],[900,2]]}') == Memory("one", ((400, 1), (900, 2)))


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "no JSON", '{"store": "x", "marks": [1]}', '{"store": "x", "marks": 3}']
)
def test_a_memory_that_nobody_can_read_is_none(text: str) -> None:
    assert Memory.read(text) is None


async def _older(client: Client) -> None:
    """As if a copy of the volume from long ago had been put back."""
    await client.set(keys.seq(), 1)


@pytest.fixture
def told() -> list[Hold | None]:
    return []


@pytest.fixture
async def rollback(world: World, told: list[Hold | None]) -> Rollback:
    """It remembers how Redis was a minute ago."""
    await world.lead()
    mark = await world.store.mark()
    memory = Memory(mark.store_id, ((mark.seq, mark.now - MINUTE),))
    return Rollback(world.store, world.epoch, memory, told.append)


async def test_nothing_is_claimed_from_the_moment_on_at_which_redis_is_older(
    world: World, client: Client, rollback: Rollback
) -> None:
    """Also before anybody has looked: the claim itself sees it."""
    await world.queued()
    await rollback.turn()
    await _older(client)

    reply = await world.store.claim(epoch=world.epoch, queue="shop/default", limit=5, floor=rollback.floor())

    assert (reply.did, reply.ids) == ("older", ())


async def test_a_copy_is_noticed_though_others_have_written_more_than_was_lost(
    world: World, client: Client, rollback: Rollback
) -> None:
    for _ in range(3):
        await rollback.turn()
    copy = await client.get(keys.looks())
    assert copy is not None
    rollback.sure = 0
    for _ in range(2):
        await rollback.turn()
    await client.set(keys.looks(), copy)
    await world.queued()

    await rollback.turn()

    held = await world.store.what_holds()
    assert held is not None
    assert "noted in Redis 4 times that it looked" in held.reason
    assert "3 are left" in held.reason


async def test_looks_of_a_leader_that_was_replaced_do_not_count(world: World, rollback: Rollback) -> None:
    await rollback.turn()
    before = (await world.store.mark()).looks
    await world.store.lead("another")

    with pytest.raises(NotLeaderError):
        await rollback.turn()

    assert (await world.store.mark()).looks == before == 1


async def test_what_waits_is_held_until_somebody_releases_it(
    world: World, client: Client, rollback: Rollback, told: list[Hold | None], capsys: pytest.CaptureFixture[str]
) -> None:
    await world.claimed()
    job = await world.queued()
    await _older(client)
    await rollback.turn()
    assert (await world.store.claim(epoch=world.epoch, queue="shop/default", limit=5)).did == "held"
    held = told[-1]
    assert held is not None
    assert "its data are" in held.reason

    await rollback.turn()  # it is not found once more
    assert await release(world.store, agreed=False) == 2
    assert "1 queued and 1 claimed jobs wait" in capsys.readouterr().err
    assert await release(world.store, agreed=True) == 0
    await rollback.turn()

    assert told[-1] is None
    reply = await world.store.claim(epoch=world.epoch, queue="shop/default", limit=5, floor=rollback.floor())
    assert reply.ids == (job,)
    assert await release(world.store, agreed=True) == 0
    assert "nothing to do" in capsys.readouterr().out


async def test_a_loss_that_kubernetes_makes_up_for_holds_nothing(world: World, rollback: Rollback) -> None:
    mark = await world.store.mark()
    rollback.memory = Memory(mark.store_id, ((mark.seq, mark.now - MINUTE), (mark.seq + 50, mark.now)))
    await rollback.turn()
    assert await world.store.what_holds() is None


async def test_another_leader_holds_for_itself(world: World, client: Client, rollback: Rollback) -> None:
    await world.store.lead("epoch-of-another")
    await _older(client)
    with pytest.raises(NotLeaderError):
        await rollback.turn()
    assert await world.store.what_holds() is None


async def test_loops_that_would_lose_what_is_known_rest_meanwhile(
    world: World, client: Client, rollback: Rollback
) -> None:
    turned: list[str] = []

    async def turn() -> None:
        turned.append("turned")

    guarded = rollback.unless_held(turn)
    await guarded()
    await _older(client)
    await rollback.turn()
    await guarded()
    assert turned == ["turned"]


async def test_a_claim_that_an_older_redis_remembers_is_not_carried_out(
    world: World, client: Client, rollback: Rollback
) -> None:
    """Its KubeJob may have come and gone. It is seen by the launch loop itself, before anybody else has looked."""
    job = await world.claimed()
    launch = rollback.unless_older(world.launches.turn)
    await rollback.turn()
    await _older(client)
    async with world.launching():
        await launch()
    assert (world.launcher.posts, await world.state(job)) == ([], "launching")

    await release(world.store, agreed=True)
    await rollback.turn()
    async with world.launching():
        await launch()
    assert (world.launcher.posts, await world.state(job)) == ([job], "launched")


async def test_a_claim_that_is_held_is_not_late(world: World, client: Client, rollback: Rollback) -> None:
    """Its deadline counts from when launches go on: nobody has tried to launch it before."""
    job = await world.claimed()
    world.looking.launches_since = rollback.launches_since
    await rollback.turn()
    world.forward(3600)
    await _older(client)
    await world.pending()
    assert await world.state(job) == "launching"

    await release(world.store, agreed=True)
    await rollback.turn()
    world.forward(1790)
    await world.pending()
    assert await world.state(job) == "launching"
    world.forward(20)
    await world.pending()
    assert await world.state(job) == "stopping"


async def test_an_empty_redis_is_told_from_a_new_one(world: World, client: Client, rollback: Rollback) -> None:
    await client.flushall()
    await world.store.lead(world.epoch)
    await rollback.turn()
    assert await world.store.what_holds() is not None

    fresh = replace(rollback, memory=None)
    await world.store.release()
    await fresh.turn()
    assert await world.store.what_holds() is None
