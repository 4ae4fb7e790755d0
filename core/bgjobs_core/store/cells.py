"""Cells: which jobs there are of each kind, and which changed last."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import structlog

from bgjobs.vocabulary import TERMINAL, State
from bgjobs_core.store import keys
from bgjobs_core.store.connected import UNREADABLE
from bgjobs_core.store.verbs import Verbs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

_PAGE: Final = 200  # cells a script
MAX_CELLS: Final = 32  # cells a script that looks for their newest rows

log: Any = structlog.get_logger(__name__)

Row = tuple[int, str]  # changed_at in ms, id


class Cell(NamedTuple):
    """The jobs of one queue, standing and class.

    Attributes:
        name: in the store.
        queue: name of the queue, without the namespace.
        state: of its jobs.
        detail: their priority, phase or outcome, where the life cycle divides the state by it; else "".
        cls: their class.
        changed_at: when a job was last put into it or changed in it, in Unix ms.
    """

    name: str
    queue: str
    state: State
    detail: str
    cls: str
    changed_at: int

    @property
    def outcome(self) -> str:
        """Why its jobs ended; "" if they have not."""
        if self.state is State.FAILED:
            return self.detail
        return self.state.value if self.state in TERMINAL else ""  # as the outcome is called, too

    @classmethod
    def read(cls, name: str, changed_at: int) -> Cell:
        """A cell by its name, such as `shop/default:failed/error:shop.jobs.Mail`."""
        queue, standing, class_name = name.split(":")
        state, detail = _standing(standing)
        return cls(name, queue.partition("/")[2], state, detail, class_name, changed_at)


@lru_cache(maxsize=256)
def _standing(text: str) -> tuple[State, str]:
    """State and detail; a page of counts reads thousands of these, and there are few different ones."""
    state, _, detail = text.partition("/")
    return State(state), detail


def _read(name: str, changed_at: int) -> Cell | None:
    """A cell; None for a name that none of our versions has given: it must not hide the other cells."""
    try:
        return Cell.read(name, changed_at)
    except ValueError as error:
        log.warning("a cell cannot be read, and is left out", cell=name, error=str(error))
        return None


class Cells(Verbs):
    """The part of the store that knows which jobs there are."""

    async def cells(self, namespace: str) -> AsyncIterator[Cell]:
        """All cells of a namespace that hold jobs, those that changed last first.

        They are read in pages: one that changes meanwhile may come twice or be missed.
        """
        first = 0
        while True:
            found = await self._ask("ZRANGE", keys.cells(namespace), first, first + _PAGE - 1, "REV", "WITHSCORES")
            page = scored(cast("list[object]", found))
            for name, changed_at in page:
                if (cell := _read(name, changed_at)) is not None:
                    yield cell
            first += _PAGE
            if len(page) < _PAGE:
                return

    async def sizes(
        self, namespace: str, since: int | None = None, till: int | None = None
    ) -> AsyncIterator[tuple[Cell, int]]:
        """All cells of a namespace that hold jobs, as `cells`, and how many jobs are in each.

        Args:
            namespace: of the jobs.
            since: only those count that changed at this Unix time in ms or later.
            till: only those count that changed before this Unix time in ms.
        """
        first = 0
        while True:
            page = await self._tally(namespace=namespace, first=first, limit=_PAGE, since=since, till=till)
            for name, changed, size in zip(page.names, page.changed, page.sizes, strict=True):
                if (cell := _read(name, int(changed))) is not None:
                    yield cell, int(size)
            first += _PAGE
            if len(page.names) < _PAGE:
                return

    async def newest(self, cells: Sequence[str], limit: int, before: Row | None = None, since: int = 0) -> list[Row]:
        """The jobs of some cells that changed last, the latest first.

        Args:
            cells: names of at most `MAX_CELLS` cells.
            limit: at most so many rows.
            before: the last row of the page before; None for the first page.
            since: changes before this Unix time in ms are left out.
        """
        at, job_id = before or (None, "")
        reply = await self._newest(limit=limit, before=at, before_id=job_id, since=since, cells=cells)
        return list(zip(map(int, reply.changed), reply.ids, strict=True))

    async def oldest_of(self, cells: Sequence[tuple[str, int]]) -> list[list[str]]:
        """Ids of the jobs of each cell whose latest change is longest ago.

        Args:
            cells: the name of each, and how many of its jobs at most.
        """
        found = await self._ask_each([("ZRANGE", keys.cell(name), 0, count - 1) for name, count in cells])
        return [[] if ids is UNREADABLE else [one.decode() for one in cast("list[bytes]", ids)] for ids in found]


def scored(found: list[object]) -> list[tuple[str, int]]:
    """Members with their scores, in the order in which Redis gives them: RESP3 gives pairs, RESP2 a flat list."""
    flat = found
    if found and isinstance(found[0], list):
        flat = [part for pair in cast("list[list[object]]", found) for part in pair]
    members, scores = cast("list[bytes]", flat[::2]), cast("list[bytes | float]", flat[1::2])
    return [(member.decode(), int(float(score))) for member, score in zip(members, scores, strict=True)]
