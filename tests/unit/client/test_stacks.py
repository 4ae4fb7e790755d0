"""What a running job does, as a program asks for it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from bgjobs import enqueue
from bgjobs.client.async_job_handle import AsyncJobHandle
from bgjobs.errors import ConflictError
from bgjobs.testing import eager
from bgjobs.vocabulary import StackState

from .conftest import JOB_ID

if TYPE_CHECKING:
    from bgjobs import JobHandle

    from .conftest import FakeServer

ANSWERS: list[dict[str, Any]] = [
    {"number": 2},
    {"number": 2, "state": "asked", "attempt": 1, "asked_at": "2026-11-24T10:00:00Z"},
    {
        "number": 2, "state": "taken", "attempt": 1, "asked_at": "2026-11-24T10:00:00Z",
        "taken_at": "2026-11-24T10:00:04Z", "text": "Main thread",
    },
]  # fmt: skip


def test_a_handle_waits_for_the_answer(server: FakeServer) -> None:
    server.reply(*ANSWERS)

    found = server.handle().stack()

    assert (found.state, found.text, server.slept) == (StackState.TAKEN, "Main thread", [0.2])
    assert [(one.method, one.url.path) for one in server.requests] == [
        ("POST", f"/api/v1/jobs/{JOB_ID}/stack"),
        ("GET", f"/api/v1/jobs/{JOB_ID}/stack"),
        ("GET", f"/api/v1/jobs/{JOB_ID}/stack"),
    ]


async def test_so_does_an_async_one(server: FakeServer) -> None:
    server.reply(*ANSWERS)

    async with server.async_client() as client:
        found = await AsyncJobHandle(client, JOB_ID).stack(timeout=5)

    assert (found.text, server.slept) == ("Main thread", [0.2])


def test_it_does_not_wait_for_ever(server: FakeServer) -> None:
    server.reply(*ANSWERS[:2])

    with pytest.raises(TimeoutError, match="has not answered within 3 s"):
        server.handle().stack(timeout=3)

    assert sum(server.slept) == pytest.approx(3)


HANDLES: list[JobHandle] = []


class Looks:
    def at_itself(self) -> str | None:
        text: list[str | None] = []
        thread = threading.Thread(target=lambda: text.append(HANDLES.pop().stack().text))
        thread.start()
        thread.join()
        return text[0]


def test_in_a_test_a_job_that_does_not_run_has_none() -> None:
    with eager(run=False) as jobs:
        waiting = enqueue(Looks.at_itself)
        with pytest.raises(ConflictError, match="its code does not run; it is queued"):
            waiting.stack()
        HANDLES.append(waiting)
        jobs.run_all()
        with pytest.raises(ConflictError, match="it has ended, and is succeeded"):
            waiting.stack()


def test_in_a_test_one_that_runs_shows_the_threads_beside_the_one_that_asks() -> None:
    with eager(run=False) as jobs:
        HANDLES.append(enqueue(Looks.at_itself))
        jobs.run_all()

    assert "in Looks.at_itself\n" in str(jobs.last.result)
