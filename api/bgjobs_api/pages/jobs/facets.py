"""The numbers beside the list: how many jobs each other filter would show. Each follows the rest of the choice."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bgjobs.vocabulary import State
from bgjobs_api.pages.shared import states, words
from bgjobs_core.store import keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgjobs_api.pages.jobs.filters import Choice
    from bgjobs_core.store.store import Store


@dataclass(frozen=True)
class Facet:
    """A link to the list with one filter set.

    Attributes:
        count: of the jobs behind it; "" where nobody counted.
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
        total: all jobs of the namespaces, with the chosen queue.
        groups: states, under their headings.
        queues: by name.
        matching: how many jobs the choice has; None where nobody counted.
    """

    total: Facet
    groups: tuple[tuple[str, tuple[Facet, ...]], ...]
    queues: tuple[Facet, ...]
    matching: int | None


class Counter:
    """Counts jobs of some namespaces, by at most two indexes each."""

    def __init__(self, store: Store, namespaces: Sequence[str]) -> None:
        self._store = store
        self._namespaces = namespaces

    async def jobs(self, state: State | None, queue: str | None) -> int:
        """How many jobs have this state and queue (None: any); the count is exact up to `words.MOST_COUNTED`."""
        limit = words.MOST_COUNTED + 1
        counts = await asyncio.gather(
            *(self._store.count(_indexes(one, state, queue), limit) for one in self._namespaces)
        )
        return min(sum(counts), limit)


def _indexes(namespace: str, state: State | None, queue: str | None) -> list[str]:
    found = [] if state is None else [keys.by_state(namespace, state)]
    if queue is not None:
        found.append(keys.by_queue(f"{namespace}/{queue}"))
    return found or [keys.by_namespace(namespace)]


async def read(store: Store, namespaces: Sequence[str], queues: Sequence[str], chosen: Choice) -> Facets:
    """Count the jobs behind every filter beside the list.

    Args:
        store: with the indexes.
        namespaces: those that are listed.
        queues: names of queues to show.
        chosen: the filters in force.
    """
    counter = Counter(store, namespaces)
    # No index knows a class: with one chosen any number here would be a wrong one.
    counted = chosen.cls is None
    by_state = await _counts(counter, [(None, chosen.queue), *((one, chosen.queue) for one in State)], counted)
    by_queue = await _counts(counter, [(chosen.record_state, one) for one in queues], counted and chosen.phase is None)
    return Facets(
        total=Facet("All jobs", replace(chosen, state=None).url, _text(by_state[0]), chosen.state is None),
        groups=_groups(chosen, dict(zip(State, by_state[1:], strict=True))),
        queues=tuple(
            Facet(
                name,
                replace(chosen, queue=None if name == chosen.queue else name).url,
                _text(one),
                name == chosen.queue,
            )
            for name, one in zip(queues, by_queue, strict=True)
        ),
        matching=_matching(chosen, by_state),
    )


def _groups(chosen: Choice, counts: dict[State, int | None]) -> tuple[tuple[str, tuple[Facet, ...]], ...]:
    def facet(name: str, count: int | None, *, part: bool = False) -> Facet:
        shown = states.named(name)
        return Facet(shown.word, replace(chosen, state=name).url, _text(count), chosen.state == name, shown, part)

    groups: list[tuple[str, tuple[Facet, ...]]] = []
    for heading, members in states.GROUPS:
        found: list[Facet] = []
        for one in members:
            found.append(facet(one, counts[one]))
            if one == State.LAUNCHED:
                found += [facet(phase, None, part=True) for phase in states.PHASES]
        groups.append((heading, tuple(found)))
    return tuple(groups)


async def _counts(counter: Counter, asked: Sequence[tuple[State | None, str | None]], wanted: bool) -> list[int | None]:
    if not wanted:
        return [None] * len(asked)
    return list(await asyncio.gather(*(counter.jobs(*one) for one in asked)))


def _matching(chosen: Choice, by_state: Sequence[int | None]) -> int | None:
    if chosen.phase is not None:
        return None
    return by_state[0] if chosen.record_state is None else by_state[1 + list(State).index(chosen.record_state)]


def _text(number: int | None) -> str:
    return "" if number is None else words.count(number)
