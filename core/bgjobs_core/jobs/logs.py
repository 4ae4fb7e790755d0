r"""Stored logs: chunks of records to text, with a line where something was left out.

A record is `<unix ms> <stream> <text>\n` (`bgjobs.protocol`); a stored chunk is `<offset> <length>\n` and
the zlib-compressed records.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bgjobs.protocol import MAX_CHUNK_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# What each stored chunk counts besides its bytes: its place in Redis' list, with room to spare.
CHUNK_COST_BYTES: Final = 32
_STAMP_DIGITS: Final = 14  # until the year 5138; a time that nothing can show would make a log unreadable


class BadChunkError(ValueError):
    """A runner sent something that is not a chunk."""


@dataclass(frozen=True)
class Line:
    """One line, or a piece of one, of a log.

    Attributes:
        at_ms: when it was printed.
        stream: `stdout` or `stderr`.
        text: without the line's end.
        goes_on: the next record continues this line.
    """

    at_ms: int
    stream: str
    text: str
    goes_on: bool


@dataclass(frozen=True)
class Gap:
    """So many bytes of records are not kept here."""

    size: int


def unpack(data: bytes) -> bytes:
    """Decompress what a runner sent, never more than a chunk may hold.

    Raises:
        BadChunkError: if it is not zlib, or larger.
    """
    decompressor = zlib.decompressobj()
    try:
        records = decompressor.decompress(data, MAX_CHUNK_BYTES + 1)
    except zlib.error as error:
        raise BadChunkError(f"not zlib: {error}") from error
    if len(records) > MAX_CHUNK_BYTES or decompressor.unconsumed_tail:
        raise BadChunkError(f"a chunk holds at most {MAX_CHUNK_BYTES:,} bytes")
    if not decompressor.eof or decompressor.unused_data:
        raise BadChunkError("not zlib: cut off, or followed by something else")
    return records


def place(chunk: bytes) -> tuple[int, int]:
    """Where a stored chunk lies in the stream of records, and its length."""
    offset, length = chunk[: chunk.index(b"\n")].split()
    return int(offset), int(length)


def cost(chunk: bytes) -> int:
    """What a stored chunk counts against the limit of a log, as `beat` reckons it."""
    return max(place(chunk)[1], len(chunk)) + CHUNK_COST_BYTES


def read(chunks: Iterable[bytes], start: int = 0) -> Iterator[Line | Gap]:
    """All lines of stored chunks, which come in order; `start` is the place where the first one is expected."""
    expected = start
    rest = b""
    for chunk in chunks:
        offset, length = place(chunk)
        packed = chunk[chunk.index(b"\n") + 1 :]
        if offset > expected:
            yield Gap(offset - expected)
            rest = b""
        expected = offset + length
        *lines, rest = (rest + zlib.decompress(packed)).split(b"\n")
        for line in lines:
            parsed = _line(line)
            if parsed:
                yield parsed


def _line(record: bytes) -> Line | None:
    stamp, _, rest = record.partition(b" ")
    stream, _, text = rest.partition(b" ")
    if not stamp.isdigit() or len(stamp) > _STAMP_DIGITS or stream not in {b"o", b"e", b"O", b"E"}:
        return None  # the rest of a record whose beginning lies in a gap, or nonsense
    return Line(
        int(stamp), "stdout" if stream in b"oO" else "stderr", text.decode(errors="replace"), stream in {b"O", b"E"}
    )


def gap_text(gap: Gap) -> str:
    """The sentence that stands in a shown log where a piece is missing."""
    return f"\n... {gap.size:,} bytes left out: the first and the last MiB of a log are kept ...\n"


def text(chunks: Iterable[bytes]) -> str:
    """All that is kept of a log as plain text, with a sentence where a piece is missing."""
    parts: list[str] = []
    for entry in read(chunks):
        if isinstance(entry, Gap):
            parts.append(gap_text(entry))
        else:
            parts.append(entry.text if entry.goes_on else entry.text + "\n")
    return "".join(parts)
