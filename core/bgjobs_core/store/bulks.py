"""Reads of bulks, and of the jobs of a cell in the order in which a bulk goes through them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import structlog

from bgjobs_core.jobs.bulk import BulkRecord
from bgjobs_core.store import keys
from bgjobs_core.store.cells import scored
from bgjobs_core.store.connected import UNREADABLE, Connected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgjobs_core.store.cells import Row

log: Any = structlog.get_logger(__name__)


class Bulks(Connected):
    """The part of the store that reads bulks."""

    async def bulk(self, bulk_id: str) -> BulkRecord | None:
        """A bulk, or None if there is none (any more), or it cannot be read."""
        found = await self.bulks([bulk_id])
        return found[0] if found else None

    async def bulks(self, ids: Sequence[str]) -> list[BulkRecord]:
        """These bulks in the same order, without those that are gone or cannot be read."""
        records: list[BulkRecord] = []
        hashes = await self._ask_each([("HGETALL", keys.bulk(one)) for one in ids])
        for bulk_id, fields in zip(ids, hashes, strict=True):
            if fields is UNREADABLE or not fields:
                continue
            try:
                records.append(BulkRecord.read(bulk_id, cast("dict[bytes, bytes]", fields)))
            except (KeyError, ValueError, TypeError) as error:
                log.warning("a bulk cannot be read, and is left out", bulk=bulk_id, error=repr(error))
        return records

    async def bulk_ids(self, namespace: str, limit: int) -> list[str]:
        """The ids of the bulks of a namespace that are remembered, the latest first."""
        found = await self._ask("ZRANGE", keys.bulks(namespace), 0, limit - 1, "REV")
        return [one.decode() for one in cast("list[bytes]", found)]

    async def open_bulks(self, namespaces: Sequence[str]) -> dict[str, list[str]]:
        """The ids of the bulks that are not over, the oldest first, by the namespaces that have some."""
        found = await self._ask_each([("ZRANGE", keys.bulks_open(one), 0, -1) for one in namespaces])
        return {
            namespace: [one.decode() for one in cast("list[bytes]", ids)]
            for namespace, ids in zip(namespaces, found, strict=True)
            if ids and ids is not UNREADABLE
        }

    async def oldest(self, cell: str, low: int, high: int | None, behind: Row, limit: int) -> list[Row]:
        """Jobs of a cell by the time of their latest change, the oldest first.

        Args:
            cell: its name.
            low: they have changed at this Unix time in ms or later.
            high: they have changed before this one; None: whenever.
            behind: the last row of the page before; `(0, "")` for the first page.
            limit: how many at most.
        """
        top = "+inf" if high is None else f"({high}"
        bottom, passed = max(low, behind[0]), 0
        while True:
            command = ("ZRANGE", keys.cell(cell), bottom, top, "BYSCORE", "LIMIT", passed, limit, "WITHSCORES")
            (found,) = await self._ask_each([command])
            rows = [] if found is UNREADABLE else [(at, one) for one, at in scored(cast("list[object]", found))]
            # Many jobs may have changed in the same millisecond as the last row.
            kept = [row for row in rows if row > behind]
            if kept or len(rows) < limit:
                return kept
            passed += limit
