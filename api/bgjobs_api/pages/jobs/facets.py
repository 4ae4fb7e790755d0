"""The numbers beside the list: how many jobs each other filter would show. Each follows the rest of the choice."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bgjobs.vocabulary import State
from bgjobs_api.pages.shared import states, words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgjobs_api.pages.jobs.filters import Choice
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
        matching: how many jobs the choice has.
    """

    total: Facet
    groups: tuple[tuple[str, tuple[Facet, ...]], ...]
    queues: tuple[Facet, ...]
    matching: int


class Counts:
    """How many jobs there are of each kind, from the sizes of cells."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        self._by_kind = Counter[tuple[State, str, str, str]]()
        for one in cells:
            phase = one.detail if one.state is State.LAUNCHED else ""
            self._by_kind[one.state, phase, one.queue, one.cls] += one.size

    def jobs(self, chosen: Choice) -> int:
        """How many jobs these filters mean."""
        wanted = (chosen.record_state, chosen.phase, chosen.queue, chosen.cls)
        return sum(
            size
            for kind, size in self._by_kind.items()
            if all(one is None or one == found for one, found in zip(wanted, kind, strict=True))
        )


async def read(store: Store, namespaces: Sequence[str], queues: Sequence[str], chosen: Choice) -> Facets:
    """Count the jobs behind every filter beside the list.

    Args:
        store: where the jobs are.
        namespaces: those that are listed.
        queues: names of queues to show.
        chosen: the filters in force.
    """
    counts = Counts([cell for namespace in namespaces async for cell in store.cells(namespace)])

    def facet(word: str, choice: Choice, *, current: bool) -> Facet:
        return Facet(word, choice.url, words.count(counts.jobs(choice)), current)

    return Facets(
        total=facet("All jobs", replace(chosen, state=None), current=chosen.state is None),
        groups=_groups(chosen, counts),
        queues=tuple(
            replace(
                facet(name, replace(chosen, queue=name), current=name == chosen.queue),
                url=replace(chosen, queue=None if name == chosen.queue else name).url,
            )
            for name in queues
        ),
        matching=counts.jobs(chosen),
    )


def _groups(chosen: Choice, counts: Counts) -> tuple[tuple[str, tuple[Facet, ...]], ...]:
    def facet(name: str, *, part: bool = False) -> Facet:
        shown, choice = states.named(name), replace(chosen, state=name)
        return Facet(shown.word, choice.url, words.count(counts.jobs(choice)), chosen.state == name, shown, part)

    groups: list[tuple[str, tuple[Facet, ...]]] = []
    for heading, members in states.GROUPS:
        found: list[Facet] = []
        for one in members:
            found.append(facet(one))
            if one == State.LAUNCHED:
                found += [facet(phase, part=True) for phase in states.PHASES]
        groups.append((heading, tuple(found)))
    return tuple(groups)
