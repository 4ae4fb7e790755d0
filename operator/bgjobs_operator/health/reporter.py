"""Writes into Redis how this process of the operator is; the API reads it there, and `bgjobs doctor` shows it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import structlog

from bgjobs_core.cancellation import end_if_cancelled
from bgjobs_core.health.operator_report import OperatorReport
from bgjobs_core.redis.errors import StoreError
from bgjobs_core.version import own_version

if TYPE_CHECKING:
    from bgjobs_core.store.store import Store
    from bgjobs_operator.health.health import Health

PERIOD: Final = 10.0  # the store keeps a report for a minute
_ROOM: Final = 512  # characters of the sentence of one finding

log: Any = structlog.get_logger(__name__)


class Reporter:
    """Writes a report every ten seconds, and at once when there is news.

    Args:
        store: where the report is written.
        health: the state that is reported.
        pod: the name of our pod.
        namespace: the namespace where bgjobs is installed.
    """

    def __init__(self, store: Store, health: Health, pod: str, namespace: str) -> None:
        self._store = store
        self._health = health
        self._pod = pod
        self._release = f"kubectl exec -n {namespace} {pod} -- python -m bgjobs_operator.release"
        self._look = f"kubectl logs -n {namespace} {pod} --since=10m"

    def report(self) -> OperatorReport:
        """The report as it would be written now; very long sentences are cut."""
        findings = tuple(
            one if len(one.detail) <= _ROOM else replace(one, detail=f"{one.detail[:_ROOM]}...")
            for one in self._health.findings(self._look, self._release)
        )
        return OperatorReport(own_version(), self._pod, round(self._health.since * 1000), findings)

    async def run(self) -> None:
        """Write reports until it is cancelled."""
        while True:
            self._health.news.clear()
            try:
                await self._store.report(self.report(), self._health.epoch)
            except StoreError as error:
                log.warning("the report could not be written", error=str(error))
            except Exception:
                log.exception("the report could not be written")
            end_if_cancelled()
            try:
                async with asyncio.timeout(PERIOD):
                    await self._health.news.wait()
            except TimeoutError:
                continue

    async def withdraw(self) -> None:
        """Delete the report, because this process ends."""
        try:
            for role in ("leading", "waiting"):
                await self._store.withdraw_report(role=role, pod=self._pod)
        except StoreError as error:
            log.warning("the report could not be deleted", error=str(error))
