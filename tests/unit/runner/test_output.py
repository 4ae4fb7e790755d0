"""Cutting a stream into records, and what is kept of them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgjobs.protocol import MAX_CHUNK_BYTES, MAX_LINE_BYTES
from bgjobs.runner.output import LogBuffer, Splitter, record


def texts(records: bytes) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for line in records.split(b"\n")[:-1]:
        match = re.fullmatch(rb"(\d+) ([oeOE]) (.*)", line, re.DOTALL)
        assert match
        assert len(match[3]) <= MAX_LINE_BYTES
        found.append((match[2].decode(), match[3].decode()))
    return found


def joined(records: bytes) -> str:
    return "".join(text if stream.isupper() else f"{text}\n" for stream, text in texts(records))


@pytest.mark.parametrize(
    ("reads", "expected"),
    [
        ([b"a\nb\n"], [("o", "a"), ("o", "b")]),
        ([b"a", b"b\n"], [("o", "ab")]),
        ([b"a\n\n"], [("o", "a"), ("o", "")]),
        ([b"no end"], [("o", "no end")]),
        ([], []),
        ([b"\xc3", b"\xa9\n"], [("o", "é")]),
        ([b"\xe2\x82", b"\xac", b"\n"], [("o", "€")]),
        ([b"\xff\n"], [("o", "\ufffd")]),
        ([b"cut \xe2\x82"], [("o", "cut \ufffd")]),
        ([b"a\0b\r\n"], [("o", "a\0b\r")]),
        ([b"x" * MAX_LINE_BYTES + b"\n"], [("o", "x" * MAX_LINE_BYTES)]),
        ([b"x" * MAX_LINE_BYTES + b"y\n"], [("O", "x" * MAX_LINE_BYTES), ("o", "y")]),
        ([b"x" * MAX_LINE_BYTES, b"y", b"z\n"], [("O", "x" * MAX_LINE_BYTES), ("o", "yz")]),
        (["é".encode() * 4096 + b"a"], [("O", "é" * 4096), ("o", "a")]),
        ([b"a" + "é".encode() * 4096 + b"\n"], [("O", "a" + "é" * 4095), ("o", "é")]),
    ],
)
def test_lines_become_records(reads: list[bytes], expected: list[tuple[str, str]]) -> None:
    splitter = Splitter("o")

    records = b"".join(splitter.feed(data, 1) for data in reads) + splitter.flush(1)

    assert texts(records) == expected


# Without the character that writes over a line, which has tests of its own.
some_bytes = st.binary(max_size=50) | st.text(max_size=20).map(str.encode)


@given(st.lists(some_bytes.map(lambda data: data.replace(b"\r", b"")) | st.just(b"\xe2\x82\xac" * 4000)))
def test_however_bytes_arrive_the_text_is_theirs(reads: list[bytes]) -> None:
    splitter = Splitter("e")

    records = b"".join(splitter.feed(data, 1) for data in reads) + splitter.flush(1)

    text = b"".join(reads).decode("utf-8", "replace")
    assert joined(records) == text + "\n" * (text != "" and not text.endswith("\n"))


@pytest.mark.parametrize(
    ("reads", "expected"),
    [
        ([b"1%\r2%\r3%\n"], [("o", "3%")]),
        ([b"\r1%", b"\r2%", b"\r3%", b"\n", b"ready\n"], [("o", "3%"), ("o", "ready")]),
        ([b"1%\r", b"2%\r", b"3%\r"], [("o", "3%\r")]),
        ([b"of Windows\r\n"], [("o", "of Windows\r")]),
        ([b"1%\r2%\r\n"], [("o", "2%\r")]),
        ([b"x" * MAX_LINE_BYTES + b"\rready"], [("o", "ready")]),
        ([b"1%", None, b"\r2%", None, b"\r3%\n"], [("O", "1%"), ("O", "\r2%"), ("o", "\r3%")]),
        ([b"wait", None, None, b" on\n"], [("O", "wait"), ("o", " on")]),
        ([b"wait", None, b"\nnext\n"], [("O", "wait"), ("o", ""), ("o", "next")]),
        ([b"wait", None], [("O", "wait"), ("o", "")]),
        ([b"\xc3", None, b"\xa9\n"], [("o", "é")]),
    ],
)
def test_lines_that_are_written_over_or_not_finished(
    reads: list[bytes | None], expected: list[tuple[str, str]]
) -> None:
    """None: what there is of a line is shown."""
    splitter = Splitter("o")

    shown = [splitter.unfinished(1) if data is None else splitter.feed(data, 1) for data in reads]

    assert texts(b"".join(shown) + splitter.flush(1)) == expected


def standing(line: str) -> str:
    """What a terminal shows of it in the end, if each state is as long as the one before."""
    return line.rstrip("\r").rpartition("\r")[2]


@given(st.lists(st.text("ab\r\n", max_size=9) | st.none()))
def test_however_a_line_is_shown_it_ends_with_its_last_state(reads: list[str | None]) -> None:
    splitter = Splitter("o")

    shown = [splitter.unfinished(1) if data is None else splitter.feed(data.encode(), 1) for data in reads]

    lines = joined(b"".join(shown) + splitter.flush(1)).split("\n")
    expected = "".join(data or "" for data in reads).split("\n")
    assert [standing(line) for line in lines if line] == [standing(line) for line in expected if line]


def test_a_record_of_ours_is_one_line() -> None:
    assert record("e", "two\nlines", 7) == b"7 e two lines\n"


def line(number: int, size: int = 1000) -> bytes:
    return b"%010d %s\n" % (number, b"x" * (size - 12))


def take_all(buffer: LogBuffer) -> list[tuple[int, bytes]]:
    taken: list[tuple[int, bytes]] = []
    while chunk := buffer.take():
        assert len(chunk.records) <= MAX_CHUNK_BYTES
        assert chunk.records.endswith(b"\n")
        taken.append((chunk.offset, chunk.records))
        buffer.received(chunk.end)
    assert buffer.start == buffer.end
    return taken


def test_what_fits_is_all_kept() -> None:
    buffer = LogBuffer(head_bytes=100_000, tail_bytes=100_000)
    for number in range(150):
        buffer.append(line(number))

    taken = take_all(buffer)

    assert b"".join(records for _, records in taken) == b"".join(map(line, range(150)))
    assert taken[0][0] == 0


def test_the_middle_is_left_out_and_shows_as_a_jump() -> None:
    buffer = LogBuffer(head_bytes=100_000, tail_bytes=100_000)
    for number in range(5000):
        buffer.append(line(number))

    taken = take_all(buffer)

    gaps = 0
    expected = 0
    for offset, records in taken:
        gaps += offset != expected
        assert records.startswith(line(offset // 1000)), "an offset is the place in the whole stream"
        expected = offset + len(records)
    assert gaps == 1
    assert expected == 5_000_000
    assert 2 * 60_000 < sum(len(records) for _, records in taken) < 2 * 140_000


def test_a_large_block_is_cut_between_records() -> None:
    buffer = LogBuffer()
    buffer.append(b"".join(map(line, range(1000))))

    taken = take_all(buffer)

    assert len(taken) > 1
    assert b"".join(records for _, records in taken) == b"".join(map(line, range(1000)))


def test_the_same_chunk_until_it_is_received() -> None:
    buffer = LogBuffer()
    buffer.append(line(1))
    first = buffer.take()
    buffer.append(line(2))
    assert first
    assert buffer.take() == first
    assert not buffer.received(0)
    assert buffer.take() == first
    assert buffer.received(first.end)
    second = buffer.take()
    assert second
    assert (second.offset, second.records) == (1000, line(2))


def test_a_part_that_was_received_is_not_sent_again() -> None:
    buffer = LogBuffer()
    buffer.append(line(1) + line(2))
    buffer.take()

    assert buffer.received(1000)

    rest = buffer.take()
    assert rest
    assert (rest.offset, rest.records) == (1000, line(2))


@given(st.lists(st.integers(12, 9000), max_size=60), st.lists(st.booleans(), max_size=60))
def test_head_and_end_always_arrive(sizes: list[int], ships: list[bool]) -> None:
    """Whatever is printed and shipped when: a prefix, the end, every piece at its place."""
    buffer = LogBuffer(head_bytes=40_000, tail_bytes=40_000)
    stream = b""
    arrived: list[tuple[int, bytes]] = []
    for number, size in enumerate(sizes):
        stream += line(number, size)
        buffer.append(line(number, size))
        if number < len(ships) and ships[number]:
            arrived += take_all(buffer)
    arrived += take_all(buffer)

    assert all(stream[offset : offset + len(records)] == records for offset, records in arrived)
    assert sum(len(records) for _, records in arrived) >= min(len(stream), 40_000)
    assert not arrived or arrived[-1][0] + len(arrived[-1][1]) == len(stream)
