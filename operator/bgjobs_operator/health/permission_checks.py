"""Checks that ask Kubernetes whether we are allowed what we need.

When leading begins, every minute, and at once after it has said no to anything.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import structlog

from bgjobs_core.cancellation import end_if_cancelled
from bgjobs_core.kube import permissions
from bgjobs_core.kube.errors import KubeError
from bgjobs_operator.health.permissions import Rights

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgjobs_core.kube.door import Kube
    from bgjobs_core.kube.permissions import Permission
    from bgjobs_operator.health.health import Health

PERIOD: Final = 60.0
# Each namespace is some sixteen questions; with many of them the API server is not to be busy with ours.
_SECONDS_EACH: Final = 6.0
MISSING_PERIOD: Final = 5.0  # somebody may be mending it
_PAUSE: Final = 1.0  # a refusal rarely comes alone
_PAUSE_EACH: Final = 0.5

log: Any = structlog.get_logger(__name__)


class PermissionChecks:
    """Asks, and tells `health`.

    Attributes:
        regained: set when a permission is there that was missing.
    """

    def __init__(self, kube: Kube, needed: Sequence[Permission], health: Health) -> None:
        self._kube = kube
        self._needed = tuple(needed)
        self._health = health
        self._account = ""
        self.regained = asyncio.Event()
        namespaces = len({one.namespace for one in self._needed})
        self._period = max(PERIOD, _SECONDS_EACH * namespaces)
        self._pause = max(_PAUSE, _PAUSE_EACH * namespaces)

    def look_now(self) -> None:
        """Do not wait for the period to pass."""
        self._kube.forbidden.set()

    async def run(self) -> None:
        """For ever; one that stands by asks only when something was forbidden."""
        period: float | None = 0.0
        while True:
            try:
                async with asyncio.timeout(period):
                    await self._kube.forbidden.wait()
            except TimeoutError:
                pass
            self._kube.forbidden.clear()
            try:
                await self.look()
            except Exception:
                log.exception("permissions not looked at")
            end_if_cancelled()
            await asyncio.sleep(self._pause)
            period = self.next_look()

    def next_look(self) -> float | None:
        """After how many seconds, if nothing is forbidden before; None: not at all."""
        if self._health.rights.missing:
            return max(MISSING_PERIOD, self._pause)
        return self._period if self._health.leading else None

    async def look(self) -> None:
        """Once; what cannot be asked stays as it was."""
        try:
            self._account = self._account or await permissions.ask_who_we_are(self._kube.post)
            missing = await permissions.ask_missing(self._kube.post, self._needed)
        except KubeError as error:
            log.warning("permissions not looked at", error=str(error))
            return
        found = Rights(self._needed, missing, self._account)
        if found.missing != self._health.rights.missing:
            for finding in found.findings():
                log.error("permissions are missing", detail=finding.detail, remedy=finding.remedy)
            if not found.missing:
                log.info("no permission is missing any more")
            if set(self._health.rights.missing) - set(found.missing):
                self.regained.set()
            self._health.news.set()
        self._health.rights = found
