"""Whether the operator is well: what its endpoints answer, and what it tells of itself.

Liveness fails only when a loop has not turned, well or badly, for a minute: Redis or Kubernetes being
away is a matter of readiness, and a restart would not bring them back.

A permission that is missing in one of several namespaces is a warning, not a matter of readiness: the others are
served, and an operator that is never ready would hold up the very update that may mend it. So is what is forbidden in a
namespace that is not ours any more and has jobs left. Where it can serve no namespace at all, or cannot lead, it is not
ready, which is what alarms go by.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bgjobs_core.health.findings import Finding, FindingCode
from bgjobs_operator.health.permissions import Rights

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bgjobs_operator.loops.loop import Loop

STUCK_SECONDS: Final = 60.0


def stuck(loops: Iterable[Loop], now: float) -> list[str]:
    """Names of the loops that have not turned for too long; `now` by `time.monotonic`."""
    return [loop.name for loop in loops if now - loop.turned_at > loop.period + STUCK_SECONDS]


@dataclass
class Health:
    """What the endpoints answer from, and what is told in Redis.

    Attributes:
        epoch: of the leader; "" for one who waits.
        since: when that began, in Unix seconds.
        problems: of the process, by what it waits for.
        loops: those of the leader.
        blind: why a namespace's KubeJobs cannot be watched, by namespace.
        rights: what Kubernetes allows.
        news: set when something has changed that should be told at once.
    """

    epoch: str = ""
    since: float = field(default_factory=time.time)
    problems: dict[str, str] = field(default_factory=dict[str, str])
    loops: list[Loop] = field(default_factory=list["Loop"])
    blind: dict[str, str] = field(default_factory=dict[str, str])
    rights: Rights = field(default_factory=Rights)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def leading(self) -> bool:
        """Whether this is the leader."""
        return bool(self.epoch)

    def begin(self, epoch: str, loops: list[Loop]) -> None:
        """It leads from now on."""
        self.epoch, self.loops, self.since = epoch, loops, time.time()
        self.news.set()

    def end(self) -> None:
        """It leads no more."""
        self.epoch, self.blind, self.since = "", {}, time.time()

    def watched(self, namespace: str, trouble: str) -> None:
        """A namespace can be watched (""), or not, and why."""
        if trouble:
            self.blind[namespace] = trouble
        else:
            self.blind.pop(namespace, None)

    def waits_for(self, what: str, trouble: str) -> None:
        """Nothing goes on without it; "" when it is there."""
        if trouble:
            self.problems[what] = trouble
        else:
            self.problems.pop(what, None)

    def live(self, now: float) -> tuple[int, dict[str, object]]:
        """Status code and body."""
        names = stuck(self.loops, now) if self.leading else []
        return (500 if names else 200), {"leading": self.leading, "stuck": names}

    def ready(self) -> tuple[int, dict[str, object]]:
        """Status code and body: a replica that stands by is ready to."""
        problems, warnings = dict(self.problems), [one.detail for one in self.rights.findings()]
        bearable = self.rights.suffice_somewhere and bool(self.rights.needed)
        if self.leading:
            for loop in self.loops:
                if loop.failing and loop.forbidden and bearable:
                    warnings.append(f"{loop.name}: {loop.failing}")
                elif loop.failing:
                    problems[loop.name] = loop.failing
            warnings += [f"KubeJobs of {namespace} are not watched: {why}" for namespace, why in self.blind.items()]
        if not self.rights.suffice_somewhere:
            problems["permissions"] = warnings.pop(0)
        body: dict[str, object] = {"leading": self.leading, "problems": problems, "warnings": warnings}
        return (503 if problems else 200), body

    def findings(self, look: str) -> tuple[Finding, ...]:
        """What is told in Redis; `look` is what to do where nothing better is known."""
        found = self.rights.findings()
        known = bool(found)  # the permission is said; that loops and watches need it says nothing more
        said = [f"{what}: {why}" for what, why in self.problems.items()]
        if self.leading:
            said += [
                f"{loop.name}: {loop.failing}" for loop in self.loops if loop.failing and not (known and loop.forbidden)
            ]
            said += [
                f"KubeJobs of {namespace} are not watched: {why}" for namespace, why in self.blind.items() if not known
            ]
        return (
            *found,
            *(Finding(FindingCode.OPERATOR_FAILS, f"the operator is in trouble: {one}", look) for one in said),
        )
