"""What the API asks Redis about itself: how much memory it uses, and whether it keeps what it takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

from redis import exceptions as rex

from bgjobs_core.health.findings import Code, Doubt
from bgjobs_core.redis.errors import StoreUnavailableError, translate
from bgjobs_core.redis.memory import Memory, MemoryReader

if TYPE_CHECKING:
    from bgjobs_core.redis.connection import Client


@dataclass(frozen=True)
class Durability:
    """Settings that decide whether what was acknowledged survives; None where Redis does not tell."""

    append_only: str | None
    append_fsync: str | None
    eviction: str | None


class RedisState(MemoryReader, Protocol):
    """Asks Redis about itself."""

    async def durability(self) -> Durability:
        """Its settings. Raises StoreError if it does not answer."""
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


def doubts(found: Durability, rediscli: str) -> list[Doubt]:
    """What could lose acknowledged writes; `rediscli` is how an administrator calls redis-cli."""
    said: list[Doubt] = []
    if found.append_only is None or found.append_fsync is None or found.eviction is None:
        said.append(
            Doubt(
                Code.REDIS_SETTINGS_HIDDEN,
                "Redis does not tell its settings (CONFIG GET), so whether it may lose jobs is unknown",
                "see to it that Redis has appendonly yes, appendfsync always and maxmemory-policy noeviction",
            )
        )
    if found.append_only not in {None, "yes"}:
        detail = "Redis has appendonly off: all jobs are lost when it restarts"
        said.append(Doubt(Code.REDIS_FORGETS, detail, f"{rediscli} config set appendonly yes"))
    elif found.append_fsync not in {None, "always"}:
        detail = f"Redis has appendfsync {found.append_fsync}: acknowledged jobs can be lost when it is killed"
        said.append(Doubt(Code.REDIS_MAY_LOSE_WRITES, detail, f"{rediscli} config set appendfsync always"))
    if found.eviction not in {None, "noeviction"}:
        detail = f"Redis has maxmemory-policy {found.eviction}: it drops jobs when it is full"
        said.append(Doubt(Code.REDIS_EVICTS, detail, f"{rediscli} config set maxmemory-policy noeviction"))
    return said
