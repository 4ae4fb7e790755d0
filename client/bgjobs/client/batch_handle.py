"""A batch, as the program that asked for it holds it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, overload

from bgjobs.client import batch_view, polling
from bgjobs.client.batch_view import Known

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bgjobs.batches import Batch, BatchCancelled
    from bgjobs.client.job_handle import JobHandle
    from bgjobs.vocabulary import State
    from bgjobs.wire import JobList


class _Batches(Protocol):
    """What a handle asks: the server through a `JobClient`, or what `bgjobs.testing` has in memory."""

    def get_batch(self, batch_id: str) -> Batch: ...
    def cancel_batch(
        self, batch_id: str, note: str | None = None, told: Callable[[BatchCancelled], None] | None = None
    ) -> Batch: ...
    def close_batch(self, batch_id: str) -> Batch: ...
    def list(self, *, batch: str | None = None, state: str | None = None, cursor: str | None = None) -> JobList: ...
    def handle(self, job_id: str) -> JobHandle: ...
    def sleep(self, seconds: float, /) -> None: ...


class BatchHandle:
    """Many jobs under one id; a job may need all of them: `with_options(needs=[batch]).enqueue(Report.collect)`.

    Attributes:
        id: the batch's UUID.
        parent_ids: what a job needs that needs all of it.
    """

    def __init__(self, client: _Batches, where: str | Known, clock: Callable[[], float] = time.monotonic) -> None:
        self._known = Known(where, (where,)) if isinstance(where, str) else where
        self.id = self._known.id
        self.parent_ids = self._known.parent_ids
        self._client = client
        self._clock = clock

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id}>"

    def refresh(self) -> Batch:
        """Ask for the batch as it is now: its state, its times, and how many jobs are in each state.

        Raises:
            NotFoundError: if there is none, or all of its jobs were dropped after their retention.
        """
        return batch_view.merged(self.id, [self._client.get_batch(one) for one in self._known.batches])

    def counts(self) -> dict[State, int]:
        """Ask how many of its jobs are in each state: `batch.counts()["failed"]`."""
        return dict(self.refresh().counts)

    def wait(self, timeout: float | None = None, poll: float = 1.0) -> Batch:
        """Wait until all jobs have ended, well or badly.

        Args:
            timeout: seconds to wait at most; None: as long as it takes.
            poll: seconds between two questions; the first ones come faster.

        Raises:
            TimeoutError: if they have not ended by then; they go on.
        """
        started = self._clock()
        pauses = polling.pauses(poll)
        while not batch_view.has_ended(batch := self.refresh()):
            elapsed = self._clock() - started
            self._client.sleep(polling.pause_within(next(pauses), timeout, elapsed, batch_view.so_far(batch)))
        for job_id in self._known.singles:
            left = None if timeout is None else timeout - (self._clock() - started)
            self._client.handle(job_id).wait(left, poll)
        return batch

    def cancel(self, note: str | None = None, told: Callable[[BatchCancelled], None] | None = None) -> Batch:
        """Cancel all jobs that have not ended; see `JobClient.cancel_batch`.

        Jobs that had been asked for before, and are of no batch or of another one, go on.
        """
        if self.id not in self._known.batches:
            return self.refresh()
        self._client.cancel_batch(self.id, note, told)
        return self.refresh()

    def close(self) -> Batch:
        """Say that all of its jobs are there; see `JobClient.close_batch`."""
        return self._client.close_batch(self.id)

    def jobs(self, state: str | None = None) -> Iterator[JobHandle]:
        """Handles on those of its jobs that are kept, in the order of their ids, asked for page by page.

        Args:
            state: only those in this state, such as `failed`.
        """
        for batch_id in self._known.batches:
            cursor: str | None = None
            while True:
                page = self._client.list(batch=batch_id, state=state, cursor=cursor)
                for job in page.items:
                    yield self._client.handle(job.id)
                cursor = page.next_cursor
                if cursor is None:
                    break


class EnqueuedBatch(BatchHandle, Sequence["JobHandle"]):
    """The jobs of one call of `enqueue_many` or `run_background_jobs`: handles, in the order of the calls.

    It is a sequence, and a `BatchHandle` too. Jobs that had been asked for before, by an id or a key of yours, stay in
    the batch that they are of, which is counted and waited for with it; those of no batch are waited for, and not
    counted.
    """

    def __init__(
        self,
        client: _Batches,
        known: Known,
        handles: Sequence[JobHandle],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(client, known, clock)
        self._handles = tuple(handles)

    def __repr__(self) -> str:
        return f"<EnqueuedBatch {self.id} of {len(self):,} jobs>"

    def __len__(self) -> int:
        return len(self._handles)

    @overload
    def __getitem__(self, index: int) -> JobHandle: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[JobHandle]: ...

    def __getitem__(self, index: int | slice) -> JobHandle | Sequence[JobHandle]:
        return self._handles[index]

    def __iter__(self) -> Iterator[JobHandle]:
        return iter(self._handles)
