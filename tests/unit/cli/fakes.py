"""An API that answers as a test says, and a kubectl that is a shell script."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from bgjobs.cli import app
from bgjobs.cli.session import World

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

URL = "http://127.0.0.1:8000"
JOB_ID = "0192f0c1-2a3b-7c4d-8e5f-001122334455"
OTHER_ID = "0192f0c1-2a3b-7c4d-8e5f-99aabbccddee"
NOW = 1_795_514_400.0  # 2026-11-24T10:00:00Z
JOBS = "/api/v1/jobs"


def job(**changes: Any) -> dict[str, Any]:
    """A job as the API shows it, with every field."""
    shown: dict[str, Any] = {
        "id": JOB_ID, "namespace": "shop", "queue": "default", "class": "shop.jobs.Mail", "method": "send",
        "parameters": [], "priority": 0, "state": "queued", "phase": None, "reason": None, "why": None,
        "last_outcome": None, "outcome": None,
        "error": None, "progress": None, "has_result": False, "attempt": 0, "max_retries": 3, "timeout_seconds": 3600.0,
        "has_checkpoint": False, "checkpoint": None,
        "expires_after_seconds": None, "expires_at": None, "paused_by": None, "paused_at": None,
        "delay_seconds": 0.0, "labels": {}, "concurrency_key": None, "traceparent": None,
        "unique_key": None, "unique_mode": None, "unique_for_seconds": None, "unique": None, "replaced_id": None,
        "key_taken_by": None,
        "retry_on": None, "abort_on": [], "backoff_seconds": None, "backoff_cap_seconds": None,
        "image": None, "created_at": "2026-11-24T09:57:00Z", "not_before": None, "queued_at": None,
        "launched_at": None, "started_at": None, "finished_at": None, "changed_at": "2026-11-24T09:57:00Z",
        "created_by": "system:serviceaccount:shop:web", "stopped_by": None, "note": None, "request": None,
        "rerun_of": None, "batch": None, "needs": 0, "on_parent_failure": None, "parents": None, "children": None,
        "kube_job": None, "kube_uid": None, "rev": 1,
    }  # fmt: skip
    return shown | changes


def queue(**changes: Any) -> dict[str, Any]:
    """A queue as the API shows it."""
    shown: dict[str, Any] = {
        "namespace": "shop", "name": "default", "paused": False, "paused_by": None, "paused_at": None,
        "paused_note": None,
        "max_concurrent": 10, "limits": None, "owned": 1, "queued": 0,
        "image": "shop:1", "approved_classes": ["shop.jobs.*"],
    }  # fmt: skip
    return shown | changes


def schedule(**changes: Any) -> dict[str, Any]:
    """A schedule as the API shows it."""
    shown: dict[str, Any] = {
        "namespace": "shop", "name": "nightly", "times": "30 2 * * * Europe/Berlin", "suspended": False, "wish": None,
        "queue": "default", "class": "shop.jobs.Mail", "method": "send", "concurrency_policy": "Forbid",
        "last_tick": "2026-11-24T01:30:00Z", "next_tick": "2026-11-25T01:30:00Z", "last_job_id": JOB_ID,
        "active": [JOB_ID], "missed": [{"tick": "2026-11-23T01:30:00Z", "reason": "operator away"}],
        "ready": True, "reason": "Scheduled", "message": "a job is made at each tick",
    }  # fmt: skip
    return shown | changes


def problem(status: int, detail: str = "no", **more: Any) -> httpx2.Response:
    """An error as the API answers it."""
    body = {"title": "Problem", "status": status, "detail": detail, "code": "some_code"} | more
    return httpx2.Response(status, json=body, headers={"Content-Type": "application/problem+json"})


def log_part(content: bytes, *, complete: bool) -> httpx2.Response:
    """A piece of log."""
    return httpx2.Response(200, content=content, headers={"Bgjobs-Log-Complete": str(complete).lower()})


class FakeApi(httpx2.BaseTransport):
    """Answers by method and path: what is scripted, the last answer again and again; an exception is raised."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str], list[httpx2.Response | Exception]] = {}
        self.requests: list[httpx2.Request] = []

    def on(self, verb: str, path: str, *answers: Any) -> None:
        """What comes for it: a body, a response or an exception, one after the other."""
        made = [
            one if isinstance(one, (httpx2.Response, Exception)) else httpx2.Response(200, json=one) for one in answers
        ]
        self.answers.setdefault((verb, path), []).extend(made)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        answers = self.answers.get((request.method, request.url.path))
        if answers is None:
            return problem(404, f"nothing is at {request.method} {request.url.path}")
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx2.Response(answer.status_code, content=answer.content, headers=answer.headers)

    def bodies(self, verb: str = "POST") -> list[dict[str, Any]]:
        """What was sent."""
        return [json.loads(one.content) for one in self.requests if one.method == verb]

    def queries(self) -> list[dict[str, str]]:
        """What was asked, in order."""
        return [dict(one.url.params) for one in self.requests]


@dataclass(frozen=True)
class Ran:
    """How the command ended.

    Attributes:
        out: standard output, as bytes.
        err: standard error.
    """

    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        """Standard output."""
        return self.out.decode()


@dataclass
class Terminal:
    """Where the command is called."""

    capture: pytest.CaptureFixture[bytes]
    folder: Path
    api: FakeApi = field(default_factory=FakeApi)
    environ: dict[str, str] = field(default_factory=lambda: {"BGJOBS_URL": URL, "PATH": ""})
    slept: list[float] = field(default_factory=list[float])
    is_tty: bool = False
    on_sleep: Callable[[], None] | None = None
    more: Mapping[str, Callable[..., Any]] = field(default_factory=dict[str, "Callable[..., Any]"])

    def sleep(self, seconds: float) -> None:
        """Takes no time but by the clock of the command."""
        self.slept.append(seconds)
        if self.on_sleep is not None:
            self.on_sleep()

    def world(self, *, kubectl_only: bool = False) -> World:
        """What is around the command; only the API is reached, and no file but the folder's."""
        return World(
            environ=self.environ,
            folder=self.folder,
            kubectl_only=kubectl_only,
            transport=self.api,
            sleep=self.sleep,
            clock=lambda: sum(self.slept),
            now=lambda: NOW,
        )

    def run(self, *arguments: str, kubectl_only: bool = False) -> Ran:
        """Call `bgjobs` with these words."""
        built = app.build(kubectl=kubectl_only, more=self.more)
        prog = "kubectl bgjobs" if kubectl_only else "bgjobs"
        with pytest.MonkeyPatch.context() as patch:
            for stream in (sys.stdout, sys.stderr):
                patch.setattr(stream, "isatty", lambda: self.is_tty)
            code = app.execute(built, list(arguments), prog, self.world(kubectl_only=kubectl_only))
        said = self.capture.readouterr()
        return Ran(code, said.out, said.err.decode())
