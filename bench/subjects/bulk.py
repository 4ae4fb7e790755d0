"""Many jobs by one call of `JobClient`, where it can take them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from bgjobs import JobClient
from bgjobs.client.request import build_request

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgjobs_core.jobs.record import NewJob


class Call(NamedTuple):
    """A call as a program makes it."""

    cls: str
    method: str
    parameters: list[Any]
    queue: str

    def send(self, client: JobClient) -> None:
        """Enqueue it alone."""
        client.enqueue(self.cls, self.method, self.parameters, queue=self.queue)


def a_call(job: NewJob) -> Call:
    """The call that would make such a job."""
    return Call(job.spec.cls, job.spec.method, json.loads(job.asked.parameters), job.spec.queue)


def is_there() -> bool:
    """Whether the client can enqueue many jobs at once."""
    return hasattr(JobClient, "enqueue_many")


def send_many(client: JobClient, calls: Sequence[Call]) -> None:
    """Enqueue them at once; each request is made within, as a program makes them."""
    many: Any = client
    many.enqueue_many([build_request(one.cls, one.method, one.parameters, queue=one.queue) for one in calls])
