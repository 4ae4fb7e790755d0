"""Two streams are put in order again, however the bytes of both arrive."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from bgjobs.runner.output import LogBuffer
from bgjobs.runner.own_streams import mark_prefix
from bgjobs.runner.streams import Streams

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "00ff"


def mark(number: int) -> bytes:
    return b"%s%08x\0" % (mark_prefix(TOKEN), number)


class Pipes:
    """A child's two streams, to be written to by hand."""

    def __init__(self) -> None:
        self.fds = [*os.pipe(), *os.pipe()]
        out, self.out, err, self.err = self.fds
        for fd in (out, err):
            os.set_blocking(fd, False)
        self.log = LogBuffer()
        self.streams = Streams(out, err, TOKEN, self.log)

    @property
    def lines(self) -> list[str]:
        chunk = self.log.take()
        return [line.split(" ", 2)[2] for line in (chunk.records if chunk else b"").decode().splitlines()]


def _nowhere(_mirror: object, _data: bytes, _now: float) -> None:
    pass


@pytest.fixture
def pipes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipes]:
    monkeypatch.setattr("bgjobs.runner.mirror.Mirror.feed", _nowhere)
    made = Pipes()
    yield made
    for fd in made.fds:
        os.close(fd)


@pytest.mark.parametrize("first", ["out", "err"])
def test_what_waits_for_a_mark_of_the_other_stream_is_not_held_back_when_that_has_come(
    pipes: Pipes, first: str
) -> None:
    """Nothing follows: the next line may come in an hour."""
    streams = pipes.streams
    os.write(pipes.err, b"before\n")
    streams.read(streams.err)
    os.write(pipes.err, mark(1))
    os.write(pipes.out, mark(1) + b"after\n")

    streams.read(streams.out if first == "out" else streams.err)
    streams.read(streams.err if first == "out" else streams.out)

    assert pipes.lines == ["before", "after"]
    assert (streams.out.held, streams.err.held) == (b"", b"")


def test_many_marks_at_once(pipes: Pipes) -> None:
    streams = pipes.streams
    for number in range(1, 9, 2):
        os.write(pipes.out, b"%d\n" % number + mark(number) + mark(number + 1))
        os.write(pipes.err, mark(number) + b"%d\n" % (number + 1) + mark(number + 1))

    streams.read(streams.out)

    assert pipes.lines == [str(number) for number in range(1, 9)]
