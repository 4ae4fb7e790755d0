"""Reads of the leader's lists of what is to be done, each of which is of one namespace."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from bgjobs.vocabulary import Phase
from bgjobs_core.store import keys
from bgjobs_core.store.connected import UNREADABLE, Connected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence


class WorkLists(Connected):
    """The part of the store that walks the leader's work lists."""

    async def namespaces(self) -> list[str]:
        """The namespaces that have jobs, ended ones included, in the order of their names."""
        found = cast("Iterable[bytes]", await self._ask("SMEMBERS", keys.namespaces()))
        return sorted(name.decode() for name in found)

    async def ids_in(
        self, index: keys.Key, namespace: str, until: int | None = None, limit: int = 1000, start: int = 0
    ) -> list[str]:
        """The ids in one of the leader's work lists of a namespace, the oldest first.

        An id without a job, or whose job cannot be read, is `forget`'s.

        Args:
            index: `keys.due`, `launching`, `launched`, `stopping`, `suspending`, `ended`, `expiring` or `dirty`.
            namespace: of the jobs.
            until: only those with a score (ms) up to this.
            limit: at most so many.
            start: how many to pass over.
        """
        top = "+inf" if until is None else until
        found = await self._ask("ZRANGE", index(namespace), "-inf", top, "BYSCORE", "LIMIT", start, limit)
        return [one.decode() for one in cast("list[bytes]", found)]

    async def is_any_later(self, index: keys.Key, namespace: str, after: int) -> bool:
        """Whether a work list has an id with a score (ms) after this."""
        return cast("int", await self._ask("ZCOUNT", index(namespace), f"({after}", "+inf")) > 0

    async def yet_to_start(self, ids: Sequence[str]) -> list[str]:
        """Those of some jobs whose code has not started, or which wait for their next attempt.

        It reads two fields of each job, and so costs a tenth of reading all of them.
        """
        found = await self._ask_each([("HMGET", keys.job(one), "attempt", "phase") for one in ids])
        return [one for one, fields in zip(ids, found, strict=True) if _is_yet_to_start(fields)]

    async def all_ids_in(self, index: keys.Key, namespace: str) -> AsyncIterator[str]:
        """Every id of a work list, read by pages. A job that moves meanwhile may be missed or come twice."""
        start = 0
        while page := await self.ids_in(index, namespace, start=start):
            for one in page:
                yield one
            start += len(page)

    async def oldest_in(self, index: keys.Key, namespace: str) -> int | None:
        """The lowest score of a work list, a Unix time in ms; None if the list is empty."""
        found = cast("list[object]", await self._ask("ZRANGE", index(namespace), 0, 0, "WITHSCORES"))
        if not found:
            return None
        flat = cast("list[bytes]", found[0]) if isinstance(found[0], list) else cast("list[bytes]", found)
        return int(float(flat[1]))


def _is_yet_to_start(fields: object) -> bool:
    if fields is UNREADABLE:
        return False
    attempt, phase = cast("tuple[bytes | None, bytes | None]", fields)
    return attempt in {None, b"0"} or phase == Phase.RETRYING.encode()
