"""How many jobs do not run, by why: counted by cells; of jobs that wait for their pods some records are read."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bgjobs.vocabulary import Phase, State
from bgjobs_core.jobs import waiting_codes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from bgjobs_core.store.cells import Cell
    from bgjobs_core.store.figures import QueueFigures
    from bgjobs_core.store.store import Store

MOST_READ: Final = 1000  # records in one scrape
_READ_AT_ONCE: Final = 100

Waiting = Counter[tuple[str, str, str]]  # by namespace, queue and code


@dataclass
class Count:
    """Counts the jobs of all cells that do not run.

    Attributes:
        queues: figures of those that can be read, by their full names.
        known: full names of all queues that there are.
        held: whether nothing is launched from any queue.
        troubled: namespaces that are in trouble.
        waiting: what was counted.
        now_ms: the present, in Unix ms; queues may have other limits for a time.
        to_read: cells whose jobs' records tell more, each with its namespace and how many jobs it holds.
    """

    queues: Mapping[str, QueueFigures]
    known: Collection[str]
    held: bool
    troubled: Collection[str]
    now_ms: int = 0
    waiting: Waiting = field(default_factory=Waiting)
    to_read: list[tuple[str, Cell, int]] = field(default_factory=list[tuple[str, "Cell", int]])

    def add(self, namespace: str, cell: Cell, size: int) -> None:
        """Count the jobs of one cell."""
        troubled = namespace in self.troubled
        match cell.state:
            case State.QUEUED:
                name = f"{namespace}/{cell.queue}"
                figures = self.queues.get(name)
                if figures is None and name in self.known:  # it cannot be read
                    return
                record, owned = (None, 0) if figures is None else (figures.record, figures.owned)
                code = waiting_codes.of_queue(record, owned, self.now_ms, held=self.held, troubled=troubled)
            case State.LAUNCHING:
                code = waiting_codes.of_launching(held=self.held, troubled=troubled)
            case State.LAUNCHED:
                phase = Phase(cell.detail or Phase.PENDING)
                code = waiting_codes.OF_PHASES.get(phase)
                if phase in waiting_codes.READ:
                    self.to_read.append((namespace, cell, size))
            case _:
                code = waiting_codes.OF_STATES.get(cell.state)
        if code is not None:
            self.waiting[namespace, cell.queue, code] += size

    async def read(self, store: Store, most: int = MOST_READ) -> Waiting:
        """Look at the records of some jobs that wait for their pods, those that have waited longest in each cell.

        Of more than `most` such jobs the others stay counted by their phase. No cell takes the place of another.
        """
        shares = list(share(self.to_read, most))
        found = await store.oldest_of([(cell.name, count) for _, cell, count in shares])
        for (namespace, cell, _), ids in zip(shares, found, strict=True):
            by_phase = waiting_codes.OF_PHASES[Phase(cell.detail or Phase.PENDING)]
            for first in range(0, len(ids), _READ_AT_ONCE):
                for record in await store.jobs(ids[first : first + _READ_AT_ONCE]):
                    code = waiting_codes.of_launched(record)
                    if code is not None and code != by_phase:
                        self.waiting[namespace, cell.queue, by_phase] -= 1
                        self.waiting[namespace, cell.queue, code] += 1
        return Waiting({labels: count for labels, count in self.waiting.items() if count > 0})


def share(cells: Iterable[tuple[str, Cell, int]], most: int) -> Iterable[tuple[str, Cell, int]]:
    """Of each cell how many jobs are read: all of a small one, and what is left is shared by the others alike."""
    left, ordered = most, sorted(cells, key=lambda one: one[2])
    for place, (namespace, cell, size) in enumerate(ordered):
        count = min(size, left // (len(ordered) - place))
        if count:
            left -= count
            yield namespace, cell, count
