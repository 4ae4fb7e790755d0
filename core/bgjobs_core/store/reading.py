"""Reads of single things: a job, its attempts, a queue, what an operator says. They change nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import structlog

from bgjobs_core.health.operator_report import OperatorReport
from bgjobs_core.jobs.queue import QueueLoad, QueueRecord
from bgjobs_core.jobs.record import AttemptRecord, FullJob, JobRecord, SharedRecord
from bgjobs_core.jobs.schedule_record import ScheduleRecord
from bgjobs_core.store import keys
from bgjobs_core.store.cells import scored
from bgjobs_core.store.connected import UNREADABLE, Connected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from bgjobs_core.health.operator_report import OperatorRole
    from bgjobs_core.redis.connection import Client


_QUEUES_KEPT: Final = 1_000  # of their settings, which change seldom
_SHARED_KEPT: Final = 10_000  # of what jobs have in common, which never changes


# What a value raises that none of our versions has written.
_CANNOT_BE_READ: Final = (KeyError, ValueError, TypeError)

log: Any = structlog.get_logger(__name__)


def _left_out(job_id: str, why: str) -> None:
    """One record that cannot be read must not keep anybody from seeing the others."""
    log.warning("a job's record cannot be read, and is left out", job=job_id, error=why)


class Reading(Connected):
    """The part of the store that reads single things."""

    def __init__(self, client: Client, clock_offset_ms: Callable[[], int] = lambda: 0) -> None:
        super().__init__(client, clock_offset_ms)
        self._shared: dict[bytes, SharedRecord] = {}
        self._queues: dict[str, QueueRecord] = {}

    async def job(self, job_id: str) -> JobRecord | None:
        """A job's record without its texts, or None if there is no such job (any more)."""
        found = await self.jobs([job_id])
        return found[0] if found else None

    async def jobs(self, ids: Sequence[str]) -> list[JobRecord]:
        """The records of these jobs in the same order, without those that are gone or cannot be read."""
        return await self._records(ids, await self._ask_each([("HGETALL", keys.job(one)) for one in ids]))

    async def recorded(self, ids: Sequence[str]) -> set[str]:
        """Those of these jobs that have a record, whether it can be read or not.

        If none has one, a single question tells so.
        """
        if len(ids) > 1 and not await self._ask("EXISTS", *(keys.job(one) for one in ids)):
            return set()
        found = await self._ask_each([("EXISTS", keys.job(one)) for one in ids])
        return {job_id for job_id, there in zip(ids, found, strict=True) if there}

    async def full_job(self, job_id: str) -> FullJob | None:
        """A job with its parameters, error and progress, or None if there is no such job (any more)."""
        found = await self.full_jobs([job_id])
        return found[0] if found else None

    async def full_jobs(self, ids: Sequence[str]) -> list[FullJob]:
        """These jobs with parameters, error and progress, in the same order, without what is gone or cannot be read."""
        commands: list[tuple[object, ...]] = []
        for one in ids:
            commands += [("HGETALL", keys.job(one)), ("GET", keys.payload(one)), ("GET", keys.progress(one))]
        found = await self._ask_each(commands)
        hashes = [
            UNREADABLE if UNREADABLE in found[place : place + 3] else found[place] for place in range(0, len(found), 3)
        ]
        records = {one.id: one for one in await self._records(ids, hashes)}
        failed = [one for one in records.values() if one.error_attempt is not None]
        errors = await self._ask_each([("HGET", keys.attempt(one.id, one.error_attempt), "error") for one in failed])
        error_of = {
            one.id: b"" if error is UNREADABLE else cast("bytes | None", error)
            for one, error in zip(failed, errors, strict=True)
        }
        texts = cast("list[bytes | None]", found)
        return [
            FullJob.of(records[one], texts[place + 1] or b"null", error_of.get(one) or b"", texts[place + 2] or b"")
            for place, one in zip(range(0, len(found), 3), ids, strict=True)
            if one in records
        ]

    async def parameters(self, job_id: str) -> bytes:
        """The parameters of a job's call, as JSON; `null` if there is no such job."""
        return cast("bytes | None", await self._ask("GET", keys.payload(job_id))) or b"null"

    async def result(self, job_id: str) -> bytes:
        """What a job returned, as JSON; empty if it returned nothing."""
        return cast("bytes | None", await self._ask("GET", keys.result(job_id))) or b""

    async def checkpoint(self, job_id: str) -> bytes:
        """Where the next attempt of a job goes on, as JSON; empty if none has said so."""
        return cast("bytes | None", await self._ask("GET", keys.checkpoint(job_id))) or b""

    async def _records(self, ids: Sequence[str], hashes: Sequence[object]) -> list[JobRecord]:
        found = dict(zip(ids, cast("Sequence[dict[bytes, bytes]]", hashes), strict=True))
        for job_id, fields in found.items():
            if fields is UNREADABLE or (fields and b"spec" not in fields):
                _left_out(job_id, "it is no hash, or names no spec")
        there = {job_id: one for job_id, one in found.items() if one is not UNREADABLE and b"spec" in one}
        shared = await self._shared_of({fields[b"spec"] for fields in there.values()})
        records: list[JobRecord] = []
        for job_id, fields in there.items():
            if fields[b"spec"] not in shared:
                continue
            try:
                records.append(JobRecord.read(job_id, fields, shared[fields[b"spec"]]))
            except _CANNOT_BE_READ as error:
                _left_out(job_id, repr(error))
        return records

    async def _shared_of(self, wanted: set[bytes]) -> dict[bytes, SharedRecord]:
        """What jobs have in common, by its digest, without what is gone or cannot be read."""
        # Kept apart from what is remembered: other callers forget that meanwhile.
        shared = {digest: self._shared[digest] for digest in wanted if digest in self._shared}
        if unknown := [digest for digest in wanted if digest not in shared]:
            hashes = await self._ask_each([("HGETALL", keys.spec("").encode() + digest) for digest in unknown])
            read: dict[bytes, SharedRecord] = {}
            for digest, one in zip(unknown, hashes, strict=True):
                if not one:  # gone where the last job with it was dropped between the two reads
                    continue
                try:
                    read[digest] = SharedRecord.read(cast("dict[bytes, bytes]", one))
                except _CANNOT_BE_READ as error:
                    log.warning("a spec of jobs cannot be read", digest=repr(digest), error=repr(error))
            shared |= read
            if len(self._shared) > _SHARED_KEPT:
                self._shared.clear()
            self._shared |= read
        return shared

    async def attempts(self, job: JobRecord) -> list[AttemptRecord]:
        """All attempts of a job, the first one first."""
        found = await self._hashes(keys.attempt(job.id, number) for number in range(1, job.attempt + 1))
        return [AttemptRecord.read(fields) for fields in found if fields]

    async def queue(self, key: str) -> QueueRecord | None:
        """The settings of a queue (`namespace/name`), or None if there is no such queue."""
        fields = await self._hash(keys.queue(key))
        self._queues.pop(key, None)
        if not fields:
            return None
        found = QueueRecord.read(key, fields)
        if found.version and len(self._queues) < _QUEUES_KEPT:
            self._queues[key] = found
        return found

    async def remembered_queue(self, key: str) -> QueueRecord | None:
        """The settings of a queue as they were when they were last read here, which may be long ago.

        Whoever goes by them hands their version to the verb, which tells whether they hold still.
        """
        return self._queues.get(key) or await self.queue(key)

    async def queue_keys(self) -> list[str]:
        """The names of all queues, as `namespace/name`."""
        found = cast("Iterable[bytes]", await self._ask("SMEMBERS", keys.queues()))
        return sorted(name.decode() for name in found)

    async def queue_load(self, key: str) -> QueueLoad:
        """How many jobs hold a slot of a queue, and how many are ready for one."""
        owned, uid = await self._ask_all([("ZCARD", keys.owned(key)), ("HGET", keys.queue(key), "uid")])
        queued = await self._ask("HGET", keys.ready(), f"{key}:{(cast('bytes | None', uid) or b'').decode()}")
        return QueueLoad(cast("int", owned), int(cast("bytes | None", queued) or 0))

    async def next_start(self, queue: QueueRecord) -> int | None:
        """When the rate of a queue lets another job start, in Unix ms; None if it has none, or has not used it up."""
        if queue.spec.start_rate is None and queue.limits is None:
            return None
        now = await self.now_ms()
        rate = queue.rate_at(now)
        if rate is None:
            return None
        first = await self._ask("LINDEX", keys.starts(queue.key), rate.starts - 1)
        opens = int(cast("bytes", first)) + rate.seconds * 1000 if first else 0
        return opens if opens > now else None

    async def closed_keys(self, queue: QueueRecord, found: Sequence[tuple[int, str]]) -> dict[str, int]:
        """Which of these concurrency keys, each with a priority, are at a limit, and until when (Unix ms)."""
        if not found:
            return {}
        members = [f"{priority}:{key}" for priority, key in found]
        scores = cast("list[object]", await self._ask("ZMSCORE", keys.closed(queue.key, queue.uid), *members))
        return {
            member: int(float(cast("bytes", score)))
            for member, score in zip(members, scores, strict=True)
            if score is not None
        }

    async def schedule(self, key: str) -> ScheduleRecord | None:
        """What is known of a schedule (`namespace/name`), or None if there is no such schedule."""
        fields = await self._hash(keys.schedule(key))
        return ScheduleRecord.read(key, fields) if fields else None

    async def schedules(self, names: Sequence[str]) -> list[ScheduleRecord]:
        """What is known of these schedules (`namespace/name`), in the same order, without those that are gone."""
        found = await self._hashes(keys.schedule(key) for key in names)
        return [ScheduleRecord.read(key, fields) for key, fields in zip(names, found, strict=True) if fields]

    async def schedule_keys(self) -> list[str]:
        """The names of all schedules, as `namespace/name`."""
        found = cast("Iterable[bytes]", await self._ask("SMEMBERS", keys.schedules()))
        return sorted(name.decode() for name in found)

    async def wished_schedules(self) -> list[str]:
        """The names of the schedules of which something is wished, as `namespace/name`."""
        found = cast("Iterable[bytes]", await self._ask("SMEMBERS", keys.wished()))
        return sorted(name.decode() for name in found)

    async def waiting_for(self) -> list[tuple[str, str]]:
        """The queues that have queued jobs: the full name of each, and the UID under which they were admitted to it."""
        found = cast("Iterable[bytes]", await self._ask("HKEYS", keys.ready()))
        names = sorted(name.decode().partition(":") for name in found)
        return [(queue, uid) for queue, _, uid in names]

    async def gone_queues(self) -> dict[str, int]:
        """Deleted queues by their full names, each with the time (Unix ms) at which that was seen."""
        return dict(scored(cast("list[object]", await self._ask("ZRANGE", keys.gone(), 0, -1, "WITHSCORES"))))

    async def ahead_of(self, job: JobRecord) -> int | None:
        """How many jobs of its concurrency key and priority wait before a queued job; None if it is in no lane."""
        lane = keys.lane(job.queue_key, job.queue_uid, job.spec.priority, job.spec.concurrency_key or "")
        return cast("int | None", await self._ask("ZRANK", lane, job.id))

    async def operator_report(self, role: OperatorRole) -> OperatorReport | None:
        """What the operator of this role has said within the last minute, or None if it has said nothing."""
        fields = await self._hash(keys.operator(role))
        return OperatorReport.read(fields) if fields else None

    async def now_ms(self) -> int:
        """Redis TIME, as a Unix time in ms."""
        seconds, micro = cast("tuple[bytes, bytes]", await self._ask("TIME"))
        return int(seconds) * 1000 + int(micro) // 1000
