"""Figures of queues, many at a time: settings, slots in use, and how many jobs have ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import structlog

from bgjobs.vocabulary import State
from bgjobs_core.jobs.queue import QueueRecord
from bgjobs_core.store import keys
from bgjobs_core.store.connected import UNREADABLE, Connected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

_PAGE: Final = 100  # queues that are asked for together

log: Any = structlog.get_logger(__name__)


@dataclass(frozen=True)
class QueueFigures:
    """A queue and what it has done.

    Attributes:
        record: its settings.
        owned: how many of its jobs hold a slot.
        ended: how many of its jobs have ended since it was made, by the state in which and the outcome with which they
            did; the outcome is "" for a state that has only one.
    """

    record: QueueRecord
    owned: int
    ended: dict[tuple[State, str], int]


class Figures(Connected):
    """The part of the store that reads figures."""

    async def queue_figures(self, names: Sequence[str]) -> AsyncIterator[QueueFigures]:
        """Those of some queues (`namespace/name`), without what is gone or cannot be read."""
        for first in range(0, len(names), _PAGE):
            page = names[first : first + _PAGE]
            commands: list[tuple[object, ...]] = []
            for one in page:
                commands += [("HGETALL", keys.queue(one)), ("ZCARD", keys.owned(one)), ("HGETALL", keys.endings(one))]
            found = await self._ask_each(commands)
            for name, at in zip(page, range(0, len(found), 3), strict=True):
                figures = _read(name, found[at : at + 3])
                if figures is not None:
                    yield figures


def _read(name: str, found: Sequence[object]) -> QueueFigures | None:
    if UNREADABLE in found:
        log.warning("a queue cannot be read, and is left out", queue=name, error="a key of it holds something else")
        return None
    settings, owned, endings = cast("tuple[dict[bytes, bytes], int, dict[bytes, bytes]]", found)
    if not settings:
        return None
    try:
        return QueueFigures(
            QueueRecord.read(name, settings),
            owned,
            {_standing(standing.decode()): int(count) for standing, count in endings.items()},
        )
    except (KeyError, ValueError, TypeError) as error:
        log.warning("a queue cannot be read, and is left out", queue=name, error=repr(error))
        return None


def _standing(text: str) -> tuple[State, str]:
    state, _, outcome = text.partition("/")
    return State(state), outcome
