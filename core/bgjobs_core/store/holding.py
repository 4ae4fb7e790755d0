"""What people do with jobs that wait, and what they have done with jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from bgjobs_core.jobs.history import Entry
from bgjobs_core.store import keys
from bgjobs_core.store.deeds import Deeds

if TYPE_CHECKING:
    from collections.abc import Iterable


class Holding(Deeds):
    """The part of the store that holds jobs, and knows their history."""

    async def history(self, job_id: str) -> list[Entry]:
        """What people have done with a job, the first thing first; of more than 50 the latest ones."""
        found = cast("Iterable[bytes]", await self._ask("LRANGE", keys.history(job_id), 0, -1))
        return [Entry.read(line) for line in found]
