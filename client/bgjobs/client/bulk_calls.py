"""What a `JobClient` can do with all jobs that a filter means: preview it, begin it, look how far it is, stop it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Unpack

from bgjobs.client import bulk_endpoints, endpoints, polling

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bgjobs.bulk import Bulk, BulkPreview
    from bgjobs.client.list_filters import JobFilters
    from bgjobs.client.polling import Sleep
    from bgjobs.connection.transport import Transport


class BulkHandle:
    """Something that is done with all jobs that a filter means.

    Attributes:
        id: its UUID.
        namespace: of the jobs.
    """

    def __init__(
        self, client: BulkCalls, bulk_id: str, namespace: str | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.id = bulk_id
        self.namespace = namespace
        self._client = client
        self._clock = clock

    def __repr__(self) -> str:
        return f"<BulkHandle {self.id}>"

    def progress(self) -> Bulk:
        """Ask how far it is: `done`, `skipped` and `failed` with their reasons, and how many are `left`.

        Raises:
            NotFoundError: if there is none, or it was over more than seven days ago.
        """
        return self._client.get_bulk(self.id, self.namespace)

    def wait(self, timeout: float | None = None, poll: float = 1.0, told: Callable[[Bulk], None] | None = None) -> Bulk:
        """Wait until it is done, or somebody has stopped it.

        Args:
            timeout: seconds to wait at most; None: as long as it takes.
            poll: seconds between two questions; the first ones come faster.
            told: is called with how far it is, after each question.

        Raises:
            TimeoutError: if it is not over by then; it goes on.
        """
        started = self._clock()
        pauses = polling.pauses(poll)
        while True:
            bulk = self.progress()
            if told is not None:
                told(bulk)
            if bulk.is_over:
                return bulk
            elapsed = self._clock() - started
            self._client.sleep(polling.pause_within(next(pauses), timeout, elapsed, so_far(bulk)))

    def stop(self) -> Bulk:
        """Stop it: what is done stays done. Up to twenty jobs that it has taken already are finished.

        Raises:
            ConflictError: if it is done.
        """
        return self._client.stop_bulk(self.id, self.namespace)


def so_far(bulk: Bulk) -> str:
    """How far a bulk is that is not over, in words."""
    return f"bulk {bulk.id} is not over ({bulk.words})"


class BulkCalls:
    """The part of a client that works with all jobs that a filter means."""

    _transport: Transport
    _namespace: str | None
    sleep: Sleep

    def preview_bulk(
        self, verb: str, *, excepted: Sequence[str] = (), note: str | None = None, **filters: Unpack[JobFilters]
    ) -> BulkPreview:
        """Count the jobs of a namespace that a filter means, before something is done with all of them.

        Example:
            `bulk = client.start_bulk(client.preview_bulk("cancel", queue="mail", state="queued").token)`

        Args:
            verb: `"cancel"`, `"pause"`, `"resume"`, `"suspend"`, `"run_now"` or `"rerun"`.
            excepted: ids of up to 500 jobs that are to be left as they are.
            note: why, for people who look at the jobs later.
            filters: which jobs, as in `list`; `state` may be a phase, such as `"running"`. Without any, it is all jobs
                of the namespace.

        Returns:
            How many jobs are meant, by their states; with how many it can be done; and a token for `start_bulk`.

        Raises:
            InvalidJobError: if a filter is not what it should be.
            ForbiddenError: if the caller may not list jobs in the namespace, or not do this with one.
        """
        filters = {**filters, "namespace": filters.get("namespace") or self._namespace}
        return self._transport.send(bulk_endpoints.preview(verb, excepted, note, **filters))

    def start_bulk(self, token: str) -> BulkHandle:
        """Begin what was previewed. It is carried out by the server; with the same token again, it is the same one.

        Jobs that have come since the preview are never touched. A job is acted on only if it still fits the filter when
        it is its turn, and is in a state in which this can be done.

        Raises:
            ConflictError: if the preview is more than five minutes old, or the namespace has 20 that are not over.
        """
        bulk = self._transport.send(bulk_endpoints.start(token))
        return BulkHandle(self, bulk.id, bulk.namespace)

    def bulk(self, bulk_id: str, namespace: str | None = None) -> BulkHandle:
        """A handle on a bulk that exists; nothing is sent yet."""
        return BulkHandle(self, bulk_id, namespace or self._namespace)

    def bulks(self, namespace: str | None = None) -> Sequence[Bulk]:
        """The latest bulks of a namespace, the latest first; they are remembered for seven days.

        Raises:
            ConfigurationError: if no namespace is known.
        """
        return self._transport.send(bulk_endpoints.latest(endpoints.named(namespace or self._namespace, "bulk")))

    def get_bulk(self, bulk_id: str, namespace: str | None = None) -> Bulk:
        """How far a bulk is; see `BulkHandle.progress`."""
        where = endpoints.named(namespace or self._namespace, "bulk")
        return self._transport.send(bulk_endpoints.get(where, bulk_id))

    def stop_bulk(self, bulk_id: str, namespace: str | None = None) -> Bulk:
        """Stop a bulk; see `BulkHandle.stop`."""
        where = endpoints.named(namespace or self._namespace, "bulk")
        return self._transport.send(bulk_endpoints.stop(where, bulk_id))
