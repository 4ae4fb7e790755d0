"""The rules of the machine of verbs (`test_machine.py`) for new jobs, and what becomes of them, by a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, rule

from bgjobs.vocabulary import TERMINAL, OnParentFailure, State, UniqueMode
from bgjobs_core.store import keys
from tests.store import families, unique_keys
from tests.store.builders import a_job
from tests.store.hold_rules import HoldRules
from tests.store.holding_rules import TWICE
from tests.store.safety import did

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bgjobs_core.jobs.batch import BatchRecord
    from bgjobs_core.jobs.record import JobRecord, NewJob
    from bgjobs_core.store.enqueueing import Placed
    from tests.store.checked_store import Clock
    from tests.store.contents import Contents

QUEUES: Final = ("default", "mail")
queues = st.sampled_from(QUEUES)
BATCHES: Final = tuple(f"0192f0c1-2a3b-7c4d-8e5f-00000000000{number}" for number in range(3))
# Most jobs are of none.
batches = st.sampled_from([None, None, None, *BATCHES])


class EnqueueRules(HoldRules):
    """What the machine adds to them: whether Redis is full."""

    jobs: Bundle[Any] = Bundle("jobs")
    jobs_or_none = st.one_of(st.none(), st.none(), jobs)
    _full: bool
    _clock: Clock

    def claim(self, led_ago: int, queue: str, limit: int) -> None:
        raise NotImplementedError

    def _is_refused(self, send: Callable[[], Awaitable[object]]) -> bool:
        raise NotImplementedError

    @rule(
        target=jobs,
        queue=queues,
        high=st.booleans(),
        delay=st.sampled_from([0, 0, 0, 5]),
        retries=st.integers(0, 1),
        how=st.sampled_from([None, None, "requested", "requested", "expires", "paused"]),
        own=st.sampled_from([None, None, "acme", "zeta"]),
        customer=st.sampled_from([None, None, "8841"]),
        uid=st.sampled_from(["uid-1", "uid-1", "uid-1", "uid-2"]),
        first=jobs_or_none,
        second=jobs_or_none,
        or_run=st.booleans(),
        batch=batches,
        needed=batches,
        unique=st.sampled_from([None, None, "nightly", "nightly", "hourly"]),
        mode=st.sampled_from([None, UniqueMode.REPLACE, UniqueMode.REPLACE, UniqueMode.IGNORE]),
        again=st.booleans(),
        twice=TWICE,
    )
    def enqueue(
        self,
        queue: str,
        high: bool,
        delay: int,
        retries: int,
        how: str | None,
        own: str | None,
        customer: str | None,
        uid: str,
        first: NewJob | None,
        second: NewJob | None,
        or_run: bool,
        batch: str | None,
        needed: str | None,
        unique: str | None,
        mode: UniqueMode | None,
        again: bool,
        twice: bool,
    ) -> NewJob:
        builder = a_job().on(queue).delayed(delay).retried(retries).kept(records_seconds=60)
        labels = {"team": "billing", **({} if customer is None else {"customer": customer})}
        builder = builder.but(concurrency_key=own, queue_uid=uid, labels=labels)
        builder = builder.high() if high else builder
        if how == "expires":
            builder = builder.but(expires_after_seconds=30)
        if how in {"requested", "paused"}:
            builder = builder.of_request()
        if how == "paused":
            builder = builder.but(paused_by="ada", request_generation=2)
        needs = tuple(dict.fromkeys(one.id for one in (first, second) if one is not None))
        needs += (needed,) if needed is not None and needed != batch else ()
        builder = builder.but(needs=needs, batch=batch or "")
        if or_run:
            builder = builder.but(on_parent_failure=OnParentFailure.RUN)
        if unique is not None:
            seconds = 60 if mode is UniqueMode.IGNORE else None
            builder = builder.but(unique_key=unique, unique_mode=mode, unique_for_seconds=seconds)
        job = builder.build()
        before = self._now
        placed = self._send_enqueue(job, twice=twice)
        self._is_where_its_parents_let_it(job, before, placed)
        if placed is not None and again:
            # Whatever comes between, the same is said to whoever asks again.
            self._clock.forward(3)
            self.claim(0, queue, 1)
            said = self._send_enqueue(job, twice=False)
            assert said is None or said.other == placed.other
        return job

    def _is_where_its_parents_let_it(self, job: NewJob, before: Contents, placed: Placed | None) -> None:
        """What becomes of a new job, worked out from what was there."""
        parents = [self._parent(before, one) for one in job.asked.needs]
        record = self._now.jobs().get(job.id)
        batch = families.batch_of(before, job.asked.batch)
        is_refused = batch is not None and (batch.closed_at is not None or self._is_needed(job, before))
        if self._full or None in parents or is_refused:
            assert record is None, "it needs a job that is not there, or its batch takes none, or there is no room"
            return
        assert placed is not None
        ended = [one.state for one in parents if one is not None and one.state in TERMINAL]
        fails = any(one is not State.SUCCEEDED for one in ended) and job.asked.on_parent_failure != OnParentFailure.RUN
        needed = {one.id for one in parents if one is not None}
        expected = unique_keys.expected(job, before, placed.now, needed, ends_at_once=fails)
        assert (placed.did, placed.other) == expected[:2]
        if expected.taken_from:
            other = self._now.jobs()[expected.taken_from]
            assert other.key_taken_by == job.id
            assert (other.state is State.CANCELLED) == bool(expected.other)
        if expected.did != "created":
            assert record is None, "another job has its key"
            return
        assert record is not None
        assert record.batch == job.asked.batch
        assert record.replaced_id == expected.other
        if fails:
            assert record.state is State.CANCELLED
        elif job.asked.paused_by:
            assert record.state is State.PAUSED
        else:
            assert (record.state is State.BLOCKED) == (len(ended) < len(parents))

    @staticmethod
    def _parent(before: Contents, parent: str) -> JobRecord | BatchRecord | None:
        """What a job needs by this id: a job, the one that stands for a job that was not made, or a batch."""
        said: bytes = before.value(keys.answer(parent)) or b""
        jobs = before.jobs()
        stands_for = jobs.get(said.decode().split(" ")[2]) if said else None
        return jobs.get(parent) or stands_for or families.batch_of(before, parent)

    @staticmethod
    def _is_needed(job: NewJob, before: Contents) -> bool:
        """Whether the job needs others, and its batch is needed by some: it could come to wait for itself."""
        return bool(job.asked.needs and before.scores(keys.children(job.asked.batch)))

    @rule(batch=st.sampled_from(BATCHES), twice=TWICE)
    def close_batch(self, batch: str, twice: bool) -> None:
        before = families.batch_of(self._now, batch)
        said = self._do("close_batch", "", lambda: self._store.close_batch(batch_id=batch), str, twice=twice)
        expected = "missing" if before is None else "closed" if before.closed_at is None else "same"
        assert said == expected

    @rule(job=jobs, twice=TWICE)
    def enqueue_again(self, job: NewJob, twice: bool) -> None:
        self._send_enqueue(job, twice=twice)

    def _send_enqueue(self, job: NewJob, *, twice: bool) -> Placed | None:
        """What the store says; None if it has no room."""
        if self._is_refused(lambda: self._store.enqueue(job)):
            return None
        return self._do("enqueue", job.id, lambda: self._store.enqueue(job), did, twice=twice)
