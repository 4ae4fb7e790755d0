"""The store: one method for each verb, each one atomic script, and the reads.

Every verb may be sent again after a lost reply (redis-py does so). Raises the errors of `redis_door`.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, cast

from redis import exceptions as rex

from bgjobs.protocol import LOG_HEAD_BYTES, LOG_TAIL_BYTES
from bgjobs.vocabulary import State
from bgjobs_core.health.operator_report import OperatorReport
from bgjobs_core.jobs.queue import QueueLoad, QueueRecord
from bgjobs_core.jobs.record import MAX_DISRUPTIONS, AttemptRecord, JobRecord, NewJob
from bgjobs_core.jobs.spec import to_hash
from bgjobs_core.redis.errors import translate
from bgjobs_core.store import keys
from bgjobs_core.store.scripts import Scripts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence

    from bgjobs_core.redis.connection import Client
    from bgjobs_core.resources.models import QueueSpec

Verdict = Literal["cancelled", "never_started", "lost", "disrupted"]
OperatorRole = Literal["leading", "waiting"]

REPORT_MS: Final = 60_000


@dataclass(frozen=True)
class Reply:
    """What a verb did: its first word, and the job's state after it ("" if there is no such job)."""

    did: str
    state: str


@dataclass(frozen=True)
class Promoted:
    """How many became ready; when the next one is due and what time it is, in ms of Redis TIME."""

    count: int
    next_due: int | None
    now: int


@dataclass(frozen=True)
class Claimed:
    """`ok`, `not_leader`, `closed` (no such queue, or paused) or `full`; and the ids."""

    did: str
    ids: tuple[str, ...]


@dataclass(frozen=True)
class Started:
    """What the runner is told: `run` with the attempt's number, or why not."""

    action: str
    attempt: int | None
    reason: str


