"""Bulks when leaders change, somebody stops them, Redis is full, and rows are odd; and who may begin how many."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any, Final

import pytest

from bgjobs.ids import new_job_id
from bgjobs.vocabulary import BulkState, BulkVerb, Outcome
from bgjobs_core.actions.bulk import ask, preview, search
from bgjobs_core.actions.bulk.filters import Frozen
from bgjobs_core.actions.errors import (
    BulkEndedError,
    BulkNotFoundError,
    PreviewExpiredError,
    TokenRefusedError,
    TooManyBulksError,
)
from bgjobs_core.actions.listing import Filter
from bgjobs_core.store import keys
from bgjobs_operator.loops.loop import NotLeaderError
from tests.store.builders import NAMESPACE, a_job, a_queue, many
from tests.store.bulks import BO, begun, carried_out, leading, previewed, states, there
from tests.store.servers import REAL

if TYPE_CHECKING:
    from collections.abc import Callable

    from bgjobs_core.redis.connection import Client
    from tests.store.checked_store import CheckedStore, Clock
    from tests.store.life import Life


@pytest.mark.parametrize("verb", [BulkVerb.CANCEL, BulkVerb.PAUSE, BulkVerb.RERUN])
async def test_another_leader_goes_on_and_counts_each_job_once(
    store: CheckedStore, life: Life, verb: BulkVerb, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first leader dies when it has acted on a part of what it has taken, and has told nobody."""
    await life.leader()
    jobs = many(a_job(), 50)
    await store.enqueue_many(jobs)
    if verb is BulkVerb.RERUN:
        for one in jobs:
            await store.stop(job_id=one.id, verdict=Outcome.CANCELLED, by="ada", note="")
        life.clock.forward(1)
    bulk = await begun(store, verb)
    first = leading(store)
    await first.step(NAMESPACE, bulk.id)
    acted = 0
    name = {BulkVerb.CANCEL: "stop", BulkVerb.PAUSE: "pause", BulkVerb.RERUN: "note_rerun"}[verb]
    real: Any = getattr(store, name)

    async def dies(**given: Any) -> Any:
        nonlocal acted
        acted += 1
        if acted > 7:
            raise asyncio.CancelledError
        return await real(**given)

    with monkeypatch.context() as patch:
        patch.setattr(store, name, dies)
        with pytest.raises(asyncio.CancelledError):
            await first.step(NAMESPACE, bulk.id)
    await store.lead("epoch-2")
    bulk = await there(store, bulk.id)
    assert (bulk.done, len(bulk.taken)) == (20, 20)

    bulk = await carried_out(store, bulk, leading(store, "epoch-2"))

    assert (bulk.state, bulk.done, bulk.failed, bulk.skipped) == (BulkState.DONE, 50, 0, {})
    if verb is BulkVerb.RERUN:
        assert all([await store.job(bulk.rerun_id(one.id)) for one in jobs])
        assert sum([size async for _, size in store.sizes(NAMESPACE)]) == 100
    await begun(store, BulkVerb.CANCEL)
    with pytest.raises(NotLeaderError):
        await first.turn()
    await carried_out(store, bulk, leading(store, "epoch-2"))


async def test_a_stop_takes_effect_within_a_batch(store: CheckedStore, life: Life) -> None:
    await life.leader()
    jobs = many(a_job(), 100)
    await store.enqueue_many(jobs)
    bulk = await begun(store, BulkVerb.CANCEL)
    loop = leading(store)
    await loop.step(NAMESPACE, bulk.id)

    stopped = await ask.stop(store, bulk, by="ada")

    assert (stopped.state, stopped.stopped_by, stopped.left) == (BulkState.STOPPED, "ada", 0)
    bulk = await carried_out(store, bulk, loop)
    assert (bulk.state, bulk.done) == (BulkState.STOPPED, 20)
    assert await states(store, [one.id for one in jobs]) == {"queued": 80, "cancelled": 20}
    assert (await ask.stop(store, bulk, by="bo")).stopped_by == "ada"
    assert await store.open_bulks([NAMESPACE]) == {}


