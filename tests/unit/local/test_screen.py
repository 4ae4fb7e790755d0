"""Nobody who reads, or reads on, holds up what is running."""

from __future__ import annotations

import os
import threading

from bgjobs_local.terminal.screen import Screen


def read_all(fd: int, into: list[bytes]) -> threading.Thread:
    def read() -> None:
        while data := os.read(fd, 65536):
            into.append(data)

    thread = threading.Thread(target=read)
    thread.start()
    return thread


def test_lines_come_in_their_order_without_colours_where_these_do_not_belong() -> None:
    out, into = os.pipe()
    seen: list[bytes] = []
    reader = read_all(out, seen)
    screen = Screen(into)
    for number in range(1000):
        screen.line(f"\x1b[31m{number}\x1b[0m é")
    screen.close()
    os.close(into)
    reader.join()
    os.close(out)
    assert b"".join(seen).decode().splitlines() == [f"{number} é" for number in range(1000)]


def test_colours_stay_on_a_terminal() -> None:
    ours, theirs = os.openpty()
    screen = Screen(theirs, colours=True)
    screen.line("\x1b[31mred\x1b[0m")
    screen.close()
    assert os.read(ours, 100) == b"\x1b[31mred\x1b[0m\r\n"
    os.close(ours)
    os.close(theirs)


def test_a_reader_that_does_not_read_costs_lines_and_no_time() -> None:
    out, into = os.pipe()
    screen = Screen(into)
    for number in range(30_000):
        screen.line(f"{number} {'x' * 100}")
    seen: list[bytes] = []
    reader = read_all(out, seen)
    while screen.waiting:
        os.sched_yield()
    screen.line("after")
    screen.close()
    os.close(into)
    reader.join()
    os.close(out)
    text = b"".join(seen).decode()
    assert text.startswith("0 ")
    # Where the gap is depends on when the thread that writes got its turn.
    assert " lines were dropped, because nobody read this output\n" in text
    assert text.endswith("\nafter\n")


def test_a_reader_that_is_gone_is_no_error() -> None:
    out, into = os.pipe()
    os.close(out)
    screen = Screen(into)
    for _ in range(20_000):
        screen.line("nobody hears this")
    screen.close()
    os.close(into)


def test_the_end_does_not_wait_for_a_reader_that_does_not_read() -> None:
    out, into = os.pipe()
    screen = Screen(into)
    for _ in range(30_000):
        screen.line("x" * 100)
    screen.close()  # comes back
    os.close(out)
    os.close(into)
