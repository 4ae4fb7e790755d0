"""What is printed where standard output cannot carry it: escaped, and never a mistake of the command."""

from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from bgjobs.cli import app
from tests.unit.cli.fakes import JOB_ID, JOBS, job, log_part, problem, queue

if TYPE_CHECKING:
    from tests.unit.cli.fakes import FakeApi, Terminal

ONE = f"{JOBS}/{JOB_ID}"
PARTY = "Größe \U0001f389"
ERROR = {"type": "ValueError", "message": PARTY, "traceback": f"ValueError: {PARTY}"}
ATTEMPT = {"number": 1, "pod_name": "p", "started_at": "2026-11-24T09:58:00Z", "outcome": "error", "error": ERROR}


@pytest.fixture(autouse=True)
def answers(api: FakeApi) -> None:
    shown = job(
        state="failed", outcome="error", error=ERROR, attempt=1, parameters=[PARTY], note=PARTY, has_result=True,
        progress={"done": 1.0, "total": 2.0, "message": PARTY},
    )  # fmt: skip
    api.on("GET", JOBS, {"items": [shown], "next_cursor": None})
    api.on("GET", ONE, shown)
    api.on("POST", JOBS, shown)
    api.on("POST", f"{ONE}/cancel", shown)
    api.on("POST", f"{ONE}/rerun", shown)
    api.on("GET", f"{ONE}/attempts", {"items": [ATTEMPT]})
    api.on("GET", f"{ONE}/result", {"value": PARTY})
    api.on("GET", f"{ONE}/log", log_part(PARTY.encode(), complete=True))
    api.on("GET", f"{ONE}/attempts/1/log", log_part(PARTY.encode(), complete=True))
    api.on("GET", "/api/v1/queues", {"items": [queue(image=PARTY)]})


def run_in_ascii(terminal: Terminal, monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[int, bytes, bytes]:
    """As with PYTHONIOENCODING=ascii."""
    out, err = io.BytesIO(), io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out, "ascii", write_through=True))
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(err, "ascii", write_through=True))
    code = app.execute(app.build(), list(words), "bgjobs", terminal.world())
    return code, out.getvalue(), err.getvalue()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["list"], 0),
        (["list", "-o", "json"], 0),
        (["list", "-o", "yaml"], 0),
        (["show", JOB_ID], 0),
        (["show", JOB_ID, "-o", "yaml"], 0),
        (["result", JOB_ID], 0),
        (["wait", JOB_ID], 1),
        (["run", "shop.jobs.Mail.send", "-a", PARTY, "-w", "-o", "table"], 1),
        (["run", "shop.jobs.Größe.messen"], 2),
        (["rerun", JOB_ID, "-o", "json"], 0),
        (["cancel", JOB_ID, "--note", PARTY, "-o", "table"], 0),
        (["queues"], 0),
        (["show", PARTY], 3),
        (["run", "--help"], 0),
    ],
    ids=ascii,
)
def test_every_command(terminal: Terminal, monkeypatch: pytest.MonkeyPatch, words: list[str], code: int) -> None:
    ended, out, err = run_in_ascii(terminal, monkeypatch, *words)

    assert (ended, err.count(b"this is a bug")) == (code, 0)
    assert (out + err).isascii()


@pytest.mark.parametrize(
    "words",
    [["result", JOB_ID], ["show", JOB_ID, "-o", "json"], ["show", JOB_ID, "-o", "yaml"]],
    ids=["result", "json", "yaml"],
)
def test_what_programs_read_is_escaped_as_its_format_says(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    _, out, _ = run_in_ascii(terminal, monkeypatch, *words)

    found: Any = yaml.safe_load(out) if words[-1] == "yaml" else json.loads(out)
    assert PARTY in (found, found["parameters"][0] if isinstance(found, dict) else None)


def test_a_log_is_printed_byte_for_byte(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_in_ascii(terminal, monkeypatch, "logs", JOB_ID)[1] == PARTY.encode()


def test_a_refusal_in_other_letters(terminal: Terminal, api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    api.answers[("GET", ONE)] = [problem(403, PARTY)]

    code, _, err = run_in_ascii(terminal, monkeypatch, "show", JOB_ID)

    assert (code, err) == (4, b"bgjobs: Gr\\xf6\\xdfe \\U0001f389\n")


def test_where_it_can_be_shown_nothing_is_escaped(terminal: Terminal) -> None:
    assert terminal.run("result", JOB_ID).text == f'"{PARTY}"\n'