async def test_stopped_while_another_leader_takes_over(store: CheckedStore, life: Life) -> None:
    """What the first one has done with the jobs that it took is counted, and nothing more is done with them."""
    await life.leader()
    jobs = many(a_job(), 50)
    await store.enqueue_many(jobs)
    bulk = await begun(store, BulkVerb.CANCEL)
    await leading(store).step(NAMESPACE, bulk.id)
    await ask.stop(store, bulk, by="ada")

    bulk = await carried_out(store, bulk, leading(store))

    assert (bulk.state, bulk.done) == (BulkState.STOPPED, 20)


async def test_what_is_over_cannot_be_stopped(store: CheckedStore, life: Life) -> None:
    await life.leader()
    bulk = await carried_out(store, await begun(store, BulkVerb.CANCEL))
    with pytest.raises(BulkEndedError):
        await ask.stop(store, bulk, by="ada")
    with pytest.raises(BulkNotFoundError):
        await ask.bulk_there(store, "mail", bulk.id)
    with pytest.raises(BulkNotFoundError):
        await ask.bulk_there(store, NAMESPACE, "../epoch")


async def test_a_token_is_good_for_one_person_and_five_minutes(store: CheckedStore, life: Life, clock: Clock) -> None:
    await life.leader()
    found = await previewed(store, BulkVerb.CANCEL, excepted=[new_job_id()])

    assert await ask.ordered(store, found.token, by=BO) == found.order
    with pytest.raises(TokenRefusedError, match="somebody else"):
        await ask.ordered(store, found.token, by="ada")
    payload, _, signature = found.token.partition(".")
    for forged in ("", ".", payload, f"{payload}.{'0' * 64}", f"{payload[:-2]}AA.{signature}", "ü.ü", "x" * 100_000):
        with pytest.raises(TokenRefusedError, match="not one that a preview gave"):
            await ask.ordered(store, forged, by=BO)
    clock.forward(301)
    with pytest.raises(PreviewExpiredError):
        await ask.start(store, found.order)


async def test_begun_again_it_is_the_same_one(store: CheckedStore, life: Life, clock: Clock) -> None:
    await life.leader()
    found = await previewed(store, BulkVerb.CANCEL)
    bulk = await ask.start(store, found.order)
    clock.forward(3600)
    assert await ask.start(store, found.order) == bulk
    assert await store.open_bulks([NAMESPACE]) == {NAMESPACE: [bulk.id]}


async def test_a_key_that_is_gone_makes_earlier_tokens_worthless(
    store: CheckedStore, client: Client, life: Life
) -> None:
    await life.leader()
    found = await previewed(store, BulkVerb.CANCEL)
    await client.delete(keys.bulk_key())
    with pytest.raises(TokenRefusedError):
        await ask.ordered(store, found.token, by=BO)


async def test_a_namespace_has_so_many_open_ones(store: CheckedStore, life: Life) -> None:
    await life.leader()
    for _ in range(20):
        await begun(store, BulkVerb.CANCEL)
    with pytest.raises(TooManyBulksError):
        await begun(store, BulkVerb.CANCEL)
    loop = leading(store)
    while await loop.turn() == 0.0:
        pass
    assert (await ask.latest(store, NAMESPACE))[0].state is BulkState.DONE
    await begun(store, BulkVerb.CANCEL)


@pytest.mark.parametrize("backend", ["valkey"], indirect=True)
async def test_of_those_that_are_over_the_latest_are_remembered(
    store: CheckedStore, client: Client, life: Life
) -> None:
    await life.leader()
    loop = leading(store)
    latest = first = await begun(store, BulkVerb.CANCEL)
    for _ in range(202):
        latest = await begun(store, BulkVerb.CANCEL)
        while await loop.turn() == 0.0:
            pass
    assert await client.zcard(keys.bulks(NAMESPACE)) == 200
    assert await store.bulk(first.id) is None
    assert (await ask.latest(store, NAMESPACE))[0].id == latest.id


