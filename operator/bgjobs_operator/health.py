"""Whether the operator is well.

Liveness fails only when a loop has not turned, well or badly, for a minute: Redis or Kubernetes being
away is a matter of readiness, and a restart would not bring them back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bgjobs_operator.loop import Loop

STUCK_SECONDS: Final = 60.0


def stuck(loops: Iterable[Loop], now: float) -> list[str]:
    """Names of the loops that have not turned for too long; `now` by `time.monotonic`."""
    return [loop.name for loop in loops if now - loop.turned_at > loop.period + STUCK_SECONDS]


@dataclass
class Health:
    """What the endpoints answer from."""

    leading: bool = False
    problems: dict[str, str] = field(default_factory=dict[str, str])
    loops: list[Loop] = field(default_factory=list["Loop"])

    def live(self, now: float) -> tuple[int, dict[str, object]]:
        """Status code and body."""
        names = stuck(self.loops, now) if self.leading else []
        return (500 if names else 200), {"leading": self.leading, "stuck": names}

    def ready(self) -> tuple[int, dict[str, object]]:
        """Status code and body: a replica that stands by is ready to."""
        failing = {loop.name: loop.failing for loop in self.loops if loop.failing} if self.leading else {}
        problems = {**self.problems, **failing}
        return (503 if problems else 200), {"leading": self.leading, "problems": problems}
