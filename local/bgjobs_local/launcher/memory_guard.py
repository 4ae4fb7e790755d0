"""Enforces memory limits without cgroups: all pods that have one are looked at together, ten times a second."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bgjobs_local.launcher import processes

if TYPE_CHECKING:
    from collections.abc import Generator

_LOOK_SECONDS: Final = 0.1


@dataclass
class MemoryGuard:
    """Kills pods that take more memory than their limit, as the kernel does with containers. Keep `run` running."""

    _limits: dict[int, int] = field(default_factory=dict[int, int])
    _killed: set[int] = field(default_factory=set[int])
    _wanted: asyncio.Event = field(default_factory=asyncio.Event)

    @contextmanager
    def watching(self, pid: int, limit: int | None) -> Generator[None]:
        """Watch a process and its descendants while the `with` block runs; the limit is in bytes, None for no limit."""
        if limit is None:
            yield
            return
        self._limits[pid] = limit
        self._wanted.set()
        try:
            yield
        finally:
            del self._limits[pid]

    def killed(self, pid: int) -> bool:
        """Whether the process was killed for its memory. The answer is forgotten, so ask only once."""
        if pid in self._killed:
            self._killed.remove(pid)
            return True
        return False

    async def run(self) -> None:
        """Watch all processes until cancelled."""
        while True:
            if not self._limits:
                self._wanted.clear()
                await self._wanted.wait()
            used = await asyncio.to_thread(processes.memory_of_trees, list(self._limits))
            for pid, held in used.items():
                if pid in self._limits and held > self._limits[pid] and pid not in self._killed:
                    self._killed.add(pid)
                    await asyncio.to_thread(processes.kill_tree, pid)
            await asyncio.sleep(_LOOK_SECONDS)
