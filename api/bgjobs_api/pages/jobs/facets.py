"""The numbers beside the list: how many jobs each other filter would show. Each follows the rest of the choice.

There are none where a filter is chosen for which jobs must be read: no number is better than a wrong one.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bgjobs.vocabulary import State
from bgjobs_api.pages.shared import states, words

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bgjobs_api.pages.jobs.filters import Choice
    from bgjobs_core.actions.listing import Filter
    from bgjobs_core.jobs.batch import BatchRecord
    from bgjobs_core.store.cells import Cell
    from bgjobs_core.store.store import Store


@dataclass(frozen=True)
class Facet:
    """A link to the list with one filter set.

    Attributes:
        count: of the jobs behind it.
        current: whether it is chosen.
        part: whether it is a part of the one above it.
    """

    word: str
    url: str
    count: str
    current: bool
    state: states.Shown | None = None
    part: bool = False


@dataclass(frozen=True)
class Facets:
    """All of them.

    Attributes:
        total: all jobs of the namespaces, with the chosen queue and class.
        groups: states, under their headings.
        queues: by name.
        matching: how many jobs the choice has; None if that is not known.
    """

    total: Facet
    groups: tuple[tuple[str, tuple[Facet, ...]], ...]
    queues: tuple[Facet, ...]
    matching: int | None


class Counts:
    """How many jobs there are beside a choice of filters: by state with the rest of the choice, and by queue likewise.

    One pass over the cells is enough for all numbers of a page; a namespace may have thousands of them.
    """

    def __init__(self, chosen: Choice) -> None:
        self._chosen = chosen
        self._states = Counter[str]()
        self._queues = Counter[str]()
        self.total = 0
        self.matching = 0

    def add(self, cell: Cell, size: int) -> None:
        """Count the jobs of one cell."""
        if self._chosen.cls not in {None, cell.cls}:
            return
        phase = cell.detail if cell.state is State.LAUNCHED else ""
        if self._chosen.outcome is not None and cell.outcome != self._chosen.outcome:
            return
        is_queue = self._chosen.queue in {None, cell.queue}
        is_state = self._chosen.record_state in {None, cell.state} and self._chosen.phase in {None, phase}
        if is_queue:
            self.total += size
            self._states[cell.state] += size
            if phase:
                self._states[phase] += size
        if is_state:
            self._queues[cell.queue] += size
        if is_queue and is_state:
            self.matching += size

    def of_state(self, name: str) -> int:
        """How many jobs have this state, or this phase of a launched job."""
        return self._states[name]

    def of_queue(self, name: str) -> int:
        """How many jobs are of this queue."""
        return self._queues[name]


async def read(store: Store, looked_for: Filter, queues: Sequence[str], chosen: Choice) -> Facets:
    """Count the jobs behind every filter beside the list.

    Args:
        store: where the jobs are.
        looked_for: which jobs are listed.
        queues: names of queues to show.
        chosen: the filters in force.
    """
    counts, is_known = Counts(chosen), not looked_for.reads_jobs
    for namespace in looked_for.namespaces if is_known else ():
        async for cell, size in store.sizes(namespace, looked_for.since, looked_for.until):
            counts.add(cell, size)

    def count(number: int) -> str:
        return words.count(number) if is_known else ""

    return Facets(
        total=Facet("All jobs", replace(chosen, state=None).url, count(counts.total), chosen.state is None),
        groups=_groups(chosen, lambda name: count(counts.of_state(name))),
        queues=tuple(
            Facet(
                name,
                replace(chosen, queue=None if name == chosen.queue else name).url,
                count(counts.of_queue(name)),
                name == chosen.queue,
            )
            for name in queues
        ),
        matching=counts.matching if is_known else None,
    )


def of_batch(batch: BatchRecord, chosen: Choice) -> Facets:
    """The numbers beside the jobs of a batch: those of the whole batch, also of jobs that are not kept any more."""

    def count(name: str) -> str:
        return words.count(batch.counts[State(name)]) if name in {*State} else ""

    total = Facet("All jobs", replace(chosen, state=None).url, words.count(batch.jobs), chosen.state is None)
    return Facets(total, _groups(chosen, count), (), None)


def _groups(chosen: Choice, of_state: Callable[[str], str]) -> tuple[tuple[str, tuple[Facet, ...]], ...]:
    def facet(name: str, *, part: bool = False) -> Facet:
        shown = states.named(name)
        return Facet(shown.word, replace(chosen, state=name).url, of_state(name), chosen.state == name, shown, part)

    groups: list[tuple[str, tuple[Facet, ...]]] = []
    for heading, members in states.GROUPS:
        found: list[Facet] = []
        for one in members:
            found.append(facet(one))
            if one == State.LAUNCHED:
                found += [facet(phase, part=True) for phase in states.PHASES]
        groups.append((heading, tuple(found)))
    return tuple(groups)
