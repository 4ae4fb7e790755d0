"""The moment by which a call must be over, with all its tries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_STEPS: Final = ("connect", "read", "write", "pool")
# None would mean "for ever".
_LEAST_SECONDS: Final = 0.001


class Deadline:
    """How much time a call has left.

    httpx2 has a limit for each step of a request (to connect, to write, to read), and not for all of them together. So
    each step gets what is left when it begins.

    Args:
        seconds: how long the call may take from now on.
        step_seconds: how long one step may take at most.
        clock: tells the time in seconds.
    """

    def __init__(self, seconds: float, step_seconds: float, clock: Callable[[], float]) -> None:
        self._at = clock() + seconds
        self._step_seconds = step_seconds
        self._clock = clock

    @property
    def is_over(self) -> bool:
        """Whether no time is left."""
        return self._clock() >= self._at

    def extensions(self) -> dict[str, Any]:
        """What to give a request of httpx2, so that each of its steps has what is left when it begins."""
        limits: dict[str, float] = {}

        def at_a_step(*_: object) -> None:
            left = max(self._at - self._clock(), _LEAST_SECONDS)
            limits.update(dict.fromkeys(_STEPS, min(left, self._step_seconds)))

        at_a_step()
        return {"timeout": limits, "trace": at_a_step}
