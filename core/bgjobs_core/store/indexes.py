"""Reads of the indexes: the leader's lists of what is to be done, and the lists of jobs that people look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from bgjobs_core.store.connected import Connected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from bgjobs_core.store import keys


class Indexes(Connected):
    """The part of the store that walks indexes of jobs."""

    async def ids_in(self, index: keys.Key, until: int | None = None, limit: int = 1000, start: int = 0) -> list[str]:
        """The ids in one of the leader's work lists, the oldest first.

        Args:
            index: `keys.launching`, `launched`, `stopping`, `ended`, `expiring` or `dirty`.
            until: only those with a score (ms) up to this.
            limit: at most so many.
            start: how many to pass over.
        """
        top = "+inf" if until is None else until
        found = await self._ask("ZRANGE", index(), "-inf", top, "BYSCORE", "LIMIT", start, limit)
        return [one.decode() for one in cast("list[bytes]", found)]

    async def all_ids_in(self, index: keys.Key) -> AsyncIterator[str]:
        """Every id of a work list, read by pages. A job that moves meanwhile may be missed or come twice."""
        start = 0
        while page := await self.ids_in(index, start=start):
            for one in page:
                yield one
            start += len(page)

    async def oldest_in(self, index: keys.Key) -> int | None:
        """The lowest score of a work list, a Unix time in ms; None if the list is empty."""
        found = cast("list[object]", await self._ask("ZRANGE", index(), 0, 0, "WITHSCORES"))
        if not found:
            return None
        flat = cast("list[bytes]", found[0]) if isinstance(found[0], list) else cast("list[bytes]", found)
        return int(float(flat[1]))

    async def newest(self, index: str, before: tuple[int, str] | None, limit: int) -> list[tuple[int, str]]:
        """A page of an index of jobs by changed_at, the latest first, as (changed_at, id).

        Args:
            index: full name of the key.
            before: the last row of the page before.
            limit: at most so many rows.
        """
        rows: list[tuple[int, str]] = []
        top: str | int = "+inf" if before is None else before[0]
        skip = 0
        while len(rows) < limit:
            found = cast(
                "list[list[bytes]]",
                await self._ask("ZRANGE", index, top, "-inf", "BYSCORE", "REV", "LIMIT", skip, limit + 1, "WITHSCORES"),
            )
            for member, score in _pairs(found):
                row = (int(float(score)), member.decode())
                if before is None or row < before:
                    rows.append(row)
            if len(_pairs(found)) <= limit:
                break
            skip += limit + 1
        return rows[:limit]

    async def index_size(self, index: str) -> int:
        """How many rows an index of jobs has, by the full name of its key."""
        return cast("int", await self._ask("ZCARD", index))

    async def count(self, indexes: Sequence[str], limit: int) -> int:
        """How many jobs are in all of these indexes, but never more than the limit.

        Args:
            indexes: full names of one or two keys. Two are intersected, which looks at the smaller one and stops
                at the limit.
            limit: from here on the count is not exact.
        """
        if len(indexes) == 1:
            return min(await self.index_size(indexes[0]), limit)
        return cast("int", await self._ask("ZINTERCARD", len(indexes), *indexes, "LIMIT", limit))


def _pairs(found: list[list[bytes]]) -> list[tuple[bytes, bytes]]:
    """Members with scores: RESP3 gives pairs, RESP2 a flat list."""
    if found and isinstance(cast("object", found[0]), bytes):
        flat = cast("list[bytes]", found)
        return list(zip(flat[::2], flat[1::2], strict=True))
    return [(pair[0], pair[1]) for pair in found]
