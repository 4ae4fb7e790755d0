"""Whether the operator is well: what its endpoints `/healthz` and `/readyz` answer, and what it reports in Redis.

It is not alive only when one of its loops has not turned for a minute, whether a turn ends well or not. When Redis or
Kubernetes does not answer, it is not ready: a restart would not bring them back.

A permission that is missing in one of several namespaces is a warning, and the operator stays ready. The other
namespaces are served, and `helm upgrade --wait`, which may bring the permission, must not hang on it. The same holds
for what is forbidden in a namespace that was taken out of `jobNamespaces` and still has jobs. If the operator can serve
no namespace at all, or cannot lead, it is not ready, so that alarms go off. It is the same with a namespace that is in
trouble for another reason, as a webhook that fails or a quota that is used up: a warning that names it.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from bgjobs_core.health.findings import Finding, FindingCode
from bgjobs_operator.health.namespaces import MOST_TOLD, Namespaces
from bgjobs_operator.health.permissions import Rights

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bgjobs_core.store.rollback import Hold
    from bgjobs_operator.loops.loop import Loop

STUCK_SECONDS: Final = 60.0


def stuck(loops: Iterable[Loop], now: float) -> list[str]:
    """The names of the loops that have not turned for too long; `now` is the time of `time.monotonic`."""
    return [loop.name for loop in loops if now - loop.turned_at > loop.period + STUCK_SECONDS]


def _held(held: Hold) -> str:
    since = datetime.fromtimestamp(held.since / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return f"nothing is launched since {since}, until somebody has looked and releases it: {held.reason}"


@dataclass
class Health:
    """The state of this process of the operator, from which its endpoints answer and its report is made.

    Attributes:
        epoch: the epoch in which it leads; "" while it stands by.
        since: since when it leads, or stands by, in Unix seconds.
        problems: what the process waits for, each with the reason.
        loops: the loops that run while it leads.
        blind: the namespaces whose KubeJobs cannot be watched, each with the reason.
        namespaces: what is wrong with namespaces of jobs.
        rights: which permissions Kubernetes gives it.
        held: why nothing is launched, if Redis was older than the world.
        news: an event that is set when something has changed that should be reported at once.
    """

    epoch: str = ""
    since: float = field(default_factory=time.time)
    problems: dict[str, str] = field(default_factory=dict[str, str])
    loops: list[Loop] = field(default_factory=list["Loop"])
    blind: dict[str, str] = field(default_factory=dict[str, str])
    namespaces: Namespaces = field(default_factory=Namespaces)
    rights: Rights = field(default_factory=Rights)
    held: Hold | None = None
    news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def leading(self) -> bool:
        """Whether this process leads."""
        return bool(self.epoch)

    def begin(self, epoch: str, loops: list[Loop]) -> None:
        """Note that this process leads from now on, with these loops."""
        self.epoch, self.loops, self.since = epoch, loops, time.time()
        self.news.set()

    def end(self) -> None:
        """Note that this process does not lead any more."""
        self.epoch, self.blind, self.since, self.held = "", {}, time.time(), None
        self.namespaces.clear()

    def watched(self, namespace: str, trouble: str) -> None:
        """Note whether the KubeJobs of a namespace can be watched: `trouble` is why not, or ""."""
        if trouble:
            self.blind[namespace] = trouble
        else:
            self.blind.pop(namespace, None)

    def waits_for(self, what: str, trouble: str) -> None:
        """Note whether the process waits for something: `trouble` is why it is not there, or "" when it is."""
        if trouble:
            self.problems[what] = trouble
        else:
            self.problems.pop(what, None)

    def holds(self, held: Hold | None) -> None:
        """Note what holds the launches; None if nothing does."""
        if held != self.held:
            self.held = held
            self.news.set()

    def live(self, now: float) -> tuple[int, dict[str, object]]:
        """The status and the body that `/healthz` answers; `now` is the time of `time.monotonic`."""
        names = stuck(self.loops, now) if self.leading else []
        return (500 if names else 200), {"leading": self.leading, "stuck": names}

    def ready(self) -> tuple[int, dict[str, object]]:
        """The status and the body that `/readyz` answers. A process that stands by is ready, too."""
        problems, warnings = dict(self.problems), [one.detail for one in self.rights.findings()]
        bearable = self.rights.suffice_somewhere and bool(self.rights.needed)
        if self.leading:
            for loop in self.loops:
                if loop.failing and loop.forbidden and bearable:
                    warnings.append(f"{loop.name}: {loop.failing}")
                elif loop.failing:
                    problems[loop.name] = loop.failing
            warnings += self._unwatched()
            warnings += [_held(self.held)] if self.held is not None else []
            warnings += self.namespaces.sentences()
            if self.namespaces.nothing_works():
                problems["namespaces"] = "every namespace of jobs is in trouble"
        if not self.rights.suffice_somewhere:
            problems["permissions"] = warnings.pop(0)
        body: dict[str, object] = {"leading": self.leading, "problems": problems, "warnings": warnings}
        return (503 if problems else 200), body

    def _unwatched(self) -> list[str]:
        said = [f"KubeJobs of {namespace} are not watched: {why}" for namespace, why in self.blind.items()]
        more = len(said) - MOST_TOLD
        return [*said[:MOST_TOLD], f"KubeJobs of {more} more are not watched"] if more > 0 else said

    def findings(self, look: str, release: str = "") -> tuple[Finding, ...]:
        """What is wrong, for the report in Redis.

        Args:
            look: the remedy of findings for which nothing better is known.
            release: the command that lets launches go on, which are held.
        """
        found = self.rights.findings()
        # A missing permission is a finding. That loops and watches fail for lack of it is not another one.
        known = bool(found)
        said = [f"{what}: {why}" for what, why in self.problems.items()]
        if self.leading:
            said += [
                f"{loop.name}: {loop.failing}" for loop in self.loops if loop.failing and not (known and loop.forbidden)
            ]
            said += [] if known else self._unwatched()
        held = [Finding(FindingCode.REDIS_OLDER, _held(self.held), release)] if self.leading and self.held else []
        return (
            *held,
            *found,
            *(self.namespaces.findings() if self.leading else ()),
            *(Finding(FindingCode.OPERATOR_FAILS, f"the operator is in trouble: {one}", look) for one in said),
        )
