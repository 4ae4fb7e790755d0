"""Reads of single things: a job, its attempts, a queue, what an operator says. They change nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from bgjobs_core.health.operator_report import OperatorReport
from bgjobs_core.jobs.queue import QueueLoad, QueueRecord
from bgjobs_core.jobs.record import AttemptRecord, JobRecord
from bgjobs_core.store import keys
from bgjobs_core.store.connected import Connected

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bgjobs_core.health.operator_report import OperatorRole


class Reading(Connected):
    """The part of the store that reads single things."""

    async def job(self, job_id: str) -> JobRecord | None:
        """A job's record, or None if there is no such job (any more)."""
        fields = await self._hash(keys.job(job_id))
        return JobRecord.read(fields) if fields.get(b"state") else None

    async def jobs(self, ids: Sequence[str]) -> list[JobRecord]:
        """The records of these jobs in the same order, without those that are gone."""
        found = await self._hashes(keys.job(one) for one in ids)
        return [JobRecord.read(fields) for fields in found if fields.get(b"state")]

    async def attempts(self, job: JobRecord) -> list[AttemptRecord]:
        """All attempts of a job, the first one first."""
        found = await self._hashes(keys.attempt(job.id, number) for number in range(1, job.attempt + 1))
        return [AttemptRecord.read(fields) for fields in found if fields]

    async def queue(self, key: str) -> QueueRecord | None:
        """The settings of a queue (`namespace/name`), or None if there is no such queue."""
        fields = await self._hash(keys.queue(key))
        return QueueRecord.read(key, fields) if fields else None

    async def queue_keys(self) -> list[str]:
        """The names of all queues, as `namespace/name`."""
        found = cast("Iterable[bytes]", await self._ask("SMEMBERS", keys.queues()))
        return sorted(name.decode() for name in found)

    async def queue_load(self, key: str) -> QueueLoad:
        """How many jobs hold a slot of a queue, and how many are ready for one."""
        owned = await self._ask("ZCARD", keys.owned(key))
        low = await self._ask("ZCARD", keys.ready(key, 0))
        high = await self._ask("ZCARD", keys.ready(key, 1))
        return QueueLoad(cast("int", owned), cast("int", low) + cast("int", high))

    async def operator_report(self, role: OperatorRole) -> OperatorReport | None:
        """What the operator of this role has said within the last minute, or None if it has said nothing."""
        fields = await self._hash(keys.operator(role))
        return OperatorReport.read(fields) if fields else None

    async def now_ms(self) -> int:
        """Redis TIME, as a Unix time in ms."""
        seconds, micro = cast("tuple[bytes, bytes]", await self._ask("TIME"))
        return int(seconds) * 1000 + int(micro) // 1000

    async def ping(self) -> None:
        """Raise one of the errors of `bgjobs_core.redis.errors` unless Redis answers."""
        await self._ask("PING")
