"""Waiting for a job, its result and its log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from bgjobs import JobFailedError

from .conftest import JOB_ID, job

if TYPE_CHECKING:
    from .conftest import FakeServer


def log_part(content: bytes, complete: bool) -> httpx2.Response:
    return httpx2.Response(200, content=content, headers={"Bgjobs-Log-Complete": str(complete).lower()})


def test_the_state_is_what_was_last_heard(server: FakeServer) -> None:
    server.reply(job(state="queued"), job(state="launched"))
    handle = server.handle()

    assert repr(handle) == f"<JobHandle {JOB_ID}>"
    assert [handle.state, handle.state] == ["queued", "queued"]
    assert handle.refresh().state == "launched"
    assert handle.state == "launched"
    assert len(server.requests) == 2


def test_why_it_does_not_run(server: FakeServer) -> None:
    why = {"gate": "queue", "code": "queue_paused", "message": "The queue is paused.", "remedy": "kubectl patch"}
    server.reply({"id": JOB_ID, "state": "queued", "why": why, "message": "The queue is paused."})

    found = server.handle().why()

    assert found.why is not None
    assert (found.why.code, found.why.remedy) == ("queue_paused", "kubectl patch")
    assert server.requests[-1].url.path == f"/api/v1/jobs/{JOB_ID}/why"


def test_wait_asks_until_the_end(server: FakeServer) -> None:
    server.reply(*[job(state="launched")] * 8, job(state="failed"))

    assert server.handle().wait(poll=1).state == "failed"
    assert server.slept[0] == 0.2
    assert server.slept == sorted(server.slept)
    assert max(server.slept) == 1


def test_wait_gives_up_in_time(server: FakeServer) -> None:
    server.reply(job(state="launched"))

    with pytest.raises(TimeoutError, match=r"is still launched after 2\.5 s"):
        server.handle().wait(timeout=2.5)

    assert sum(server.slept) == pytest.approx(2.5)


def test_a_wait_of_nothing_is_one_question(server: FakeServer) -> None:
    server.reply(job(state="queued"))

    with pytest.raises(TimeoutError):
        server.handle().wait(timeout=0)

    assert (len(server.requests), server.slept) == (1, [])


def test_a_result_is_waited_for(server: FakeServer) -> None:
    server.reply(job(state="launched"), job(state="succeeded", has_result=True), {"value": {"invoices": 5}})

    assert server.handle().result() == {"invoices": 5}


def test_a_job_without_a_result_gives_none(server: FakeServer) -> None:
    server.reply(job(state="succeeded"))

    assert server.handle().result() is None


@pytest.mark.parametrize(
    ("ended", "words", "traceback"),
    [
        (
            {"state": "failed", "outcome": "error", "error": {"type": "E", "message": "no", "traceback": "T"}},
            "failed (error): E: no",
            "T",
        ),
        ({"state": "failed", "outcome": "lost", "reason": "node gone"}, "failed (lost): node gone", None),
        ({"state": "cancelled", "outcome": "cancelled", "reason": "by ann"}, "cancelled (cancelled): by ann", None),
        ({"state": "cancelled"}, "cancelled: no reason is known", None),
    ],
    ids=["error", "lost", "cancelled", "unknown"],
)
def test_a_failed_job_raises(server: FakeServer, ended: dict[str, Any], words: str, traceback: str | None) -> None:
    server.reply(job(**ended))

    with pytest.raises(JobFailedError) as caught:
        server.handle().result()

    assert f"shop.jobs.Mail.send ({JOB_ID}) {words}" in str(caught.value)
    assert (caught.value.state, caught.value.outcome) == (ended["state"], ended.get("outcome"))
    assert caught.value.traceback == traceback


def test_cancel_is_remembered(server: FakeServer) -> None:
    server.reply(job(state="stopping"))
    handle = server.handle()

    assert handle.cancel("by mistake").state == "stopping"
    assert handle.state == "stopping"
    assert len(server.requests) == 1


def test_a_log_as_it_is(server: FakeServer) -> None:
    server.answers.append(log_part(b"one\n", complete=True))

    assert server.handle().logs() == "one\n"


def test_following_one_attempt(server: FakeServer) -> None:
    euro = "€".encode()
    server.reply(job(state="launched", attempt=2))
    server.answers.extend(
        [
            log_part(b"one " + euro[:2], complete=False),
            log_part(b"", complete=False),
            log_part(euro[2:] + b"\n", complete=False),
            log_part(b"", complete=True),
        ]
    )

    assert list(server.handle().logs(2, follow=True)) == ["one ", "€\n"]
    assert [request.url.query for request in server.requests[1:]] == [
        b"offset=0",
        b"offset=6",
        b"offset=6",
        b"offset=8",
    ]


def test_following_a_log_whose_middle_is_left_out(server: FakeServer) -> None:
    far = {"Bgjobs-Log-Complete": "false", "Bgjobs-Log-Next-Offset": "1099511628000"}
    server.reply(job(state="launched", attempt=1))
    server.answers.extend([httpx2.Response(200, content=b"long", headers=far), log_part(b" end", complete=True)])

    assert "".join(server.handle().logs(1, follow=True)) == "long end"
    assert server.requests[-1].url.query == b"offset=1099511628000"


def test_following_a_job_goes_from_attempt_to_attempt(server: FakeServer) -> None:
    server.reply(job(attempt=0), job(attempt=0), job(attempt=1, state="launched"))
    server.answers.append(log_part(b"first\n", complete=True))
    server.reply(job(attempt=1, state="launched"), job(attempt=2, state="launched"))
    server.answers.append(log_part(b"second\n", complete=True))
    server.reply(job(attempt=2, state="succeeded"))

    assert list(server.handle().logs(follow=True)) == ["first\n", "second\n"]


def test_following_a_job_that_never_ran_ends(server: FakeServer) -> None:
    server.reply(job(state="cancelled"))

    assert list(server.handle().logs(follow=True)) == []
