"""/healthz and /readyz, which nobody needs a token for."""

from __future__ import annotations

import asyncio
from importlib import metadata
from typing import TYPE_CHECKING, cast

import pytest

from bgjobs_api.health import redis_state
from bgjobs_api.health.redis_state import Durability
from bgjobs_api.http.deps import Deps
from bgjobs_api.routes import health
from bgjobs_core.health.findings import Finding, FindingCode
from bgjobs_core.redis import memory
from bgjobs_core.redis.errors import StoreError, StoreUnavailableError
from bgjobs_core.redis.memory import Memory, MemoryGate
from tests.api.world import FakeRedisState

FSYNC, APPEND = "CLI config set appendfsync always", "CLI config set appendonly yes"
KEEP = "CLI config set maxmemory-policy noeviction"

if TYPE_CHECKING:
    from tests.api.world import World


async def test_the_process_lives_whatever_is_away(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away() -> None:
        raise StoreUnavailableError("gone")

    monkeypatch.setattr(world.store, "check", away)
    world.authenticator.ready, world.access.away = False, True
    response = await world.http.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


async def test_ready(world: World) -> None:
    response = await world.http.get("/readyz")
    assert response.status_code == 200
    assert response.json() == {"version": metadata.version("bgjobs-server"), "problems": {}, "warnings": []}


async def test_not_ready_while_redis_is_away(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away() -> None:
        raise StoreUnavailableError("Redis does not answer: refused")

    monkeypatch.setattr(world.store, "check", away)
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

    monkeypatch.setattr(world.store, "check", hang)
    deps = Deps(world.store, world.redis, world.authenticator, world.access, world.clock, ("shop",))
    found = await health.readiness(deps, patience=0.01)
    assert found.problems == {"redis": "Redis did not answer within 0.01 s"}


async def test_settings_that_can_lose_jobs_are_warned_of(world: World) -> None:
    world.redis.settings = Durability("yes", "everysec", "allkeys-lru")
    response = await world.http.get("/readyz")
    assert response.status_code == 200
    assert response.json()["warnings"][1] == {
        "code": "redis_evicts",
        "detail": "Redis has maxmemory-policy allkeys-lru: it drops jobs when it is full",
        "remedy": "redis-cli config set maxmemory-policy noeviction",
        "age_seconds": 0,
        "namespace": "",
    }


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        (Durability("yes", "always", "noeviction"), []),
        (
            Durability("yes", "everysec", "noeviction"),
            [(FindingCode.REDIS_MAY_LOSE_WRITES, "appendfsync everysec", FSYNC)],
        ),
        (Durability("yes", "no", "noeviction"), [(FindingCode.REDIS_MAY_LOSE_WRITES, "appendfsync no", FSYNC)]),
        (Durability("no", "always", "noeviction"), [(FindingCode.REDIS_FORGETS, "appendonly off", APPEND)]),
        (
            Durability("yes", "always", "volatile-lru"),
            [(FindingCode.REDIS_EVICTS, "maxmemory-policy volatile-lru", KEEP)],
        ),
        (
            Durability("no", "everysec", "allkeys-lru"),
            [(FindingCode.REDIS_FORGETS, "appendonly off", APPEND), (FindingCode.REDIS_EVICTS, "allkeys-lru", KEEP)],
        ),
        (Durability(None, None, None), [(FindingCode.REDIS_SETTINGS_HIDDEN, "does not tell", "make sure")]),
    ],
    ids=str,
)
def test_what_settings_can_lose(settings: Durability, found: list[tuple[FindingCode, str, str]]) -> None:
    said = redis_state.findings(settings, "CLI")
    assert [one.code for one in said] == [code for code, _, _ in found]
    for one, (_, detail, remedy) in zip(said, found, strict=True):
        assert detail in one.detail
        assert one.remedy.startswith(remedy)


async def test_what_the_operator_and_the_surroundings_say_is_told(world: World) -> None:
    heard = Finding("operator_fails", "one", "do this")
    seen = Finding("kubernetes_clock", "two", "do that", 7)

    async def ask_operator() -> list[Finding]:
        return [heard]

    deps = Deps(
        world.store, world.redis, world.authenticator, world.access, world.clock, ("shop",),
        findings=lambda: [seen], ask_operator=ask_operator,
    )  # fmt: skip
    assert (await health.readiness(deps)).warnings == [heard, seen]


async def test_what_was_seen_is_told_while_redis_is_away(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away() -> None:
        raise StoreUnavailableError("gone")

    monkeypatch.setattr(world.store, "check", away)
    seen = Finding("kubernetes_clock", "two", "do that", 7)
    deps = Deps(
        world.store, world.redis, world.authenticator, world.access, world.clock, ("shop",), findings=lambda: [seen]
    )
    found = await health.readiness(deps)
    assert (list(found.problems), found.warnings) == (["redis"], [seen])


@pytest.mark.parametrize(
    ("used", "limit", "full"),
    [(0, 0, False), (10**12, 0, False), (85, 100, False), (86, 100, True), (100, 100, True), (200, 100, True)],
)
def test_full(used: int, limit: int, full: bool) -> None:
    assert memory.full(Memory(used, limit)) is full


async def test_a_redis_that_does_not_tell_its_memory_is_not_full(world: World) -> None:
    world.redis.failure = StoreError("NOPERM")
    assert (await world.enqueue()).status_code == 201
    world.clock.now += 1
    world.redis.failure = StoreUnavailableError("gone")
    assert (await world.enqueue()).status_code == 503


async def test_the_gate_asks_once_a_second(world: World) -> None:
    state = FakeRedisState()
    gate = MemoryGate(state, lambda: world.clock().monotonic)
    for _ in range(5):
        assert await gate.is_open()
    world.clock.now += 0.99
    await gate.is_open()
    assert state.reads == 1
    world.clock.now += 0.01
    await gate.is_open()
    assert cast("int", state.reads) == 2
