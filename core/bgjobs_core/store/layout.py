"""Whether what is in Redis can be read by this version, and how it is dropped if it cannot.

Each script looks at the layout as well (`assembly.py`), so nothing is ever written into a store of another layout.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from bgjobs_core.redis.errors import StoreLayoutError
from bgjobs_core.store import keys
from bgjobs_core.store.connected import Connected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_AT_ONCE: Final = 500
_FIRST: Final = "1"  # a store of this layout has an id and no number


class Layout(Connected):
    """The part of the store that knows which layout is in Redis."""

    async def layout(self) -> str | None:
        """The number of the layout in Redis; None if there is nothing yet, which every version can use."""
        found, store_id = await self._ask_all([("GET", keys.layout()), ("EXISTS", keys.store_id())])
        if found is not None:
            return cast("bytes", found).decode()
        return _FIRST if store_id else None

    async def check(self) -> None:
        """Do nothing if Redis answers, and this version can read what is there.

        Raises:
            StoreLayoutError: another version has written it.
            StoreError: Redis does not answer.
        """
        found = await self.layout()
        if found not in {None, keys.LAYOUT}:
            raise StoreLayoutError(str(found))

    async def empty(self) -> AsyncIterator[int]:
        """Drop everything that any version of bgjobs has in Redis, and give the number of dropped keys again and again.

        Nothing else in Redis is touched. What tells the layout goes last: an emptying that was broken off can go on.
        """
        kept = {keys.layout().encode(), keys.store_id().encode()}
        gone, cursor = 0, 0
        pattern = f"{keys.PREFIX.replace('{', '[{]')}*"
        while True:
            found = await self._ask("SCAN", cursor, "MATCH", pattern, "COUNT", _AT_ONCE)
            next_cursor, names = cast("tuple[int | bytes, list[bytes]]", found)
            dropped = [name for name in names if name not in kept]
            if dropped:
                gone += cast("int", await self._ask("UNLINK", *dropped))
                yield gone
            cursor = int(next_cursor)
            if cursor == 0:
                break
        gone += cast("int", await self._ask("UNLINK", *kept))
        yield gone
