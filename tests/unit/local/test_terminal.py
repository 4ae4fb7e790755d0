"""What is printed on the terminal."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from bgjobs.job_spec import CompleteSpec
from bgjobs.vocabulary import State
from bgjobs_core.jobs.record import FullJob
from bgjobs_local.launcher.controller import KubeJob
from bgjobs_local.terminal.console import LINES_A_SECOND, MAX_LINE_CHARACTERS, Console
from bgjobs_local.terminal.job_follower import notice_of_change, snapshot

JOB = FullJob(
    id="01a20f3f-a664-7b60-ba3d-3e96efc89ccf", namespace="shop",
    spec=CompleteSpec(cls="shop.jobs.Invoices", method="render", max_retries=2, timeout_seconds=60),
    parameters=b"[]", state=State.QUEUED, rev=1, attempt=0,
    created_by="ada", created_at=1000, changed_at=1000, logs_seconds=60,
)  # fmt: skip
ERROR = b'{"type": "ValueError", "message": "no\\nmore", "traceback": "..."}'


def job(state: State, **more: Any) -> FullJob:
    return replace(JOB, state=state, **more)


@pytest.mark.parametrize(
    ("record", "text", "good"),
    [
        (job(State.QUEUED), "queued", None),
        (job(State.SCHEDULED, not_before=61_000), "due in 60 s", None),
        (job(State.SCHEDULED, not_before=6_000, reason="no room"), "postponed by 5 s: no room", None),
        (job(State.LAUNCHED, phase="running", attempt=1), "started", None),
        (job(State.LAUNCHED, phase="running", attempt=2), "attempt 2 of 3", None),
        (
            job(State.LAUNCHED, phase="retrying", attempt=1, last_outcome="error", error=ERROR),
            "attempt 1 of 3 ended: ValueError: no; another attempt follows",
            False,
        ),
        (
            job(State.LAUNCHED, phase="retrying", attempt=1, last_outcome="lost"),
            "attempt 1 of 3 ended: lost; another attempt follows",
            False,
        ),
        (
            job(State.LAUNCHED, phase="ending", attempt=3, last_outcome="error", error=ERROR),
            "attempt 3 of 3 ended: ValueError: no",
            False,
        ),
        (job(State.STOPPING), "told to stop", None),
        (job(State.SUCCEEDED, started_at=1000, finished_at=2500, result=b"[5]"), "succeeded in 1.5 s: [5]", True),
        (job(State.SUCCEEDED, finished_at=2500), "succeeded in 0.0 s", True),
        (job(State.FAILED, outcome="error", error=ERROR), "failed: ValueError: no", False),
        (job(State.FAILED, outcome="rejected", error=ERROR), "failed: rejected, ValueError: no", False),
        (
            job(State.FAILED, outcome="lost", reason="its KubeJob was deleted"),
            "failed: lost: its KubeJob was deleted",
            False,
        ),
        (job(State.CANCELLED, stopped_by="ada"), "cancelled by ada", None),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_news(record: FullJob, text: str, good: bool | None) -> None:
    told = notice_of_change(None, record)
    assert told is not None
    assert (told.text, told.good) == (text, good)
    assert notice_of_change(snapshot(record), record) is None


def test_a_long_result_is_cut() -> None:
    told = notice_of_change(None, job(State.SUCCEEDED, result=b'"' + b"x" * 5000 + b'"'))
    assert told is not None
    assert len(told.text) < 200


def _unstyled(line: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", line)


@dataclass
class Screen:
    """Lines without their time and colours."""

    lines: list[str] = field(default_factory=list[str])
    now: float = 0.0

    def terminal(self) -> Console:
        return Console(lambda line: self.lines.append(_unstyled(line)[9:]), lambda: self.now)


KUBE_JOB = KubeJob(
    namespace="shop", name="bgjob-1", uid="u", job_id=JOB.id, label="Invoices.render", backoff_limit=0,
    grace_seconds=30, created_at=0,
)  # fmt: skip
PREFIX = "Invoices.render c89ccf         "


def test_lines_say_whose_they_are_and_are_put_together_from_pieces() -> None:
    screen = Screen()
    terminal = screen.terminal()
    for piece in (b"one\ntw", b"o\nthree ", b"and more"):
        terminal.feed(KUBE_JOB, "stdout", piece)
    assert screen.lines == [f"{PREFIX}│ one", f"{PREFIX}│ two"]
    terminal.feed(KUBE_JOB, "stdout", b"")
    assert screen.lines[2:] == [f"{PREFIX}│ three and more"]


def test_both_streams_are_kept_apart() -> None:
    screen = Screen()
    terminal = screen.terminal()
    terminal.feed(KUBE_JOB, "stdout", b"to be ")
    terminal.feed(KUBE_JOB, "stderr", b"careful\n")
    terminal.feed(KUBE_JOB, "stdout", b"continued\n")
    assert screen.lines == [f"{PREFIX}│ careful", f"{PREFIX}│ to be continued"]


def test_who_prints_too_much_is_cut_short_and_told_where_the_rest_is() -> None:
    screen = Screen()
    terminal = screen.terminal()
    terminal.feed(KUBE_JOB, "stdout", b"x\n" * 5000)
    assert len(screen.lines) == LINES_A_SECOND
    screen.now = 1.0
    terminal.feed(KUBE_JOB, "stdout", b"y\n")
    assert screen.lines[LINES_A_SECOND:] == [
        f"{PREFIX}... 4,900 more lines, which this command shows: bgjobs logs c89ccf",
        f"{PREFIX}│ y",
    ]
    terminal.feed(KUBE_JOB, "stdout", b"z" * 100_000)
    assert len(screen.lines[-1]) < MAX_LINE_CHARACTERS + 60


def test_a_job_cannot_take_the_terminal_over() -> None:
    seen: list[str] = []
    terminal = Console(seen.append, lambda: 0.0)
    terminal.feed(KUBE_JOB, "stdout", b"\x1b[2J\x1b]0;title\x07\x1b[31mred\x1b[0m\x00 \xff caf\xc3\xa9\r\n")
    assert seen[0].removesuffix("\x1b[0m").endswith("\x1b[31mred\x1b[0m \ufffd café")
    assert "\x1b[2J" not in seen[0]
    assert "\x1b]" not in seen[0]


def test_nor_can_what_it_raises() -> None:
    seen: list[str] = []
    Console(seen.append).job("A.b", JOB.id, "failed: \x1b]0;owned\x07 \x9b2J")
    assert "\x1b]" not in seen[0]
    assert "\x9b" not in seen[0]
    assert "owned" in seen[0]
