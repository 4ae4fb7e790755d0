"""What the API asks Redis about itself: whether there is room, and whether it keeps what it takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

import structlog
from redis import exceptions as rex

from bgjobs_core.health.findings import Finding, FindingCode
from bgjobs_core.redis.errors import StoreError, StoreUnavailableError, translate

if TYPE_CHECKING:
    from bgjobs_api.clock import Moment
    from bgjobs_core.redis.connection import Client

log: Any = structlog.get_logger(__name__)

FULL_AT: Final = 0.85
READ_EVERY_SECONDS: Final = 1.0


@dataclass(frozen=True)
class Memory:
    """Bytes in use, and how many there may be (0: no limit)."""

    used: int
    limit: int


@dataclass(frozen=True)
class Durability:
    """Settings that decide whether what was acknowledged survives; None where Redis does not tell."""

    append_only: str | None
    append_fsync: str | None
    eviction: str | None


class RedisState(Protocol):
    """What is asked."""

    async def memory(self) -> Memory:
        """Raises StoreError."""
        ...

    async def durability(self) -> Durability:
        """Raises StoreError."""
        ...


class RealRedisState:
    """Asks a real server."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def memory(self) -> Memory:
        """By INFO."""
        try:
            facts = cast("dict[str, Any]", await self._client.info("memory"))
        except (rex.RedisError, OSError) as error:
            raise translate(error) from error
        return Memory(int(facts.get("used_memory", 0)), int(facts.get("maxmemory", 0)))

    async def durability(self) -> Durability:
        """By CONFIG GET, which managed servers may refuse."""
        try:
            facts = cast(
                "dict[str, str]", await self._client.config_get("appendonly", "appendfsync", "maxmemory-policy")
            )
        except (rex.RedisError, OSError) as error:
            translated = translate(error)
            if isinstance(translated, StoreUnavailableError):
                raise translated from error
            return Durability(None, None, None)
        return Durability(facts.get("appendonly"), facts.get("appendfsync"), facts.get("maxmemory-policy"))


def full(memory: Memory) -> bool:
    """Whether no more jobs are taken: the rest is for the jobs that are there to end in."""
    return memory.limit > 0 and memory.used > FULL_AT * memory.limit


def findings(found: Durability, rediscli: str) -> list[Finding]:
    """What could lose acknowledged writes; `rediscli` is how an administrator calls redis-cli."""
    said: list[Finding] = []
    if found.append_only is None or found.append_fsync is None or found.eviction is None:
        said.append(
            Finding(
                FindingCode.REDIS_SETTINGS_HIDDEN,
                "Redis does not tell its settings (CONFIG GET), so whether it may lose jobs is unknown",
                "see to it that Redis has appendonly yes, appendfsync always and maxmemory-policy noeviction",
            )
        )
    if found.append_only not in {None, "yes"}:
        detail = "Redis has appendonly off: all jobs are lost when it restarts"
        said.append(Finding(FindingCode.REDIS_FORGETS, detail, f"{rediscli} config set appendonly yes"))
    elif found.append_fsync not in {None, "always"}:
        detail = f"Redis has appendfsync {found.append_fsync}: acknowledged jobs can be lost when it is killed"
        said.append(Finding(FindingCode.REDIS_MAY_LOSE_WRITES, detail, f"{rediscli} config set appendfsync always"))
    if found.eviction not in {None, "noeviction"}:
        detail = f"Redis has maxmemory-policy {found.eviction}: it drops jobs when it is full"
        said.append(Finding(FindingCode.REDIS_EVICTS, detail, f"{rediscli} config set maxmemory-policy noeviction"))
    return said


class MemoryGate:
    """Whether jobs are taken; asks Redis at most once a second."""

    def __init__(self, state: RedisState) -> None:
        self._state = state
        self._read_at: float | None = None
        self._open = True

    async def is_open(self, now: Moment) -> bool:
        """Whether there is room for more jobs.

        Raises:
            StoreUnavailableError: if Redis does not answer.
        """
        if self._read_at is None or now.monotonic - self._read_at >= READ_EVERY_SECONDS:
            try:
                self._open = not full(await self._state.memory())
            except StoreUnavailableError:
                raise
            except StoreError as error:
                # A server that does not tell still refuses by itself when it is full.
                log.warning("Redis does not tell its memory", error=str(error))
            self._read_at = now.monotonic
        return self._open
