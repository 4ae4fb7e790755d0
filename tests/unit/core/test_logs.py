"""Stored logs: from chunks to lines, with what was left out; and what is not taken from a runner."""

from __future__ import annotations

import zlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgjobs.protocol import MAX_CHUNK_BYTES
from bgjobs_core.jobs.logs import BadChunkError, Gap, Line, read, text, unpack


def _chunk(offset: int, records: bytes) -> bytes:
    return f"{offset} {len(records)}\n".encode() + zlib.compress(records)


def _line(words: str, *, goes_on: bool = False, stream: str = "stdout") -> Line:
    return Line(1700000000000, stream, words, goes_on)


# ----------------------------------------------------------------------------------- read
RECORDS: dict[str, tuple[list[bytes], list[Line | Gap]]] = {
    "nothing": ([], []),
    "one line": ([_chunk(0, b"1700000000000 o hello\n")], [_line("hello")]),
    "both streams": (
        [_chunk(0, b"1700000000000 o out\n1700000000000 e err\n")], [_line("out"), _line("err", stream="stderr")]
    ),
    "empty line": ([_chunk(0, b"1700000000000 o \n")], [_line("")]),
    "spaces are kept": ([_chunk(0, b"1700000000000 o   a  b \n")], [_line("  a  b ")]),
    "a line in pieces": (
        [_chunk(0, b"1700000000000 O first, \n1700000000000 E err, \n1700000000000 o last\n")],
        [_line("first, ", goes_on=True), _line("err, ", goes_on=True, stream="stderr"), _line("last")],
    ),
    "not UTF-8": ([_chunk(0, b"1700000000000 o a\xffb\n")], [_line("a�b")]),
    "carriage return": ([_chunk(0, b"1700000000000 o 50%\r100%\r\n")], [_line("50%\r100%\r")]),
    "two chunks": (
        [_chunk(0, b"1700000000000 o one\n"), _chunk(20, b"1700000000000 o two\n")], [_line("one"), _line("two")]
    ),
    "a record cut between two chunks": (
        [_chunk(0, b"1700000000000 o on"), _chunk(18, b"e\n1700000000000 o two\n")], [_line("one"), _line("two")]
    ),
    "a gap": (
        [_chunk(0, b"1700000000000 o one\n"), _chunk(120, b"1700000000000 o two\n")],
        [_line("one"), Gap(100), _line("two")],
    ),
    "a gap at the beginning": ([_chunk(5, b"1700000000000 o one\n")], [Gap(5), _line("one")]),
    "a record cut by a gap": (
        [_chunk(0, b"1700000000000 o one\n1700000000000 o lost in"), _chunk(99, b" the gap\n1700000000000 o two\n")],
        [_line("one"), Gap(56), _line("two")],
    ),
    "a record without its end": ([_chunk(0, b"1700000000000 o one\n1700000000000 o tw")], [_line("one")]),
    "nonsense": ([_chunk(0, b"hello\n\nx o y\n1700000000000 z\n1700000000000\n1700000000000 o one\n")], [_line("one")]),
    "an empty chunk": ([_chunk(0, b""), _chunk(0, b"1700000000000 o one\n")], [_line("one")]),
    "a time that nothing can show": ([_chunk(0, b"9" * 30 + b" o x\n1700000000000 o one\n")], [_line("one")]),
}  # fmt: skip


@pytest.mark.parametrize(("chunks", "entries"), RECORDS.values(), ids=RECORDS)
def test_what_is_read(chunks: list[bytes], entries: list[Line | Gap]) -> None:
    assert list(read(chunks)) == entries


def test_as_plain_text() -> None:
    chunks = [
        _chunk(0, b"1700000000000 o one\n1700000000000 O cut \n"),
        _chunk(41, b"1700000000000 o in two\n"),
        _chunk(1_500_064, b"1700000000000 e last\n"),
    ]

    shown = text(chunks)

    assert shown.startswith("one\ncut in two\n")
    assert shown.endswith("last\n")
    assert "1,500,000 bytes left out" in shown


@given(st.lists(st.binary(max_size=60).filter(lambda b: b"\n" not in b), max_size=20), st.data())
def test_wherever_chunks_are_cut_the_same_lines_are_read(texts: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(b"1700000000000 o " + one + b"\n" for one in texts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=5)))
    edges = [0, *cuts, len(whole)]
    chunks = [_chunk(begin, whole[begin:end]) for begin, end in pairwise(edges) if end > begin]

    assert list(read(chunks)) == [_line(one.decode(errors="replace")) for one in texts]


# --------------------------------------------------------------------------------- unpack
def test_a_chunk_is_unpacked() -> None:
    assert unpack(zlib.compress(b"1700000000000 o hello\n")) == b"1700000000000 o hello\n"
    largest = b"x" * MAX_CHUNK_BYTES
    assert unpack(zlib.compress(largest)) == largest
    assert unpack(zlib.compress(b"")) == b""


PACKED = zlib.compress(b"1700000000000 o hello\n" * 50)
BAD_CHUNKS: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "cut off"),
    "not compressed": (b"1700000000000 o hello\n", "not zlib"),
    "cut off": (PACKED[:-6], "cut off"),
    "only its checksum cut off": (PACKED[:-1], "cut off"),
    "wrong checksum": (PACKED[:-1] + bytes([PACKED[-1] ^ 1]), "not zlib"),
    "followed by something": (PACKED + b"more", "followed by something else"),
    "one byte too large": (zlib.compress(b"x" * (MAX_CHUNK_BYTES + 1)), "at most 262,144 bytes"),
    "a bomb of 64 MiB": (b"", "at most 262,144 bytes"),
}


def _bomb() -> bytes:
    packer = zlib.compressobj(9)
    block = bytes(1024 * 1024)
    return b"".join([*(packer.compress(block) for _ in range(64)), packer.flush()])


@pytest.mark.parametrize(("data", "words"), BAD_CHUNKS.values(), ids=BAD_CHUNKS)
def test_what_is_not_a_chunk(data: bytes, words: str) -> None:
    """What cannot be read again must not be kept: it would make the whole log unreadable."""
    packed = _bomb() if words.startswith("at most") and not data else data

    with pytest.raises(BadChunkError, match=words):
        unpack(packed)
