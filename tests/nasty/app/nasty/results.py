"""Job code that does its work, prints that it did, and returns something odd."""

from __future__ import annotations

import datetime
import enum
import inspect
import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine, Generator


class Color(enum.IntEnum):
    RED = 1


class Unreadable(dict[str, int]):
    """As a dict that another thread changes while it is read."""

    def items(self) -> Any:
        raise RuntimeError("dictionary changed size during iteration")


class Proxy:
    """As a proxy of a web framework, outside of a request."""

    @property  # type: ignore[misc]
    def __class__(self) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        raise RuntimeError("there is no request")


class NamelessKey:
    def __repr__(self) -> str:
        raise RuntimeError("no words")


class Returns:
    def a_date(self) -> Any:
        print("charged")
        return {"when": datetime.date(2026, 11, 28)}

    def a_decimal(self) -> Any:
        print("charged")
        return [1, Decimal("1.5")]

    def a_set(self) -> Any:
        print("charged")
        return {"all": {1}}

    def nan(self) -> Any:
        print("charged")
        return float("nan")

    def too_much(self) -> Any:
        print("charged")
        return "x" * 300 * 1024

    def bytes_of_it(self) -> Any:
        print("charged")
        return b"x"

    def a_large_number(self) -> Any:
        print("charged")
        return 2**70

    def a_key_that_is_no_text(self) -> Any:
        print("charged")
        return {1: 2}

    def a_key_that_is_too_long(self) -> Any:
        """Python does not turn a number of so many digits into text."""
        print("charged")
        return {10**5000: 1}

    def a_key_that_cannot_be_shown(self) -> Any:
        print("charged")
        return {NamelessKey(): 1}

    def half_a_letter(self) -> Any:
        print("charged")
        return ["\udc80"]

    def itself(self) -> Any:
        print("charged")
        found: list[Any] = []
        found.append(found)
        return found

    def what_cannot_be_read(self) -> Any:
        print("charged")
        return Unreadable(one=1)

    def a_proxy_of_nothing(self) -> Any:
        print("charged")
        return Proxy()

    def a_coroutine_function(self) -> Any:
        print("charged")
        return self._later

    def a_coroutine(self) -> Coroutine[Any, Any, str]:
        """Though it is no async method itself."""
        print("charged")
        return self._later()

    async def _later(self) -> str:
        return "later"

    def a_generator(self) -> Generator[int]:
        yield 1

    async def an_async_generator(self) -> AsyncGenerator[int]:
        yield 1

    def a_tuple_and_an_enum(self) -> Any:
        return (1, Color.RED)

    def many_levels_with_little_room(self) -> Any:
        found: list[Any] = []
        for _ in range(40):
            found = [found]
        sys.setrecursionlimit(len(inspect.stack()) + 15)
        return found
