"""How jobs come into the store."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, cast

from bgjobs.vocabulary import OnParentFailure, State, UniqueMode
from bgjobs_core.jobs.spec import short_digest, to_hashes
from bgjobs_core.store import keys
from bgjobs_core.store.verbs import Verbs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bgjobs_core.jobs.record import NewJob
    from bgjobs_core.jobs.spec import Fields

_BATCH: Final = 20  # jobs a script, so that nobody waits long for it
_JOB_WEIGHT: Final = 10  # what a job costs, in jobs that one needs
# Scripts that are under way at once: Redis writes to the disk once for all of them, and serves others between them.
_AT_ONCE: Final = 4

_STATES: Final = frozenset(State)

Did = Literal[
    "created", "exists", "returned", "ignored", "conflict", "too_many_classes", "other_rules", "no_parent",
    "batch_closed", "batch_needed", "batch_taken",
]  # fmt: skip


class Placed(NamedTuple):
    """What became of one job that was to be enqueued.

    Attributes:
        did: `created`, `exists` (the same id and digest were there), `returned` or `ignored` (another job has its
            unique key, and none was made), `conflict` (the id is that of another job), or
            `too_many_classes` (the namespace has too many different queues, states and classes), or `other_rules` (the
            queue has other settings by now), or `no_parent` (a job that it needs is not there), or `batch_closed`,
            `batch_needed` or `batch_taken` (its batch cannot take it: `BatchRefusedError` has the words).
        state: the job's state, or that of the other job if none was made; "" if it was refused.
        now: Redis TIME in ms.
        missing: ids of the jobs and batches that it needs and that are not there.
        batch: the batch that it is of, if it was to be of one; "" if it is of none.
        other: id of the job that has its unique key, if none was made, or of the one that it has replaced; "" if there
            is none.
    """

    did: Did
    state: str
    now: int
    missing: tuple[str, ...] = ()
    batch: str = ""
    other: str = ""


class Answer(NamedTuple):
    """What was said to whoever asked for a job that was not made because of its unique key.

    Attributes:
        digest: of what was asked for.
        what: `returned` or `ignored`.
        other: id of the job that has the key.
        state: that this one had then.
    """

    digest: str
    what: Literal["returned", "ignored"]
    other: str
    state: State


class Enqueueing(Verbs):
    """The part of the store that takes new jobs."""

    async def enqueue(self, job: NewJob, rules: str = "") -> Placed:
        """Add a job; the same job may be sent again.

        Args:
            job: as its queue has admitted it.
            rules: the version of the queue's settings by which it was admitted; "": it is added whatever they are now.
        """
        return (await self._place([job], rules))[0]

    async def enqueue_each(self, jobs: Sequence[NewJob], rules: str) -> list[Placed]:
        """Add jobs of one queue, many of them in a script; each of them is what it would be alone.

        Args:
            jobs: as in `enqueue`.
            rules: by which all of them were admitted.

        Returns:
            What became of each, in the order of the jobs. When Redis fails in the middle, some of them are there.
        """
        return await self._place(jobs, rules)

    async def enqueue_many(self, jobs: Sequence[NewJob]) -> list[Placed]:
        """Add jobs, all of them or none; the same jobs may be sent again.

        When Redis fails in the middle, some of them are there.

        Returns:
            What became of each, in the order of the jobs. If there is a `conflict` among them, none was added, and
            `created` means that the job could have been; its state is "" then.
        """
        known = await self._known(jobs)
        if any(one.did == "conflict" for one in known):
            return known
        return await self._place(jobs)

    async def _known(self, jobs: Sequence[NewJob]) -> list[Placed]:
        """What would become of each, as far as it can be known before; usually none is there, as one question tells."""
        found: list[Any] = [(None, None)] * len(jobs)
        if jobs and await self._ask("EXISTS", *(keys.job(one.id) for one in jobs)):
            found = await self._ask_all([("HMGET", keys.job(one.id), "digest", "state") for one in jobs])
        batches = await self._batches_among(jobs)
        answers = await self.answers([one.id for one in jobs])
        placed: list[Placed] = []
        for job, (digest, state) in zip(jobs, cast("list[tuple[bytes | None, bytes | None]]", found), strict=True):
            said = answers.get(job.id) if digest is None else None
            is_same = digest is not None and digest.decode() == job.asked.digest
            is_free = digest is None and job.id not in batches
            if said is not None:
                is_free, is_same = False, said.digest == job.asked.digest
            did: Did = "created" if is_free else "exists" if is_same else "conflict"
            placed.append(Placed(did, (state or b"").decode(), 0))
        return placed

    async def answer(self, job_id: str) -> Answer | None:
        """What was said to whoever asked for this job, if it was not made because of its unique key.

        It is kept for an hour; if a BackgroundJobRequest has asked, for as long as the records of ended jobs are.
        """
        return (await self.answers([job_id])).get(job_id)

    async def answers(self, ids: Sequence[str]) -> dict[str, Answer]:
        """The same of many jobs, by their ids; usually there is none, which one question tells."""
        if not ids or not await self._ask("EXISTS", *(keys.answer(one) for one in ids)):
            return {}
        found = await self._ask_each([("GET", keys.answer(one)) for one in ids])
        there: dict[str, Answer] = {}
        for job_id, raw in zip(ids, found, strict=True):
            parts = raw.decode(errors="replace").split(" ") if isinstance(raw, bytes) else []
            if len(parts) == len(Answer._fields) and parts[1] in {"returned", "ignored"} and parts[3] in _STATES:
                there[job_id] = Answer(parts[0], cast("Any", parts[1]), parts[2], State(parts[3]))
        return there

    async def _batches_among(self, jobs: Sequence[NewJob]) -> set[str]:
        """Ids of these jobs that are those of batches; usually none is, which one question tells."""
        if not jobs or not await self._ask("EXISTS", *(keys.batch(one.id) for one in jobs)):
            return set()
        found = await self._ask_all([("EXISTS", keys.batch(one.id)) for one in jobs])
        return {job.id for job, there in zip(jobs, found, strict=True) if there}

    async def _place(self, jobs: Sequence[NewJob], rules: str = "") -> list[Placed]:
        """Add jobs, those first that others of them need."""
        found: dict[int, Placed] = {}
        at: int | None = None
        for wave in waves(jobs):
            at = await self._place_wave({place: jobs[place] for place in wave}, rules, found, at)
        return [found[place] for place in range(len(jobs))]

    async def _place_wave(
        self, jobs: Mapping[int, NewJob], rules: str, found: dict[int, Placed], at: int | None
    ) -> int | None:
        """Add jobs in batches of those that have a lot in common, each batch at once; since when they are there.

        Those with a unique key are added in their order, since it may matter which one of a key comes last.
        """
        alike: dict[str, _Alike] = {}
        in_order: list[tuple[str, _Alike]] = []
        digests: dict[tuple[tuple[str, object], ...], str] = {}
        hashes: dict[int, tuple[Fields, Fields]] = {}  # of specs, which many jobs may have together
        for place, job in jobs.items():
            shared, own = _fields(job, hashes.get(id(job.spec)) or hashes.setdefault(id(job.spec), to_hashes(job.spec)))
            same = tuple(shared.items())
            digest = digests.get(same) or digests.setdefault(same, short_digest(shared))
            if job.spec.unique_key is None:
                alike.setdefault(digest, _Alike(shared, [], [])).add(place, own)
                continue
            if not in_order or in_order[-1][0] != digest:
                in_order.append((digest, _Alike(shared, [], [])))
            in_order[-1][1].add(place, own)
        batches = (batch for digest, one in alike.items() for batch in one.batches(digest))
        one_by_one = (batch for digest, one in in_order for batch in one.batches(digest))

        async def add(batch: _Batch, at: int | None) -> int:
            reply = await self._enqueue(spec=batch.spec, shared=batch.shared, rules=rules, at=at, jobs=batch.jobs)
            parts = (reply.did, reply.states, reply.missing, reply.batches, reply.others)
            for place, did, state, missing, its_batch, other in zip(batch.places, *parts, strict=True):
                found[place] = Placed(cast("Did", did), state, reply.now, tuple(missing.split()), its_batch, other)
            return reply.now

        async def add_further(at: int, batches: Iterator[_Batch]) -> None:
            for batch in batches:
                await add(batch, at)

        if (first := next(batches, None) or next(one_by_one, None)) is not None:
            # All of them are there since the first one was, so that their ids alone say which comes first.
            now = await add(first, at)
            at = now if at is None else at
            if len(first.places) == len(jobs):  # as with a single job: tasks would cost it a seventh more
                return at
            further = [add_further(at, batches) for _ in range(_AT_ONCE)]
            ends = await asyncio.gather(*further, add_further(at, one_by_one), return_exceptions=True)
            for error in ends:
                if error is not None:
                    raise error
        return at


def waves(jobs: Sequence[NewJob]) -> list[list[int]]:
    """The places of jobs, so that each one comes in a later wave than those before it that it needs."""
    wave_of: dict[str, int] = {}
    found: list[list[int]] = []
    for place, job in enumerate(jobs):
        wave = max((wave_of[one] + 1 for one in job.asked.needs if one in wave_of), default=0)
        wave_of[job.id] = wave
        if wave == len(found):
            found.append([])
        found[wave].append(place)
    return found


class _Batch(NamedTuple):
    """Jobs that one script adds."""

    spec: str
    shared: Fields
    places: Sequence[int]
    jobs: Sequence[Fields]


class _Alike(NamedTuple):
    """Jobs that have a lot in common: that, their places among all, and what is each one's own."""

    shared: Fields
    places: list[int]
    own: list[Fields]

    def add(self, place: int, own: Fields) -> None:
        """One more."""
        self.places.append(place)
        self.own.append(own)

    def batches(self, digest: str) -> Iterator[_Batch]:
        """All of them, as many as a script takes."""
        start, weight = 0, 0
        for end, own in enumerate(self.own):
            replaces = own.get("unique_mode") == UniqueMode.REPLACE  # and so may move another one
            more = _JOB_WEIGHT * (1 + replaces) + str(own.get("needs", "")).count(" ")
            if end > start and weight + more > _BATCH * _JOB_WEIGHT:
                yield _Batch(digest, self.shared, self.places[start:end], self.own[start:end])
                start, weight = end, 0
            weight += more
        yield _Batch(digest, self.shared, self.places[start:], self.own[start:])


