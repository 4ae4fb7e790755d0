"""The operator says in Redis how it is: the API tells it on, and so does `bgjobs doctor`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import structlog

from bgjobs_core.cancellation import end_if_cancelled
from bgjobs_core.health.operator_report import OperatorReport
from bgjobs_core.redis.errors import StoreError
from bgjobs_core.version import own_version

if TYPE_CHECKING:
    from bgjobs_core.store.store import Store
    from bgjobs_operator.health.health import Health

PERIOD: Final = 10.0  # it is remembered for a minute
_ROOM: Final = 512  # characters of one thing that is wrong

log: Any = structlog.get_logger(__name__)


class Reporter:
    """Tells it every ten seconds, and at once when there is news."""

    def __init__(self, store: Store, health: Health, pod: str, namespace: str) -> None:
        self._store = store
        self._health = health
        self._pod = pod
        self._look = f"kubectl logs -n {namespace} {pod} --since=10m"

    def report(self) -> OperatorReport:
        """What there is to tell."""
        doubts = tuple(
            one if len(one.detail) <= _ROOM else type(one)(one.code, f"{one.detail[:_ROOM]}...", one.remedy)
            for one in self._health.doubts(self._look)
        )
        return OperatorReport(own_version(), self._pod, round(self._health.since * 1000), doubts)

    async def run(self) -> None:
        """For ever."""
        while True:
            self._health.news.clear()
            try:
                await self._store.report(self.report(), self._health.epoch)
            except StoreError as error:
                log.warning("not told how we are", error=str(error))
            except Exception:
                log.exception("not told how we are")
            end_if_cancelled()
            try:
                async with asyncio.timeout(PERIOD):
                    await self._health.news.wait()
            except TimeoutError:
                continue

    async def withdraw(self) -> None:
        """This process ends: what it has said holds no longer."""
        try:
            for role in ("leading", "waiting"):
                await self._store.withdraw_report(role=role, pod=self._pod)
        except StoreError as error:
            log.warning("what we have said is not withdrawn", error=str(error))
