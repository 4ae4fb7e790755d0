"""The logs of attempts, and who follows them at the moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

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
        await self._ask("SET", keys.watched(job_id), 1, "EX", 15)

    async def is_watched(self, job_id: str) -> bool:
        """Whether somebody has followed the log of this job within the last 15 s."""
        return bool(await self._ask("EXISTS", keys.watched(job_id)))
