"""What a `JobClient` asks of schedules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgjobs.client import endpoints
from bgjobs.client.job_calls import JobCalls
from bgjobs.client.job_handle import JobHandle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgjobs.wire import Schedule


class ScheduleCalls(JobCalls):
    """The part of a `JobClient` that asks about schedules; what they make are jobs."""

    def schedules(self, namespace: str | None = None) -> Sequence[Schedule]:
        """Schedules as they are now, those of the client's namespace, or of all that the caller may list."""
        return self._transport.send(endpoints.schedules(namespace or self._namespace))

    def run_schedule(self, name: str, namespace: str | None = None, id: str | None = None) -> JobHandle:  # noqa: A002 - as in `enqueue`
        """Run the job of a schedule now, also if it is paused, and whatever its concurrency policy is.

        Args:
            name: of the schedule.
            namespace: of the schedule; default: that of the client.
            id: of the job, a UUIDv7; default: a new one. Sent again, the same id is the same job.

        Raises:
            NotFoundError: if there is no such schedule.
            ConfigurationError: if no namespace is known.
            InvalidJobError: if the queue does not allow the call.
            UnreachableError: naming the id; whether the job is stored is unknown, so call again with it.
        """
        job = self._transport.send(endpoints.run_schedule(self._where(namespace), name, id))
        return JobHandle(self, job.id, job)

    def pause_schedule(self, name: str, namespace: str | None = None) -> Schedule:
        """Have a schedule make no more jobs; what it has made goes on. The operator does so within moments.

        Raises:
            NotFoundError: if there is no such schedule.
            ConfigurationError: if no namespace is known.
        """
        return self._transport.send(endpoints.suspend_schedule(self._where(namespace), name, suspend=True))

    def resume_schedule(self, name: str, namespace: str | None = None) -> Schedule:
        """Have a schedule make jobs again, from its next tick on; see `pause_schedule`."""
        return self._transport.send(endpoints.suspend_schedule(self._where(namespace), name, suspend=False))

    def _where(self, namespace: str | None) -> str:
        return endpoints.named(namespace or self._namespace)