def _fields(job: NewJob, hashes: tuple[Fields, Fields]) -> tuple[Fields, Fields]:
    """What many jobs have in common, and what is this job's own, from the same two parts of its spec."""
    asked = job.asked
    shared, own = hashes[0].copy(), hashes[1].copy()
    # Each request is another creator, and most are of one job alone.
    (own if asked.request_name else shared)["created_by"] = asked.created_by
    shared |= {
        "queue": job.queue_key, "queue_uid": job.queue_uid,
        "records_ms": job.records_seconds * 1000, "logs_seconds": job.logs_seconds,
    }  # fmt: skip
    some = {"request_name": asked.request_name, "request_uid": asked.request_uid, "rerun_of": asked.rerun_of}
    own |= {name: value for name, value in some.items() if value}
    own |= {
        "id": job.id, "digest": asked.digest, "payload": asked.parameters,
        "delay_ms": round(asked.spec.delay_seconds * 1000), "not_before_ms": asked.not_before_ms or 0,
    }  # fmt: skip
    if asked.expires_seconds is not None:
        own["expires_ms"] = round(asked.expires_seconds * 1000)
    if asked.batch:
        shared["batch"] = asked.batch
    if asked.paused_by:
        own["paused_by"] = asked.paused_by
    if asked.needs:
        own["needs"] = " ".join(asked.needs)
        if asked.on_parent_failure == OnParentFailure.RUN:
            own["on_parent_failure"] = asked.on_parent_failure.value
    if asked.request_generation > 1:
        own["request_generation"] = asked.request_generation
    return shared, own
