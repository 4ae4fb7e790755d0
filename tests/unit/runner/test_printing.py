"""What a job prints: on the container's own streams, and in the log."""

from __future__ import annotations

import itertools
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bgjobs.protocol import LOG_HEAD_BYTES, LOG_TAIL_BYTES

if TYPE_CHECKING:
    from .conftest import Pod

MEBIBYTE = 1024 * 1024


def test_both_streams_are_printed_and_kept(pod: Pod) -> None:
    pod.call("speak")

    code, out, err = pod.runs()

    assert code == 0
    assert out == "to stdout\nends without a line end"
    assert err == "to stderr\n"
    assert pod.api.lines("o") == ["to stdout", "ends without a line end"]
    assert pod.api.lines("e") == ["to stderr"]


def test_bytes_that_are_no_text(pod: Pod) -> None:
    pod.call("binary")

    pod.runs()

    assert pod.api.lines("o") == ["\ufffd\ufffd\0 café", "\ufffd"]


def test_a_long_line_comes_in_pieces(pod: Pod) -> None:
    pod.call("line_of", 10_000)

    pod.runs()

    assert [len(text.encode()) for text in pod.api.lines("O")] == [8192, 8192]
    assert pod.api.log == "é" * 10_000 + "\n"


def peak_memory(pid: int) -> int:
    """Of a process that lives, in bytes (what `wait4` tells counts the one it was forked from)."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def test_a_flood_needs_neither_memory_nor_the_api(pod: Pod) -> None:
    begun, released = pod.hang_first_beat()
    peaks: list[int] = []

    def look() -> None:
        assert pod.process
        peaks.append(peak_memory(pod.process.pid))

    pod.api.on["finish"] = look
    pod.call("flood", 100)
    pod.launch(stdout=subprocess.DEVNULL, reserve=0.6)

    code, _, _ = pod.ends()

    released.set()
    assert code == 0
    assert begun.is_set()
    assert peaks[0] < 40 * MEBIBYTE
    assert LOG_HEAD_BYTES <= len(pod.api.records) <= LOG_HEAD_BYTES + LOG_TAIL_BYTES + MEBIBYTE // 8
    assert len(pod.api.gaps) == 1, "the middle is left out"
    lines = pod.api.lines("o")
    assert lines[0].startswith("line 0000000000")
    assert lines[-1].startswith("line 0000013999")


@pytest.mark.parametrize("redirection", [">&-", "2>&-", "<&- >&- 2>&-", "> /dev/full"])
def test_a_container_without_streams(pod: Pod, redirection: str) -> None:
    pod.call("speak")
    pod.launch(shell=redirection)

    code, _, _ = pod.ends()

    assert code == 0
    assert pod.api.lines("o") == ["to stdout", "ends without a line end"]


def test_a_reader_that_stands_still_does_not_hold_up_the_job(pod: Pod) -> None:
    reader, writer = os.pipe()
    pod.call("flood", 5)
    pod.launch(stdout=writer)
    os.close(writer)

    code, _, _ = pod.ends()

    assert code == 0
    assert pod.finished()["outcome"] == "succeeded"
    with os.fdopen(reader, "rb") as pipe:
        assert pipe.read().startswith(b"line 0000000000")


def test_a_reader_that_goes_away_does_not_end_the_job(pod: Pod) -> None:
    reader, writer = os.pipe()
    pod.call("flood", 5)
    pod.launch(stdout=writer)
    os.close(writer)
    os.read(reader, 1)
    os.close(reader)

    code, _, _ = pod.ends()

    assert code == 0
    assert pod.api.lines("o")[-1].startswith("line 0000013999")


def test_a_slow_reader_gets_everything(pod: Pod) -> None:
    pod.call("flood", 2)
    pod.launch()

    code, out, _ = pod.ends()

    assert code == 0
    assert out.count("\n") == 28_000


def test_what_python_prints_is_in_the_order_in_which_it_was_printed(pod: Pod) -> None:
    pod.call("alternate", 3000)

    code, out, err = pod.runs()

    assert code == 0
    assert pod.api.log.splitlines() == [str(number) for number in range(3000)]
    assert (out.splitlines()[:2], err.splitlines()[:2]) == (["0", "2"], ["1", "3"])


def test_what_programs_print_is_in_the_order_of_its_stream(pod: Pod) -> None:
    pod.call("alternate_with_programs", 6)

    pod.runs()

    for stream, first in (("o", 0), ("e", 1)):
        expected = [f"{who} {number}" for number in range(first, 6, 2) for who in ("python", "program")]
        assert pod.api.lines(stream) == expected


def test_no_mark_gets_into_a_file_of_the_job(pod: Pod) -> None:
    pod.call("print_into_a_file")

    pod.runs()

    assert pod.finished()["result"] == "kept 0\nkept 1\nkept 2\n"
    assert pod.api.log == "shown 0\nshown 1\nshown 2\nback\n"


def test_a_fork_makes_no_marks(pod: Pod) -> None:
    pod.call("fork_and_print")

    code, _, _ = pod.runs()

    assert code == 0
    for who in ("fork", "job"):
        assert [line for line in pod.api.lines("o") if who in line] == [f"{who} {number}" for number in range(3)]
    assert sorted(pod.api.log.splitlines()) == sorted(
        ["before"] * 2 + [f"{who} {number}" for who in ("fork", "job") for number in range(3)] * 2
    )


def test_a_line_without_an_end_is_shown_and_in_the_end_its_last_state(pod: Pod) -> None:
    pod.call("turn_until", "enough")
    pod.launch()
    pod.api.wait_for(lambda api: len(api.lines("E")) > 1)
    (pod.folder / "enough").touch()

    code, _, _ = pod.ends()

    assert code == 0
    assert pod.api.log.rpartition("\r")[2] == "turned\n"
    stamps = [int(line.split(b" ")[0]) for line in pod.api.records.splitlines() if b" E " in line]
    assert all(later - earlier >= 900 for earlier, later in itertools.pairwise(stamps)), "once a second at most"
