"""The stacks of a process as text, and who may send odd ones: job code."""

from __future__ import annotations

import signal
import threading
from typing import Any

import pytest

from bgjobs.protocol import MAX_STACK_BYTES
from bgjobs.runner import job_code, stack_text, stacks
from bgjobs.runner.frames import FrameReader, FrameSender
from bgjobs.runner.termination import STOPPED, TIMED_OUT, Plan, Situation, plan

JOB = ["/app/shop/jobs.py", 41, "Invoices.render"]
START = ["<string>", 1, "<module>"]
OWN = [job_code.__file__, 120, "call"]
DUMP = b"""Stack (most recent call first):
  File "/app/shop/jobs.py", line 41 in render
  File "%s", line 117 in call
  File "<string>", line 1 in <module>
""" % job_code.__file__.encode()


def found(**changes: Any) -> dict[str, Any]:
    thread = {"name": "MainThread", "daemon": False, "main": True, "frames": [OWN, JOB], "left_out": 0}
    return {"threads": [thread], "more": 0, "tasks": [], "more_tasks": 0, **changes}


def test_the_frames_before_the_jobs_own_are_not_shown() -> None:
    frames = [START, OWN, ["<frozen importlib._bootstrap>", 1, "_load"], JOB]
    threads = [{"name": "", "daemon": False, "main": True, "frames": frames, "left_out": 0}]

    text = stack_text.from_python(found(threads=threads))

    assert text == 'Main thread (the innermost call last):\n  File "/app/shop/jobs.py", line 41, in Invoices.render\n'


def test_how_the_process_was_started_is_not_shown() -> None:
    threads = [{"name": "", "daemon": False, "main": True, "frames": [START, JOB], "left_out": 0}]

    assert "<string>" not in stack_text.from_python(found(threads=threads))


def test_what_has_only_frames_of_ours_keeps_them() -> None:
    threads = [{"name": "", "daemon": False, "main": True, "frames": [OWN], "left_out": 0}]

    assert "job_code.py" in stack_text.from_python(found(threads=threads))


def test_what_c_code_has_written_reads_the_same_way() -> None:
    shown = stack_text.of_thread("Main thread", DUMP)

    assert shown.frames == (("/app/shop/jobs.py", 41, "render"),)
    assert "outer calls are left out" in stack_text.from_threads([stack_text.of_thread("x", DUMP + b"  ...\n")], [])


@pytest.mark.parametrize("written", [b"", b"\xff\0", b"Stack (most recent call first):\n  <no Python frame>\n"])
def test_c_code_that_has_written_nothing_of_use(written: bytes) -> None:
    shown = stack_text.of_thread("Thread 7", written)

    assert (shown.frames, shown.why_not) == ((), "It runs no Python code.")


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"threads": 7},
        found(threads=[{}]),
        found(threads=[{"name": 1, "frames": [[1]], "left_out": 0, "main": 0, "daemon": 0}]),
        found(more="many"),
        found(tasks=[{"count": None}]),
        found(tasks=[{"count": 1, "names": None, "frames": []}]),
        found(threads=[{"name": "x", "frames": [["f", "x", "g"]], "left_out": 0, "main": 0, "daemon": 0}]),
    ],
)
def test_what_job_code_sends_in_its_place_is_no_answer(odd: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        stack_text.from_python(odd)


def test_text_is_bounded_and_says_so() -> None:
    frames = [["é" * 300, number, "f"] for number in range(1000)]
    threads = [{"name": "", "daemon": False, "main": True, "frames": frames, "left_out": 0}]

    text = stack_text.from_python(found(threads=threads))

    assert len(text.encode()) <= MAX_STACK_BYTES
    assert text.endswith("(the rest is left out: this text has its full length)\n")


def test_names_cannot_move_the_cursor() -> None:
    hostile = [["/a\x1b[2J\n.py", 1, "f\u202e\x00\ud800"]]
    threads = [{"name": "\x1b]0;x\x07", "daemon": True, "main": False, "frames": hostile, "left_out": 0}]

    text = stack_text.from_python(found(threads=threads))

    assert text == 'Daemon thread “?]0;x?” (the innermost call last):\n  File "/a?[2J?.py", line 1, in f???\n'


def test_the_stacks_of_this_process_are_complete_and_hold_no_values() -> None:
    secret = "hidden from everybody"
    begun, end = threading.Event(), threading.Event()

    def waits(_value: str) -> None:
        begun.set()
        end.wait()

    thread = threading.Thread(target=waits, args=(secret,), name="the other")
    thread.start()
    begun.wait()
    text = stack_text.from_python(stacks.look())
    end.set()
    thread.join()

    assert "Thread “the other”" in text
    assert "in test_the_stacks_of_this_process_are_complete_and_hold_no_values.<locals>.waits" in text
    assert secret not in text


def test_large_stacks_come_through_the_pipe_in_lines_that_do_not_mix(tmp_path: Any) -> None:
    path = tmp_path / "pipe"
    path.touch()
    with path.open("rb+", buffering=0) as file:
        sender, reader = FrameSender(file.fileno(), 0), FrameReader()
        sender.send_stacks(b'{"text": "%s"}' % (b"x" * 50_000))
        sender.send_checkpoint(b'{"row": 1}')
        file.seek(0)
        data = file.read()

    assert max(map(len, data.split(b"\n"))) < 4096
    reader.feed(data)
    stacks_sent = reader.take_stacks()
    assert stacks_sent is not None
    assert len(stacks_sent["text"]) == 50_000
    assert reader.take_stacks() is None
    assert reader.take_checkpoint() == '{"row": 1}'


SHOWS = Situation(deadline=100, stop_grace=25, timeout_grace=10, shows=True)
STOPPING = SHOWS._replace(signalled_at=50, cause=STOPPED, stop_at=50)


@pytest.mark.parametrize(
    ("now", "situation", "expected"),
    [
        (100, SHOWS, Plan(None, None, 102.5, show=True)),
        (101, SHOWS._replace(shown_at=100), Plan(None, None, 102.5)),
        (102.5, SHOWS._replace(shown_at=100), Plan(signal.SIGTERM, TIMED_OUT, 112.5)),
        (100.1, SHOWS._replace(shown_at=100, shown=True), Plan(signal.SIGTERM, TIMED_OUT, 110.1)),
        (101, SHOWS._replace(shown_at=100, stop_at=101), Plan(signal.SIGTERM, STOPPED, 126)),
        (51, STOPPING, Plan(None, None, 72.5)),
        (72.5, STOPPING, Plan(None, None, 75, show=True)),
        (73, STOPPING._replace(shown_at=72.5), Plan(None, None, 75)),
        (75, STOPPING._replace(shown_at=72.5), Plan(signal.SIGKILL, STOPPED, None)),
        (50.5, STOPPING._replace(stop_grace=1), Plan(None, None, 51, show=True)),
    ],
)
def test_when_stacks_are_written_into_the_log(now: float, situation: Situation, expected: Plan) -> None:
    assert plan(now, situation) == expected
