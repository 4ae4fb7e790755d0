"""Calls as a program makes them, one by one or many at once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from bgjobs import Call

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgjobs import JobClient
    from bgjobs_core.jobs.record import NewJob


def a_call(job: NewJob) -> Call:
    """The call that would make such a job."""
    return Call(job.spec.cls, job.spec.method, json.loads(job.asked.parameters), queue=job.spec.queue)


def send(client: JobClient, call: Call) -> None:
    """Enqueue one alone."""
    client.enqueue(call.cls, call.method, call.parameters, **call.options)


def send_many(client: JobClient, calls: Sequence[Call]) -> None:
    """Enqueue them at once."""
    client.enqueue_many(calls)
