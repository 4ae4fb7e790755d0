"""Pokes: which custom resources are to be looked at. Everything that happens to one only says so here."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bgjobs_core.resources.models import QUEUES

if TYPE_CHECKING:
    from collections.abc import Callable


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
            lines = self._queues if poke.plural == QUEUES else self._requests
            lines.setdefault(poke.namespace, OrderedDict())[poke] = None
            self.ring()

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
