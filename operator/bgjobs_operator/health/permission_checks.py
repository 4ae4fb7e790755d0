"""Asks Kubernetes again and again whether the operator has the permissions that it needs.

It asks when the operator begins to lead, then every minute, and soon after Kubernetes has refused a request. After a
refusal, and while a permission is missing, it asks for what is needed in those namespaces alone: to ask for everything
in 120 namespaces is 3,000 questions.
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
# There are some two dozen questions for each namespace. With many namespaces they are asked less often.
_SECONDS_EACH: Final = 6.0
MISSING_PERIOD: Final = 5.0  # while a permission is missing, as somebody may be giving it
_PAUSE: Final = 1.0  # Kubernetes rarely refuses only one request
_PAUSE_EACH: Final = 0.5

log: Any = structlog.get_logger(__name__)


class PermissionChecks:
    """Asks Kubernetes for the permissions, and puts what it finds into `Health.rights`.

    Args:
        kube: the connection to Kubernetes.
        needed: the permissions that the operator needs.
        health: where to put what was found.

    Attributes:
        regained: an event that is set when a permission that was missing is there again.
    """

    def __init__(self, kube: Kube, needed: Sequence[Permission], health: Health) -> None:
        self._kube = kube
        self._needed = tuple(needed)
        self._health = health
        self._account = ""
        self.regained = asyncio.Event()
        self._places = {one.namespace for one in self._needed}
        self._period = max(PERIOD, _SECONDS_EACH * len(self._places))
        self._pause = _PAUSE
        self._everywhere_at = 0.0  # when to ask for everything again
        self._soon = False  # whether somebody has asked for that, perhaps while everything was being asked for

    def check_soon(self) -> None:
        """Ask for everything soon, without waiting until the next time is due."""
        self._soon = True
        self._kube.forbidden.set()

    async def run(self) -> None:
        """Ask again and again until it is cancelled. A process that stands by asks only after a refusal."""
        period: float | None = 0.0
        while True:
            try:
                async with asyncio.timeout(period):
                    await self._kube.forbidden.wait()
            except TimeoutError:
                pass
            self._kube.forbidden.clear()
            places = self._concerned()
            self._kube.forbidden_in.clear()
            self._pause = max(_PAUSE, _PAUSE_EACH * len(places))
            done = False
            try:
                done = await self.check(places)
            except Exception:
                log.exception("permissions cannot be checked")
            end_if_cancelled()
            if not done:
                self._kube.forbidden_in |= places
            await asyncio.sleep(self._pause)
            period = self.seconds_to_next()

    def seconds_to_next(self) -> float | None:
        """After how many seconds to ask again if Kubernetes refuses nothing before; None: not at all."""
        if self._health.rights.missing:
            return max(MISSING_PERIOD, self._pause)
        return self._period if self._health.leading else None

    def _concerned(self) -> set[str]:
        """The namespaces in which something may have changed; all of them if it is time for that."""
        if self._soon or asyncio.get_running_loop().time() >= self._everywhere_at:
            self._soon = False
            return self._places
        missing = {one.namespace for one in self._health.rights.missing}
        return (self._kube.forbidden_in | missing) & self._places

    async def check(self, places: set[str] | None = None) -> bool:
        """Ask now. If there is no answer, what was found before stays; whether there was one.

        Args:
            places: the namespaces that are asked for; None: all.
        """
        places = self._places if places is None else places
        asked = [one for one in self._needed if one.namespace in places]
        try:
            self._account = self._account or await permissions.ask_who_we_are(self._kube.post)
            lacking = await permissions.ask_missing(self._kube.post, asked)
        except KubeError as error:
            log.warning("permissions cannot be checked", error=str(error))
            return False
        if places == self._places:
            self._everywhere_at = asyncio.get_running_loop().time() + self._period
        elsewhere = [one for one in self._health.rights.missing if one.namespace not in places]
        found_missing = {*lacking, *elsewhere}
        missing = tuple(one for one in self._needed if one in found_missing)
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
        return True
