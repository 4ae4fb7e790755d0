"""/healthz and /readyz, which nobody needs a token for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import pytest

from bgjobs_api import health, redis_state
from bgjobs_api.deps import Deps
from bgjobs_api.redis_state import Durability, Memory, MemoryGate
from bgjobs_core.redis_door import StoreError, StoreUnavailableError
from tests.api.world import FakeRedisState

if TYPE_CHECKING:
    from tests.api.world import World


async def test_the_process_lives_whatever_is_away(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away() -> None:
        raise StoreUnavailableError("gone")

    monkeypatch.setattr(world.store, "ping", away)
    world.authenticator.ready, world.access.away = False, True
    response = await world.http.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


async def test_ready(world: World) -> None:
    response = await world.http.get("/readyz")
    assert (response.status_code, response.json()) == (200, {"problems": {}, "warnings": []})


async def test_not_ready_while_redis_is_away(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away() -> None:
        raise StoreUnavailableError("Redis does not answer: refused")

    monkeypatch.setattr(world.store, "ping", away)
    response = await world.http.get("/readyz")
    assert response.status_code == 503
    assert response.json()["problems"] == {"redis": "Redis does not answer: refused"}


async def test_not_ready_before_keys_were_read(world: World) -> None:
    world.authenticator.ready = False
    response = await world.http.get("/readyz")
    assert response.status_code == 503
    assert list(response.json()["problems"]) == ["kubernetes"]


async def test_a_redis_that_hangs_is_not_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(world.store, "ping", hang)
    deps = Deps(world.store, world.redis, world.authenticator, world.access, world.clock, ("shop",))
    found = await health.readiness(deps, patience=0.01)
    assert found.problems == {"redis": "Redis did not answer within 0.01 s"}


async def test_settings_that_can_lose_jobs_are_warned_of(world: World) -> None:
    world.redis.settings = Durability("yes", "everysec", "allkeys-lru")
    response = await world.http.get("/readyz")
    assert response.status_code == 200
    assert len(response.json()["warnings"]) == 2


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (Durability("yes", "always", "noeviction"), []),
        (Durability("yes", "everysec", "noeviction"), ["appendfsync everysec"]),
        (Durability("yes", "no", "noeviction"), ["appendfsync no"]),
        (Durability("no", "always", "noeviction"), ["appendonly off"]),
        (Durability("yes", "always", "volatile-lru"), ["maxmemory-policy volatile-lru"]),
        (Durability("no", "everysec", "allkeys-lru"), ["appendonly off", "maxmemory-policy allkeys-lru"]),
        (Durability(None, None, None), ["does not tell"]),
    ],
    ids=str,
)
def test_warnings(settings: Durability, words: list[str]) -> None:
    said = redis_state.warnings(settings)
    assert len(said) == len(words)
    assert all(word in one for word, one in zip(words, said, strict=True))


@pytest.mark.parametrize(
    ("used", "limit", "full"),
    [(0, 0, False), (10**12, 0, False), (85, 100, False), (86, 100, True), (100, 100, True), (200, 100, True)],
)
def test_full(used: int, limit: int, full: bool) -> None:
    assert redis_state.full(Memory(used, limit)) is full


async def test_a_redis_that_does_not_tell_its_memory_is_not_full(world: World) -> None:
    world.redis.failure = StoreError("NOPERM")
    assert (await world.enqueue()).status_code == 201
    world.clock.now += 1
    world.redis.failure = StoreUnavailableError("gone")
    assert (await world.enqueue()).status_code == 503


async def test_the_gate_asks_once_a_second(world: World) -> None:
    state = FakeRedisState()
    gate = MemoryGate(state)
    for _ in range(5):
        assert await gate.is_open(world.clock())
    world.clock.now += 0.99
    await gate.is_open(world.clock())
    assert state.reads == 1
    world.clock.now += 0.01
    await gate.is_open(world.clock())
    assert cast("int", state.reads) == 2
