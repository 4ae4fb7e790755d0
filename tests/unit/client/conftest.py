from __future__ import annotations

import asyncio
import json
from collections import deque
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from bgjobs import AsyncJobClient, JobClient
from bgjobs.client.job_handle import JobHandle

if TYPE_CHECKING:
    from collections.abc import Iterator

JOB_ID = "0192f0c1-2a3b-7c4d-8e5f-001122334455"
URL = "http://127.0.0.1:8000"


def job(**changes: Any) -> dict[str, Any]:
    """A job as the API shows it."""
    shown: dict[str, Any] = {
        "id": JOB_ID,
        "namespace": "team-a",
        "queue": "default",
        "class": "shop.jobs.Mail",
        "method": "send",
        "parameters": [],
        "priority": 0,
        "state": "queued",
        "max_retries": 3,
        "timeout_seconds": 3600,
        "created_at": "2026-11-24T10:00:00Z",
        "changed_at": "2026-11-24T10:00:00Z",
        "created_by": "system:serviceaccount:team-a:web",
        "rev": 1,
    }
    return shown | changes


def problem(status: int, detail: str = "no", **more: Any) -> httpx2.Response:
    body = {"title": "Problem", "status": status, "detail": detail, "code": "some_code"} | more
    return httpx2.Response(status, json=body, headers={"Content-Type": "application/problem+json"})


class FakeServer(httpx2.BaseTransport, httpx2.AsyncBaseTransport):
    """Answers what is scripted, the last answer again and again; an exception is raised."""

    def __init__(self) -> None:
        self.answers: deque[httpx2.Response | Exception] = deque()
        self.requests: list[httpx2.Request] = []
        self.slept: list[float] = []

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        answer = self.answers.popleft() if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx2.Response(answer.status_code, content=answer.content, headers=answer.headers)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        await asyncio.sleep(0)
        return self.handle_request(request)

    def reply(self, *bodies: Any, status: int = 200) -> None:
        self.answers.extend(httpx2.Response(status, json=body) for body in bodies)

    def body(self, number: int = -1) -> dict[str, Any]:
        return json.loads(self.requests[number].content)

    def client(self, **options: Any) -> JobClient:
        """A client of this server whose sleeps take no time."""
        options.setdefault("url", URL)
        return JobClient(transport=self, sleep=self.slept.append, environ={}, **options)

    def async_client(self, **options: Any) -> AsyncJobClient:
        """The same for asyncio."""

        async def sleep(seconds: float) -> None:
            self.slept.append(seconds)

        options.setdefault("url", URL)
        options.setdefault("sleep", sleep)
        return AsyncJobClient(transport=self, environ={}, **options)

    def handle(self) -> JobHandle:
        return JobHandle(self.client(), JOB_ID, clock=lambda: sum(self.slept))


@pytest.fixture
def server() -> FakeServer:
    return FakeServer()


@pytest.fixture
def client(server: FakeServer) -> Iterator[JobClient]:
    with server.client() as made:
        yield made
