"""Pokes: which custom resources are to be looked at. Everything that happens to one only says so here."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, order=True)
class Poke:
    """Look at this object; its UID as it was when something happened to it."""

    plural: str
    namespace: str
    name: str
    uid: str


@dataclass(frozen=True)
class Pokes:
    """A keyed queue: an object that is poked many times is looked at once.

    Everything that kopf calls in a replica that does not lead stays here, bounded by the objects there are.
    """

    ring: Callable[[], None]
    _waiting: OrderedDict[Poke, None] = field(default_factory=OrderedDict[Poke, None])

    def add(self, poke: Poke) -> None:
        """Look at it soon."""
        self._waiting[poke] = None
        self.ring()

    def put_back(self, poke: Poke) -> None:
        """Look at it in the next turn, whenever that is: ringing would be a turn without a pause."""
        self._waiting.setdefault(poke)

    def take(self) -> Poke | None:
        """The one that waits longest."""
        return self._waiting.popitem(last=False)[0] if self._waiting else None
