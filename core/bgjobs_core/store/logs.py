"""The logs and stacks of attempts, and who looks at them at the moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from bgjobs_core.jobs.stack import StackRecord
from bgjobs_core.store import keys
from bgjobs_core.store.connected import Connected

if TYPE_CHECKING:
    from collections.abc import Sequence


class Logs(Connected):
    """The part of the store that gives logs out; `Running.beat` brings them in."""

    async def log_chunks(self, job_id: str, attempt: int) -> list[bytes]:
        """The stored chunks of an attempt's log, in their order; `bgjobs_core.jobs.logs` says what is in them.

        What comes between the two reads does no harm, because the tail is read first. A chunk goes into the head only
        while there is no tail, so what the head has got meanwhile joins what was read. The other way round, a chunk
        could be missed in the head while the one after it is found in the tail, and who follows the log would go on
        behind both. (A transaction would do as well, but a full Redis takes none.)
        """
        tail, head = await self._ask_all(
            [("LRANGE", name(job_id, attempt), 0, -1) for name in (keys.log_tail, keys.log_head)]
        )
        return [*cast("Sequence[bytes]", head), *cast("Sequence[bytes]", tail)]

    async def watch_log(self, job_id: str) -> None:
        """Note that somebody follows the log of this job, so that its runner reports more often for 15 s."""
        await self._ask("SET", keys.watched(job_id), 1, "EX", keys.WATCHED_SECONDS)

    async def is_watched(self, job_id: str) -> bool:
        """Whether somebody has followed the log of this job, or waited for its stacks, within the last 15 s."""
        return bool(await self._ask("EXISTS", keys.watched(job_id)))

    async def stack_wish(self, job_id: str) -> int | None:
        """The number of the wish for the stacks of a job that is open; None if there is none."""
        found = await self._ask("HMGET", keys.stack(job_id), "number", "taken_at")
        number, taken_at = cast("Sequence[bytes | None]", found)
        return None if number is None or taken_at is not None else int(number)

    async def stack(self, job_id: str) -> StackRecord | None:
        """The latest wish for the stacks of a job, and what it has brought; None if nobody has had one for an hour."""
        fields = await self._hash(keys.stack(job_id))
        if not fields:
            return None
        found = StackRecord.read(fields)
        is_over = found.taken_at is None and await self._is_over(job_id, found.attempt)
        return found._replace(is_over=is_over)

    async def _is_over(self, job_id: str, attempt: int) -> bool:
        latest, ended_at = await self._ask_all(
            [("HGET", keys.job(job_id), "attempt"), ("HGET", keys.attempt(job_id, attempt), "ended_at")]
        )
        return latest is None or int(cast("bytes", latest)) != attempt or ended_at is not None
