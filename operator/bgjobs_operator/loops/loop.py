"""A loop of the leader: it sleeps until it is poked or its time comes, then turns once.

A loop ends only by being cancelled. Trouble is logged and waited out; that counts as a turn, since
restarting the process would not bring Redis or Kubernetes back.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import structlog

from bgjobs_core.cancellation import end_if_cancelled
from bgjobs_core.kube.errors import KubeError, KubeRefusedError
from bgjobs_core.redis.errors import StoreError
from bgjobs_operator.interfaces.launcher import LauncherUnreachableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_MAX_BACK_OFF: Final = 10.0
_FORBIDDEN: Final = 403
log: Any = structlog.get_logger(__name__)


class NotLeaderError(Exception):
    """Somebody else's epoch is in Redis: this process must stop leading."""


def is_forbidden(error: Exception) -> bool:
    """Whether Kubernetes said no, or that is why the launcher cannot."""
    refusal = error.__cause__ if isinstance(error, LauncherUnreachableError) else error
    return isinstance(refusal, KubeRefusedError) and refusal.status == _FORBIDDEN


@dataclass
class Loop:
    """One loop.

    Attributes:
        name: as in docs/architecture.md.
        turn: does everything that is to be done now; returns after how many seconds to look again, or None
            for `period`.
        period: seconds between two turns when nobody pokes.
        turned_at: when it last turned, by `time.monotonic`.
        failing: the last turn's error, "" if it went well.
        forbidden: whether that was Kubernetes' no: we lack a permission.
    """

    name: str
    turn: Callable[[], Awaitable[float | None]]
    period: float
    turned_at: float = field(default_factory=time.monotonic)
    failing: str = ""
    forbidden: bool = False
    _poked: asyncio.Event = field(default_factory=asyncio.Event)

    def poke(self) -> None:
        """Wake the loop: there may be something to do."""
        self._poked.set()

    async def run(self) -> None:
        """Turn again and again until this is cancelled."""
        failures = 0
        while True:
            self._poked.clear()
            try:
                wait = await self.turn()
                failures, self.failing, self.forbidden = 0, "", False
            except (StoreError, KubeError, LauncherUnreachableError) as error:
                failures, self.failing, self.forbidden = failures + 1, str(error), is_forbidden(error)
                log.warning("loop failed", loop=self.name, error=str(error), failures=failures)
                wait = min(_MAX_BACK_OFF, 0.1 * 2**failures)
            except NotLeaderError:
                raise
            except Exception as error:
                failures, self.failing, self.forbidden = failures + 1, repr(error), False
                log.exception("loop failed unexpectedly", loop=self.name, failures=failures)
                wait = min(_MAX_BACK_OFF, 0.1 * 2**failures)
            end_if_cancelled()
            self.turned_at = time.monotonic()
            try:
                async with asyncio.timeout(self.period if wait is None else wait):
                    await self._poked.wait()
            except TimeoutError:
                continue