class Store:
    """All of bgjobs' data.

    Args:
        client: from `redis_door.connect`, or fakeredis.
        clock_offset_ms: for tests: added to Redis TIME.
    """

    def __init__(self, client: Client, clock_offset_ms: Callable[[], int] = lambda: 0) -> None:
        self._client = client
        self._scripts = Scripts(client, clock_offset_ms)

    # ------------------------------------------------------------------ verbs of a job
    async def enqueue(self, job: NewJob) -> Reply:
        """`created`, `exists` (same id and digest) or `conflict` (the id is taken by something else)."""
        asked = job.asked
        fields: dict[str, object] = {
            **to_hash(job.spec), "queue": job.queue_key, "namespace": asked.namespace, "parameters": asked.parameters,
            "created_by": asked.created_by, "records_ms": job.records_seconds * 1000, "logs_seconds": job.logs_seconds,
            "request_name": asked.request_name, "request_uid": asked.request_uid, "rerun_of": asked.rerun_of,
        }  # fmt: skip
        flat = [part for pair in fields.items() for part in pair]
        delay_ms = round(asked.spec.delay_seconds * 1000)
        not_before = "" if asked.not_before_ms is None else asked.not_before_ms
        return _reply(await self._scripts.run("enqueue", job.id, asked.digest, delay_ms, not_before, *flat))

    async def promote(self, limit: int = 200) -> Promoted:
        """Make ready what is due, at most `limit` jobs."""
        count, next_due, now = await self._scripts.run("promote", limit)
        return Promoted(int(count), int(float(next_due)) if next_due else None, int(now))

    async def claim(self, epoch: str, queue: str, limit: int) -> Claimed:
        """Give slots of a queue (`namespace/name`) to its next jobs, high priority first, then oldest first."""
        did, *ids = await self._scripts.run("claim", epoch, queue, limit)
        return Claimed(did.decode(), tuple(one.decode() for one in ids))

    async def decline(
        self, epoch: str, job_id: str, target: Literal["scheduled", "failed"], back_off_ms: int, reason: str
    ) -> Reply:
        """Undo a claim whose first POST was definitely refused."""
        return _reply(await self._scripts.run("decline", epoch, job_id, target, back_off_ms, reason[:1024]))

    async def bind(self, job_id: str, kube_uid: str) -> Reply:
        """Record the KubeJob: `bound`, `stray` (the job has or needs another one, or none) or `missing`."""
        return _reply(await self._scripts.run("bind", job_id, kube_uid))

    async def start(self, job_id: str, kube_uid: str, pod_uid: str, pod_name: str) -> Started:
        """May this pod run the job's code?"""
        action, value = await self._scripts.run("start", job_id, kube_uid, pod_uid, pod_name, MAX_DISRUPTIONS)
        if action == b"run":
            return Started("run", int(value), "")
        return Started(action.decode(), None, value.decode())

    async def beat(
        self,
        job_id: str,
        pod_uid: str,
        attempt: int,
        chunk: tuple[int, int, bytes] | None,
        progress: str,
        keep_seconds: int,
    ) -> tuple[str, int]:
        """Keep a chunk (offset, length, compressed bytes) and the progress (JSON or "").

        Returns:
            `continue`, `stop` or `go_away`, and the offset up to which the log has arrived.
        """
        offset, length, data = chunk or ("", 0, b"")
        action, expected = await self._scripts.run(
            "beat",
            job_id,
            pod_uid,
            attempt,
            offset,
            length,
            data,
            progress,
            LOG_HEAD_BYTES,
            LOG_TAIL_BYTES,
            keep_seconds,
        )
        return action.decode(), int(expected)

    async def finish(
        self, job_id: str, pod_uid: str, attempt: int, outcome: str, error: str, result: str, exit_code: int | None
    ) -> Reply:
        """How an attempt ended; error and result are JSON or ""."""
        code = "" if exit_code is None else exit_code
        return _reply(await self._scripts.run("finish", job_id, pod_uid, attempt, outcome, error, result, code))

    async def observe_end(
        self, job_id: str, kube_uid: str, what: Literal["complete", "failed", "absent"], outcome: str, reason: str
    ) -> Reply:
        """The KubeJob ended, or it and its pods are gone."""
        return _reply(
            await self._scripts.run("observe", job_id, kube_uid, what, outcome, reason[:1024], "", "", "", "")
        )

    async def observe_attempt(
        self, job_id: str, kube_uid: str, pod_uid: str, outcome: str, exit_code: int | None, error: str
    ) -> Reply:
        """A pod ended without saying so; error is JSON or ""."""
        code = "" if exit_code is None else exit_code
        return _reply(
            await self._scripts.run("observe", job_id, kube_uid, "attempt", outcome, "", "", pod_uid, code, error)
        )

    async def observe_phase(self, job_id: str, kube_uid: str, phase: str, reason: str) -> Reply:
        """How far a launched job is, for people."""
        return _reply(
            await self._scripts.run("observe", job_id, kube_uid, "phase", "", reason[:1024], phase, "", "", "")
        )

    async def stop(self, job_id: str, verdict: Verdict, by: str, note: str) -> Reply:
        """`cancelled` (it waited), `stopping`, `kept` (the verdict fits no more), `ended` (too late) or `missing`."""
        return _reply(await self._scripts.run("stop", job_id, verdict, by, note[:1024]))

    async def retire(self, job_id: str, stage: Literal["kube_job", "record"]) -> str:
        """Drop what has ended: `retired`, `kept` or `missing`."""
        return (await self._scripts.run("retire", job_id, stage))[0].decode()

    async def settled(self, job_id: str, rev: int) -> str:
        """The request's status was written as of this rev: `settled`, or `dirty` if there is news."""
        return (await self._scripts.run("settled", job_id, rev))[0].decode()

    # -------------------------------------------------------------- verbs of the leader
    async def lead(self, epoch: str) -> tuple[str, int]:
        """Become the one whose claims count; returns the store's id and its seq."""
        store_id, seq = await self._scripts.run("lead", epoch, secrets.token_hex(8))
        return store_id.decode(), int(seq)

    async def put_queue(self, key: str, spec: QueueSpec) -> str:
        """Settings of a queue (`namespace/name`): `put` or `same`."""
        fields = {
            "spec": spec.model_dump_json(by_alias=True, exclude_defaults=True),
            "max_concurrent": spec.max_concurrent,
            "paused": int(spec.paused),
        }
        flat = [part for pair in fields.items() for part in pair]
        return (await self._scripts.run("put_queue", key, *flat))[0].decode()

    async def drop_queue(self, key: str) -> str:
        """The queue's object is gone: `dropped` or `missing`."""
        return (await self._scripts.run("drop_queue", key))[0].decode()

    async def report(self, said: OperatorReport, epoch: str = "") -> str:
        """What an operator says of itself; it is forgotten after a minute.

        Args:
            said: replaces what was said before.
            epoch: of the leader; "" for one who waits.

        Returns:
            `told`, or `not_leader` if another one leads by now.
        """
        fields = said.fields()
        flat = [part for pair in fields.items() for part in pair]
        role: OperatorRole = "leading" if epoch else "waiting"
        return (await self._scripts.run("report", role, said.pod, REPORT_MS, epoch, *flat))[0].decode()

    async def withdraw_report(self, role: OperatorRole, pod: str) -> str:
        """This operator ends, and what it has said goes with it: `withdrawn`, or `kept` if another one said it."""
        return (await self._scripts.run("report", role, pod, 0, ""))[0].decode()

    # -------------------------------------------------------------------------- reads
    async def _ask(self, command: str, *arguments: object) -> object:
        try:
            return await self._client.execute_command(command, *arguments)
        except (rex.RedisError, OSError) as error:
            raise translate(error) from error

    async def _hash(self, name: str) -> dict[bytes, bytes]:
        try:
            return await self._client.hgetall(name)
        except (rex.RedisError, OSError) as error:
            raise translate(error) from error

    async def _hashes(self, names: Iterable[str]) -> list[dict[bytes, bytes]]:
        try:
            pipe = self._client.pipeline(transaction=False)
            for name in names:
                pipe.hgetall(name)
            return await pipe.execute()
        except (rex.RedisError, OSError) as error:
            raise translate(error) from error

    async def job(self, job_id: str) -> JobRecord | None:
        """One job."""
        fields = await self._hash(keys.job(job_id))
        return JobRecord.read(fields) if fields.get(b"state") else None

    async def jobs(self, ids: Sequence[str]) -> list[JobRecord]:
        """These jobs, without those that are gone."""
        found = await self._hashes(keys.job(one) for one in ids)
        return [JobRecord.read(fields) for fields in found if fields.get(b"state")]

    async def attempts(self, job: JobRecord) -> list[AttemptRecord]:
        """All attempts of a job, the first one first."""
        found = await self._hashes(keys.attempt(job.id, number) for number in range(1, job.attempt + 1))
        return [AttemptRecord.read(fields) for fields in found if fields]

    async def log_chunks(self, job_id: str, attempt: int) -> list[bytes]:
        """The stored chunks of an attempt's log, in their order; see `bgjobs_core.jobs.logs`."""
        head = await self._ask("LRANGE", keys.log_head(job_id, attempt), 0, -1)
        tail = await self._ask("LRANGE", keys.log_tail(job_id, attempt), 0, -1)
        return [*cast("list[bytes]", head), *cast("list[bytes]", tail)]

    async def queue(self, key: str) -> QueueRecord | None:
        """Settings of a queue (`namespace/name`)."""
        fields = await self._hash(keys.queue(key))
        return QueueRecord.read(key, fields) if fields else None

    async def queue_keys(self) -> list[str]:
        """All queues, as `namespace/name`."""
        found = cast("Iterable[bytes]", await self._ask("SMEMBERS", keys.queues()))
        return sorted(name.decode() for name in found)

    async def queue_load(self, key: str) -> QueueLoad:
        """How many jobs hold a slot of a queue, and how many are ready for one."""
        owned = await self._ask("ZCARD", keys.owned(key))
        low = await self._ask("ZCARD", keys.ready(key, 0))
        high = await self._ask("ZCARD", keys.ready(key, 1))
        return QueueLoad(cast("int", owned), cast("int", low) + cast("int", high))

    async def ids_in(self, index: keys.Key, until: int | None = None, limit: int = 1000, start: int = 0) -> list[str]:
        """Ids of one of the leader's work lists, the oldest first.

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
        """Every id of a work list, by pages; what changes meanwhile may be missed or come twice."""
        start = 0
        while page := await self.ids_in(index, start=start):
            for one in page:
                yield one
            start += len(page)

    async def oldest_in(self, index: keys.Key) -> int | None:
        """The lowest score of a work list, in ms."""
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

    async def watch_log(self, job_id: str) -> None:
        """Somebody follows the log of this job; it is forgotten after 15 s."""
        await self._ask("SET", keys.watched(job_id), 1, "EX", 15)

    async def is_watched(self, job_id: str) -> bool:
        """Whether somebody followed the log of this job within the last 15 s."""
        return bool(await self._ask("EXISTS", keys.watched(job_id)))

    async def now_ms(self) -> int:
        """Redis TIME."""
        seconds, micro = cast("tuple[bytes, bytes]", await self._ask("TIME"))
        return int(seconds) * 1000 + int(micro) // 1000

    async def operator_report(self, role: OperatorRole) -> OperatorReport | None:
        """What the operator of this role has said within the last minute."""
        fields = await self._hash(keys.operator(role))
        return OperatorReport.read(fields) if fields else None

    async def ping(self) -> None:
        """Raises unless Redis answers."""
        await self._ask("PING")

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()


def _pairs(found: list[list[bytes]]) -> list[tuple[bytes, bytes]]:
    """Members with scores: RESP3 gives pairs, RESP2 a flat list."""
    if found and isinstance(cast("object", found[0]), bytes):
        flat = cast("list[bytes]", found)
        return list(zip(flat[::2], flat[1::2], strict=True))
    return [(pair[0], pair[1]) for pair in found]


def _reply(parts: list[bytes]) -> Reply:
    return Reply(parts[0].decode(), parts[1].decode())


def is_terminal(state: str) -> bool:
    """Whether a job in this state has ended."""
    return State(state) in {State.SUCCEEDED, State.FAILED, State.CANCELLED}
