"""How the doctor's findings stand on a terminal."""

from __future__ import annotations

from bgjobs.cli.doctor import report
from bgjobs.cli.doctor.checks import Finding, Level

COMMAND = "kubectl exec -n bgjobs statefulset/bgjobs-redis -- redis-cli config set maxmemory-policy noeviction"
FOUND = [
    Finding(Level.OK, "it answers"),
    Finding(Level.FAIL, "Redis has maxmemory-policy allkeys-lru: it drops jobs when it is full of them", COMMAND),
    Finding(Level.WARN, "two\nlines", "words that say what to do about it, more of them than there is room for in one"),
]


def test_on_a_terminal_words_are_wrapped_and_commands_are_not() -> None:
    assert report.lines(FOUND, colour=False, width=60) == [
        "ok    it answers",
        "FAIL  Redis has maxmemory-policy allkeys-lru: it drops jobs",
        "      when it is full of them",
        f"      {COMMAND}",
        "warn  two lines",
        "      words that say what to do about it, more of them than",
        "      there is room for in one",
    ]


def test_into_a_pipe_each_is_one_line() -> None:
    said = report.lines(FOUND, colour=False, width=None)
    assert len(said) == 5
    assert said[1:3] == [f"FAIL  {FOUND[1].what}", f"      {COMMAND}"]


def test_in_colour() -> None:
    assert report.lines(FOUND[:1], colour=True, width=80) == ["\x1b[32mok    \x1b[0mit answers"]
