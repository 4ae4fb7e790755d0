"""What a `JobClient` asks of batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgjobs.client import endpoints

if TYPE_CHECKING:
    from collections.abc import Callable

    from bgjobs.batches import Batch, BatchCancelled, BatchList
    from bgjobs.connection.transport import Transport


class BatchCalls:
    """The part of a `JobClient` that asks about batches."""

    _transport: Transport
    _namespace: str | None

    def list_batches(
        self, namespace: str | None = None, *, limit: int | None = None, cursor: str | None = None
    ) -> BatchList:
        """One page of batches, the newest first; give its `next_cursor` for the next one.

        Batches that were begun under an earlier version of the server are not listed.

        Args:
            namespace: of the batches; default: that of the client, or all that the caller may list.
            limit: how many batches, up to 200; default: 50.
            cursor: `next_cursor` of the page before.
        """
        return self._transport.send(endpoints.list_batches(namespace or self._namespace, limit, cursor))

    def get_batch(self, batch_id: str) -> Batch:
        """The batch as it is now: its state, its times, and how many of its jobs are in each state.

        Raises:
            NotFoundError: if there is none, or all of its jobs were dropped after their retention.
        """
        return self._transport.send(endpoints.get_batch(batch_id))

    def cancel_batch(
        self, batch_id: str, note: str | None = None, told: Callable[[BatchCancelled], None] | None = None
    ) -> Batch:
        """Cancel all jobs of a batch that have not ended, each as `cancel` does, 200 in a request; it is closed.

        Broken off and called again, it goes on.

        Args:
            batch_id: of the batch.
            note: why, for people who look at the jobs.
            told: is called with what was done, after each request.

        Raises:
            NotFoundError: if there is none.
        """
        after: str | None = None
        while True:
            part = self._transport.send(endpoints.cancel_batch(batch_id, note, after))
            if told is not None:
                told(part)
            if part.next_after is None:
                return part.batch
            after = part.next_after

    def close_batch(self, batch_id: str) -> Batch:
        """Say that all jobs of a batch are there, so that it ends with them; more are refused from now on.

        `enqueue_many` does it. It is needed where a program was ended in the middle of that, and some job needs the
        batch, or waits for it.

        Raises:
            NotFoundError: if there is none.
        """
        return self._transport.send(endpoints.close_batch(batch_id))
