"""Whether Redis has room for more jobs: new ones are refused before it is full, so that those it has can end in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import structlog

from bgjobs_core.redis.errors import StoreError, StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

log: Any = structlog.get_logger(__name__)

FULL_AT: Final = 0.85
READ_EVERY_SECONDS: Final = 1.0


@dataclass(frozen=True)
class Memory:
    """Bytes in use, and how many there may be (0: no limit)."""

    used: int
    limit: int


def memory_of(facts: Mapping[str, Any]) -> Memory:
    """How much memory Redis uses, from what the command INFO says."""
    return Memory(int(facts.get("used_memory", 0)), int(facts.get("maxmemory", 0)))


class MemoryReader(Protocol):
    """Asks Redis how much memory it uses."""

    async def memory(self) -> Memory:
        """What Redis says now. Raises StoreError if it does not say."""
        ...


def full(memory: Memory) -> bool:
    """Whether no more jobs are taken: the rest of the memory is for the jobs that are there to end in."""
    return memory.limit > 0 and memory.used > FULL_AT * memory.limit


class MemoryGate:
    """Says whether jobs are taken; it asks Redis at most once a second.

    Args:
        reader: asks Redis.
        monotonic: a clock in seconds that never jumps.
    """

    def __init__(self, reader: MemoryReader, monotonic: Callable[[], float]) -> None:
        self._reader = reader
        self._monotonic = monotonic
        self._read_at: float | None = None
        self._open = True

    async def is_open(self) -> bool:
        """Whether there is room for more jobs.

        Raises:
            StoreUnavailableError: if Redis does not answer.
        """
        now = self._monotonic()
        if self._read_at is None or now - self._read_at >= READ_EVERY_SECONDS:
            try:
                self._open = not full(await self._reader.memory())
            except StoreUnavailableError:
                raise
            except StoreError as error:
                # A server that does not tell still refuses by itself when it is full.
                log.warning("Redis does not tell its memory", error=str(error))
            self._read_at = now
        return self._open
