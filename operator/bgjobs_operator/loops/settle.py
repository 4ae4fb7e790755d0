"""settle: the status of requests follows the records, in few writes.

What changes within `COALESCE_SECONDS` is written once; an end is written at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bgjobs.vocabulary import TERMINAL
from bgjobs_core.resources.models import REQUESTS
from bgjobs_core.store import keys
from bgjobs_operator.loops import request_status
from bgjobs_operator.loops.loop import each

if TYPE_CHECKING:
    from collections.abc import Collection

    from bgjobs_core.jobs.record import JobRecord
    from bgjobs_core.store.store import Store
    from bgjobs_operator.interfaces.resources import ResourcesApi

COALESCE_SECONDS: Final = 1.5
BATCH: Final = 500


def ready(job: JobRecord, now: int) -> bool:
    """Whether the status is to be written now; `now` in ms."""
    return job.state in TERMINAL or now - job.changed_at >= COALESCE_SECONDS * 1000


@dataclass
class Settle:
    """The loop that tells requests of their jobs: one turn writes every status that is due."""

    store: Store
    api: ResourcesApi
    namespaces: Collection[str]  # of jobs; elsewhere there is nobody to tell
    _written: dict[str, request_status.Status] = field(default_factory=dict[str, request_status.Status])

    async def turn(self) -> float | None:
        """Write what is due; look again soon while anything is left."""
        now = await self.store.now_ms()
        due: list[JobRecord] = []
        left = False
        for namespace in await self.store.namespaces():
            ids = await self.store.ids_in(keys.dirty, namespace, limit=BATCH)
            found = {job.id: job for job in await self.store.jobs(ids)}
            for job_id in ids:
                if job_id not in found:
                    self._written.pop(job_id, None)
                    await self.store.forget(namespace=namespace, job_id=job_id)
            now_due = [job for job in found.values() if ready(job, now)]
            left = left or len(ids) == BATCH or len(now_due) < len(found)
            due += now_due
        settled = await each(due, self._write)
        return COALESCE_SECONDS / 3 if left or not all(settled) else None

    async def _write(self, job: JobRecord) -> bool:
        said = request_status.of_job(job, 1)
        if job.namespace in self.namespaces and self._written.get(job.id) != said:
            there = await self.api.apply_status(REQUESTS, job.namespace, job.request_name, job.request_uid, said)
            if there and job.state not in TERMINAL:
                self._written[job.id] = said
        if job.state in TERMINAL:
            self._written.pop(job.id, None)
        return await self.store.settled(job_id=job.id, rev=job.rev) == "settled"