async def test_hostile_rows_hold_up_nobody(store: CheckedStore, client: Client, life: Life) -> None:
    await life.leader()
    jobs = many(a_job(), 30)
    await store.enqueue_many(jobs)
    cell = next(iter([cell.name async for cell in store.cells(NAMESPACE)]))
    await client.zadd(keys.cell(cell), {"not a job": 1, new_job_id(): 2})
    await client.zadd(keys.cells(NAMESPACE), {"nonsense": 3, f"{NAMESPACE}/default:queued/0:gone": 4})
    broken, odd = jobs[0].id, jobs[1].id
    await client.hdel(keys.job(broken), "state")
    await client.delete(keys.job(odd))
    await client.set(keys.job(odd), "no hash")
    await client.zadd(keys.bulks_open(NAMESPACE), {"not a bulk": 1})

    bulk = await carried_out(store, await begun(store, BulkVerb.CANCEL))

    assert (bulk.state, bulk.done, bulk.failed) == (BulkState.DONE, 28, 0)
    assert bulk.skipped == {"missing": 2, "unreadable": 2}
    assert await store.open_bulks([NAMESPACE]) == {}
    await client.flushall()


async def test_one_that_cannot_be_read_ends_and_the_others_go_on(
    store: CheckedStore, client: Client, life: Life
) -> None:
    await life.leader()
    await store.enqueue_many(many(a_job(), 3))
    odd = await begun(store, BulkVerb.CANCEL)
    await client.hset(keys.bulk(odd.id), "filter", '{"colour": "red"}')
    worse = await begun(store, BulkVerb.CANCEL)
    await client.hset(keys.bulk(worse.id), "as_of", "yesterday")
    await client.hdel(keys.bulk(worse.id), "verb")
    good = await begun(store, BulkVerb.CANCEL)

    good = await carried_out(store, good)

    assert (good.state, good.done) == (BulkState.DONE, 3)
    assert (await there(store, odd.id)).failures == {"filter_unreadable": 1}
    assert await store.open_bulks([NAMESPACE]) == {}


async def test_namespaces_take_turns(store: CheckedStore, life: Life) -> None:
    await life.leader()
    for namespace in ("mail", "shop", "zoo"):
        await store.put_queue(f"{namespace}/default", a_queue())
        await store.enqueue_many(many(a_job().on("default", namespace), 600 if namespace == "shop" else 40))
    bulks = [
        await ask.start(store, (await preview.preview(store, Frozen(Filter((one,))), BulkVerb.CANCEL, by=BO)).order)
        for one in ("mail", "shop", "zoo")
    ]
    await leading(store, namespaces=("mail", "shop", "zoo")).turn()
    found = await store.bulks([one.id for one in bulks])
    assert [one.state for one in found] == [BulkState.DONE, BulkState.RUNNING, BulkState.DONE]


@pytest.mark.parametrize("backend", REAL, indirect=True)
async def test_a_cancel_of_many_goes_on_when_redis_is_full(store: CheckedStore, client: Client, life: Life) -> None:
    await life.leader()
    jobs = many(a_job(), 60)
    await store.enqueue_many(jobs)
    await client.config_set("maxmemory", 1)
    try:
        bulk = await carried_out(store, await begun(store, BulkVerb.CANCEL))
        stopped = await ask.stop(store, await begun(store, BulkVerb.CANCEL), by="ada")
        stopped = await carried_out(store, stopped)
    finally:
        await client.config_set("maxmemory", 0)
    assert (bulk.state, bulk.done) == (BulkState.DONE, 60)
    assert stopped.state is BulkState.STOPPED


MANY: Final = int(os.environ.get("BGJOBS_BULK_JOBS", "20000"))  # 100,000 do not take longer each


@pytest.mark.parametrize("backend", ["valkey"], indirect=True)
async def test_of_very_many_no_script_takes_long(
    store: CheckedStore, client: Client, life: Life, open_client: Callable[[], Client]
) -> None:
    """Neither to look for them, nor to act on twenty; a part of them is enough to see it."""
    await life.leader()
    for _ in range(MANY // 5000):
        await store.enqueue_many(many(a_job(), 5000))
    bulk = await begun(store, BulkVerb.CANCEL)
    assert (bulk.total, bulk.is_exact) == (MANY, True)
    await client.config_resetstat()
    loop = leading(store)
    for _ in range(4):
        assert await loop.turn() == 0.0
    facts: dict[str, Any] = await open_client().info("commandstats")
    calls = {name: one for name, one in facts.items() if "eval" in name or "fcall" in name or "zrange" in name}
    assert calls
    for name, one in calls.items():
        assert one["usec_per_call"] < 5_000, (name, one)
    bulk = await there(store, bulk.id)
    assert bulk.done >= 4 * 25 * search.MOST_TAKEN - 40
    await client.flushall()  # to look whether all of it fits together would take a minute
