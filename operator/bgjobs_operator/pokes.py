"""Pokes: which custom resources are to be looked at. Everything that happens to one only says so here."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bgjobs_core.resources.models import QUEUES

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from collections.abc import Set as AbstractSet


@dataclass(frozen=True, order=True, slots=True)
class Poke:
    """Look at this object; its UID as it was when something happened to it."""

    plural: str
    namespace: str
    name: str
    uid: str


_Waiting = OrderedDict[Poke, None]


@dataclass
class Pokes:
    """Keyed lines, two for each namespace: an object that is poked many times is looked at once, queues first.

    It is bounded by the objects there are. A replica that does not lead keeps nothing: whoever begins to lead looks at
    everything.

    Attributes:
        ring: called for each poke that is kept.
        kept: whether pokes are kept.
    """

    ring: Callable[[], None]
    kept: bool = True
    _queues: dict[str, _Waiting] = field(default_factory=dict[str, _Waiting])
    _requests: dict[str, _Waiting] = field(default_factory=dict[str, _Waiting])
    _notes: defaultdict[str, list[set[Poke]]] = field(default_factory=lambda: defaultdict(list))

    def begin(self) -> None:
        """We lead: keep what is poked from now on."""
        self.kept = True

    def end(self) -> None:
        """We do not lead any more: whoever does looks at everything."""
        self.kept = False
        self._queues.clear()
        self._requests.clear()

    def add(self, poke: Poke) -> None:
        """Look at it soon."""
        if self.kept:
            for notes in self._notes.get(poke.namespace, ()):
                notes.add(poke)
            lines = self._queues if poke.plural == QUEUES else self._requests
            lines.setdefault(poke.namespace, OrderedDict())[poke] = None
            self.ring()

    @contextmanager
    def noting(self, namespace: str) -> Generator[AbstractSet[Poke]]:
        """What is poked in a namespace during the block, whether somebody has taken it by then or not."""
        notes = set[Poke]()
        self._notes[namespace].append(notes)
        try:
            yield notes
        finally:
            self._notes[namespace] = [one for one in self._notes[namespace] if one is not notes]
            if not self._notes[namespace]:
                del self._notes[namespace]

    def drop(self, poke: Poke) -> None:
        """Nobody need look at this request any more."""
        waiting = self._requests.get(poke.namespace)
        if waiting is not None and poke in waiting:
            del waiting[poke]
            if not waiting:
                del self._requests[poke.namespace]

    def has_queues(self, namespace: str) -> bool:
        """Whether a queue of a namespace waits."""
        return namespace in self._queues

    def namespaces(self) -> list[str]:
        """Where something waits."""
        return [*dict.fromkeys([*self._queues, *self._requests])]

    def take(self) -> Poke | None:
        """One of all; queues first."""
        for lines, queue in ((self._queues, True), (self._requests, False)):
            if lines:
                return self.take_of(next(iter(lines)), queue=queue)
        return None

    def take_of(self, namespace: str, *, queue: bool) -> Poke | None:
        """The queue, or the request, that waits longest in a namespace."""
        lines = self._queues if queue else self._requests
        waiting = lines.get(namespace)
        if waiting is None:
            return None
        poke, _ = waiting.popitem(last=False)
        if not waiting:
            del lines[namespace]
        return poke
