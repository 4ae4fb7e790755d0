"""Turns: each of many may do so many things at once, and waits for itself alone."""

from __future__ import annotations

import asyncio
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

_Who = TypeVar("_Who")


class Turns(Generic[_Who]):
    """Semaphores, one for each who has something under way.

    Args:
        most: how many things at once.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: WeakValueDictionary[_Who, asyncio.Semaphore] = WeakValueDictionary()

    def __len__(self) -> int:
        """How many have something under way."""
        return len(self._held)

    def of(self, who: _Who) -> asyncio.Semaphore:
        """What `who` holds while it does one thing; it is gone when nobody holds it or waits for it."""
        found = self._held.get(who)
        if found is None:
            found = self._held[who] = asyncio.Semaphore(self._most)
        return found
