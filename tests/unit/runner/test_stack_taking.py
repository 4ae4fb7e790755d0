"""The supervisor takes stacks in small steps, whatever job code does with the pipe that they come by."""

from __future__ import annotations

import os
import signal
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from bgjobs.runner.stack_taking import LONGEST_SECONDS, StackTaking
from bgjobs.runner.stacks import ASKS, ASKS_A_THREAD

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_READS = 50  # of a step


def _nothing(*_: object) -> None:
    """A handler that does nothing."""


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """This process stands for the child: it has handlers of both signals, and the other end of the pipe."""
    before = [(one, signal.signal(one, _nothing)) for one in (ASKS, ASKS_A_THREAD)]
    ends = os.pipe()
    for end in ends:
        os.set_blocking(end, False)
    yield ends
    for end in ends:
        os.close(end)
    for one, handler in before:
        signal.signal(one, handler)


def test_a_pipe_that_is_never_empty_keeps_nobody(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Job code, or a process that it has forked, may write to it faster than it is read."""
    read_end, write_end = pipe
    read, reads = os.read, list[int]()

    def full(descriptor: int, size: int) -> bytes:
        if descriptor == read_end:
            reads.append(size)
            assert len(reads) <= MOST_READS, "it reads on and on"
            os.write(write_end, b"x" * 100)
        return read(descriptor, size)

    monkeypatch.setattr(os, "read", full)
    child: Any = SimpleNamespace(pid=os.getpid(), dump=read_end, dump_in_child=write_end)
    frames: Any = SimpleNamespace(take_stacks=lambda: None)
    taking = StackTaking(child, frames, now=0)

    now: float | None = 0
    seen = 0
    while (now := taking.step(now)) is not None:
        assert now <= LONGEST_SECONDS
        seen += len(reads)
        reads.clear()

    assert seen + len(reads) > 0
    assert taking.text is not None
