"""The command `why`, and what `show` says of a job that does not run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.unit.cli.fakes import JOB_ID, JOBS, job

if TYPE_CHECKING:
    from tests.unit.cli.fakes import FakeApi, Terminal

ONE = f"{JOBS}/{JOB_ID}"
PENDING: dict[str, Any] = {
    "gate": "pod",
    "code": "image_pull",
    "message": "ErrImagePull: no\x1b[2J such image",
    "since": "2026-11-24T09:58:00Z",
    "next_try_at": None,
    "fails_at": "2026-11-24T10:28:00Z",
    "remedy": "kubectl describe pods -n shop",
}


def test_why_says_what_mends_it(terminal: Terminal, api: FakeApi) -> None:
    answer = {"id": JOB_ID, "state": "launched", "phase": "pending", "why": PENDING, "message": PENDING["message"]}
    api.on("GET", f"{ONE}/why", answer)

    assert terminal.run("why", JOB_ID).text.splitlines() == [
        f"job:        {JOB_ID}",
        "state:      pending",
        "why:        ErrImagePull: no [2J such image",
        "gate:       pod",
        "code:       image_pull",
        "since:      2026-11-24 09:58:00Z",
        "given up:   2026-11-24 10:28:00Z",
        "remedy:     kubectl describe pods -n shop",
    ]
    assert json.loads(terminal.run("why", JOB_ID, "-o", "json").text)["why"]["remedy"] == PENDING["remedy"]


def test_why_of_a_job_that_runs(terminal: Terminal, api: FakeApi) -> None:
    answer = {"id": JOB_ID, "state": "launched", "phase": "running", "why": None, "message": "It runs: attempt 1."}
    api.on("GET", f"{ONE}/why", answer)

    assert terminal.run("why", JOB_ID).text.splitlines()[1:] == [
        "state:      running",
        "why:        It runs: attempt 1.",
    ]


def test_show_has_the_remedy_too_also_of_a_code_that_this_version_does_not_know(
    terminal: Terminal, api: FakeApi
) -> None:
    api.on(
        "GET", ONE, job(state="launched", phase="pending", why=PENDING | {"code": "a_new_one", "gate": "a_new_gate"})
    )
    api.on("GET", f"{ONE}/attempts", {"items": []})

    lines = terminal.run("show", JOB_ID).text.splitlines()

    assert "given up:   2026-11-24 10:28:00Z" in lines
    assert "remedy:     kubectl describe pods -n shop" in lines
