"""What the API asks Redis about Redis itself: how much memory it uses, and whether its settings may lose jobs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

from redis import exceptions as rex

from bgjobs_core.health.findings import Finding, FindingCode
from bgjobs_core.redis.errors import StoreUnavailableError, translate
from bgjobs_core.redis.memory import Memory, MemoryReader, memory_of

if TYPE_CHECKING:
    from bgjobs_core.redis.connection import Client


@dataclass(frozen=True)
class Durability:
    """The settings of Redis that decide whether it keeps jobs that it has taken; None where Redis does not tell.

    Attributes:
        append_only: `appendonly`; jobs survive a restart only with `yes`.
        append_fsync: `appendfsync`; no acknowledged job is lost only with `always`.
        eviction: `maxmemory-policy`; Redis drops nothing only with `noeviction`.
    """

    append_only: str | None
    append_fsync: str | None
    eviction: str | None


class RedisState(MemoryReader, Protocol):
    """Tells what Redis says about itself. `RealRedisState` asks a server; tests and local mode have others."""

    async def durability(self) -> Durability:
        """Which of its settings may lose jobs.

        Raises:
            StoreError: if Redis does not answer.
        """
        ...


class RealRedisState:
    """Asks a Redis server. Implements `RedisState`."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def memory(self) -> Memory:
        """How much memory Redis uses, by the command INFO.

        Raises:
            StoreError: if Redis does not tell.
        """
        try:
            return memory_of(cast("dict[str, Any]", await self._client.info("memory")))
        except (rex.RedisError, OSError) as error:
            raise translate(error) from error

    async def durability(self) -> Durability:
        """Which of its settings may lose jobs, by the command CONFIG GET; managed servers may refuse to tell them.

        Raises:
            StoreUnavailableError: if Redis does not answer.
        """
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


def findings(found: Durability, rediscli: str) -> list[Finding]:
    """What is wrong with the settings of Redis: jobs that it has taken could be lost.

    Args:
        found: the settings.
        rediscli: how an administrator calls redis-cli, for the remedies.
    """
    said: list[Finding] = []
    if found.append_only is None or found.append_fsync is None or found.eviction is None:
        said.append(
            Finding(
                FindingCode.REDIS_SETTINGS_HIDDEN,
                "Redis does not tell its settings (CONFIG GET), so it is unknown whether it may lose jobs",
                "make sure that Redis has appendonly yes, appendfsync always and maxmemory-policy noeviction",
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
