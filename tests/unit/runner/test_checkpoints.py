"""What a job says of where its next attempt can go on, on its way from its code to the API."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING, Any

import pytest

from bgjobs.protocol import MAX_CHECKPOINT_BYTES
from bgjobs.runner.frames import FrameReader, FrameSender

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import Pod


class Pipe:
    """A child's end and a supervisor's end in one process."""

    def __init__(self) -> None:
        self.read_fd, self.write_fd = os.pipe()
        fcntl.fcntl(self.write_fd, fcntl.F_SETPIPE_SZ, 1 << 20)
        self.sender = FrameSender(self.write_fd, self.read_fd)
        self.reader = FrameReader()

    def receive(self, *, in_pieces_of: int = 65536) -> str | None:
        """Read what was sent until now, and take the checkpoint."""
        os.set_blocking(self.read_fd, False)
        try:
            while data := os.read(self.read_fd, in_pieces_of):
                self.reader.feed(data)
        except BlockingIOError:
            return self.reader.take_checkpoint()
        return None


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    os.close(made.read_fd)
    os.close(made.write_fd)


@pytest.mark.parametrize("size", [1, 4080, 4096, 20_000, MAX_CHECKPOINT_BYTES - 4])
def test_one_of_any_size_arrives(pipe: Pipe, size: int) -> None:
    text = '"' + "é" * (size // 2) + "x" * (size % 2) + '"'
    pipe.sender.send_checkpoint(text.encode())

    assert pipe.receive(in_pieces_of=1000) == text
    assert pipe.receive() is None, "it is taken once"


def test_the_latest_counts(pipe: Pipe) -> None:
    pipe.sender.send_checkpoint(b"1")
    pipe.sender.send_checkpoint(b"2")

    assert pipe.receive() == "2"


def test_those_of_two_processes_do_not_mix() -> None:
    reader = FrameReader()
    first, second = b'{"first":"%s"}' % (b"x" * 6000), b'{"second":"%s"}' % (b"y" * 6000)

    reader.feed(b"c10.1 %s\nc11.1 %s\n" % (first[:3000], second[:3000]))
    reader.feed(b"C11.1 %s\n" % second[3000:])
    assert reader.take_checkpoint() == second.decode()
    reader.feed(b"C10.1 %s\n" % first[3000:])
    assert reader.take_checkpoint() == first.decode()


def test_one_that_was_broken_off_is_dropped() -> None:
    """An exception out of a signal's handler, or the end of a process."""
    reader = FrameReader()

    reader.feed(b'c10.1 {"row":\nc10.2 {"row"\nC10.2 :2}\n')

    assert reader.take_checkpoint() == '{"row":2}'


@pytest.mark.parametrize(
    "written",
    [
        b"C1.1 NaN\n", b"C1.1 {\n", b"C1.1 \xff\n", b'C1.1 {"a":1,"a":2}\n', b"C\n", b"C1.1 " + b"[" * 4000 + b"\n",
        b"".join(b"c1.1 %s\n" % (b"x" * 4000) for _ in range(100)),
        b"".join(b"c%d.1 x\n" % number for number in range(10_000)),
    ],
    ids=["NaN", "half", "no UTF-8", "a key twice", "nothing", "deep", "endless", "of many processes"],
)  # fmt: skip
def test_what_is_none_harms_nobody(written: bytes) -> None:
    """Job code can write to the pipe by itself."""
    reader = FrameReader()

    reader.feed(written)

    assert reader.take_checkpoint() is None
    assert sum(len(part) for _, parts in reader._checkpoints._begun.values() for part in parts) < 1_000_000  # pyright: ignore[reportPrivateUsage]
    reader.feed(b"C2.1 7\n")
    assert reader.take_checkpoint() == "7"


def test_a_pipe_that_is_gone_is_told(pipe: Pipe) -> None:
    fd = os.dup(pipe.write_fd)
    sender = FrameSender(fd, 10_000)
    os.close(fd)

    with pytest.raises(RuntimeError, match=r"cannot be kept.*closed all descriptors"):
        sender.send_checkpoint(b"1")


def checkpoints(pod: Pod) -> list[Any]:
    """Those that came with beats."""
    return [body["checkpoint"] for body in pod.api.bodies("beat") if "checkpoint" in body]


def test_it_is_sent_with_a_beat_once(pod: Pod) -> None:
    pod.call("checkpoint_and_wait", {"row": 41_000}, checkpoint=None)
    pod.launch()
    pod.api.wait_for(lambda _: checkpoints(pod))
    sent = len(pod.api.bodies("beat"))
    pod.api.wait_for(lambda api: len(api.bodies("beat")) > sent + 3)
    pod.terminate()
    pod.ends()

    assert checkpoints(pod) == [{"row": 41_000}]
    assert "checkpoint" not in pod.finished()


def test_the_code_gets_that_of_the_attempt_before(pod: Pod) -> None:
    pod.call("go_on", checkpoint={"row": 41_000, "ü": [1.5, None]}, attempt=2)

    code, _, _ = pod.runs()

    assert (code, pod.finished()["result"]) == (0, {"row": 41_000, "ü": [1.5, None]})


def test_the_first_attempt_gets_none(pod: Pod) -> None:
    pod.call("go_on", checkpoint=None)

    assert pod.runs()[0] == 0
    assert "has_result" not in pod.finished()


@pytest.mark.parametrize("how", ["kill", "exit", "raise"])
def test_the_end_of_the_process_does_not_lose_it(pod: Pod, how: str) -> None:
    """Not even one that nobody had the time to send before: each of a thousand is with the runner at once."""
    pod.api.beat_seconds = 60
    pod.call("checkpoint_and_end", how, checkpoint=None)

    code, _, _ = pod.runs()

    assert code == 1
    said = [*checkpoints(pod), *(body["checkpoint"] for body in pod.api.bodies("finish") if "checkpoint" in body)]
    assert said[-1] == {"row": 999}


def test_it_comes_with_the_end_where_no_beat_brings_it(pod: Pod) -> None:
    pod.call("checkpoint_and_end", "raise", checkpoint=None)
    pod.api.beat.appendleft({"action": "continue", "kept": False})
    pod.api.beat.pop()

    pod.runs(patience=1)

    assert pod.finished()["checkpoint"] == {"row": 999}


def test_after_a_success_nobody_goes_on(pod: Pod) -> None:
    pod.call("checkpoint_and_end", "return", checkpoint=None)
    pod.api.beat.appendleft({"action": "continue", "kept": False})
    pod.api.beat.pop()

    code, _, _ = pod.runs(patience=1)

    assert code == 0
    assert "checkpoint" not in pod.finished()


def test_one_that_cannot_be_kept_is_an_error_of_the_job(pod: Pod) -> None:
    pod.call("checkpoint_of_a_set", checkpoint=None)

    assert pod.runs()[0] == 1
    assert pod.finished()["error"]["message"].startswith("checkpoint.seen is a set")


def test_processes_that_the_job_forks_say_theirs(pod: Pod) -> None:
    pod.call("checkpoint_in_forks", 8, checkpoint=None)

    assert pod.runs()[0] == 0
    assert checkpoints(pod)[-1]["x"] in {letter * 30_000 for letter in "abcdefgh"}


def test_a_server_that_keeps_none_is_not_asked_to_and_the_log_says_so(pod: Pod) -> None:
    """One of an earlier version, which would refuse the beat."""
    pod.call("checkpoint_and_end", "return")

    assert pod.runs()[0] == 0
    assert checkpoints(pod) == []
    assert pod.api.log.count("checkpoints are not kept: the server of bgjobs is older than this image") == 1
