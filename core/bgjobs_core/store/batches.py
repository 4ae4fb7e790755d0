"""Reads of batches, and of the jobs that are in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import structlog

from bgjobs_core.jobs.batch import BatchRecord
from bgjobs_core.store import keys
from bgjobs_core.store.cells import scored
from bgjobs_core.store.connected import UNREADABLE
from bgjobs_core.store.reading import Reading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgjobs_core.jobs.record import JobRecord
    from bgjobs_core.store.cells import Row

_AT_ONE_TIME: Final = 1000  # batches of one millisecond among which a page can begin
PAGE_BYTES: Final = 1024 * 1024  # of results in one page, unless the first is larger

log: Any = structlog.get_logger(__name__)


class ResultPage(NamedTuple):
    """Some jobs of a batch with what they returned.

    Attributes:
        jobs: each with its result, as JSON; empty if it returned nothing, or has not succeeded.
        next_after: the id behind which the next page begins; None at the end.
    """

    jobs: list[tuple[JobRecord, bytes]]
    next_after: str | None


class Batches(Reading):
    """The part of the store that reads batches."""

    async def batch(self, batch_id: str) -> BatchRecord | None:
        """A batch, or None if there is no such batch (any more)."""
        return (await self.batches([batch_id])).get(batch_id)

    async def batches(self, ids: Sequence[str]) -> dict[str, BatchRecord]:
        """Those of these batches that are there, by their ids."""
        found: dict[str, BatchRecord] = {}
        hashes = await self._ask_each([("HGETALL", keys.batch(one)) for one in ids])
        for batch_id, fields in zip(ids, hashes, strict=True):
            if fields is UNREADABLE or not fields:
                continue
            try:
                found[batch_id] = BatchRecord.read(batch_id, cast("dict[bytes, bytes]", fields))
            except (KeyError, ValueError) as error:
                log.warning("a batch cannot be read, and is left out", batch=batch_id, error=repr(error))
        return found

    async def newest_batches(self, namespaces: Sequence[str], limit: int, before: Row | None = None) -> list[Row]:
        """Times of the first jobs, in Unix ms, and ids of the newest batches of some namespaces, the newest first.

        Args:
            namespaces: of the batches.
            limit: at most so many rows.
            before: the last row of the page before; None for the first page.
        """
        top = "+inf" if before is None else f"({before[0]}"
        commands: list[tuple[object, ...]] = []
        for one in namespaces:
            name = keys.batches(one)
            commands.append(("ZRANGE", name, top, "-inf", "BYSCORE", "REV", "LIMIT", 0, limit, "WITHSCORES"))
            if before is not None:
                at = before[0]
                commands.append(("ZRANGE", name, at, at, "BYSCORE", "REV", "LIMIT", 0, _AT_ONE_TIME, "WITHSCORES"))
        found = [reply for reply in await self._ask_each(commands) if reply is not UNREADABLE]
        rows = {(at, batch_id) for reply in found for batch_id, at in scored(cast("list[object]", reply))}
        return sorted((row for row in rows if before is None or row < before), reverse=True)[:limit]

    async def batch_ids(self, batch_id: str, after: str, limit: int) -> list[str]:
        """Ids of jobs of a batch that are kept, in their order as text, which is that in which a client made them.

        Args:
            batch_id: of the batch.
            after: the id behind which to begin; "" for the first ones.
            limit: how many at most.
        """
        bottom = f"({after}" if after else "-"
        found = await self._ask("ZRANGE", keys.batch_jobs(batch_id), bottom, "+", "BYLEX", "LIMIT", 0, limit)
        return [one.decode() for one in cast("list[bytes]", found)]

    async def batch_results(self, batch_id: str, after: str, limit: int) -> ResultPage:
        """Some jobs of a batch with what they returned: at most `limit`, and `PAGE_BYTES`."""
        ids = await self.batch_ids(batch_id, after, limit + 1)
        lengths = await self._ask_each([("STRLEN", keys.result(one)) for one in ids[:limit]])
        wanted: list[str] = []
        size = 0
        for job_id, length in zip(ids, lengths, strict=False):
            size += 0 if length is UNREADABLE else cast("int", length)
            if wanted and size > PAGE_BYTES:
                break
            wanted.append(job_id)
        records = {one.id: one for one in await self.jobs(wanted)}
        results = await self._ask_each([("GET", keys.result(one)) for one in wanted])
        jobs = [
            (records[job_id], b"" if result is UNREADABLE else cast("bytes | None", result) or b"")
            for job_id, result in zip(wanted, results, strict=True)
            if job_id in records
        ]
        return ResultPage(jobs, wanted[-1] if len(ids) > len(wanted) else None)
