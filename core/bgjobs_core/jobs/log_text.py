"""The log of an attempt as text, in pieces that join.

A reader asks with the offset that the last answer gave it. In a log that is kept whole this is the number of
bytes that it has; a reader that only counts bytes is right there. Behind the first MiB, where a middle may be
dropped under a reader's eyes, it is a place in the stream of records instead, so that nothing is missed or
shown twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from bgjobs.protocol import LOG_HEAD_BYTES
from bgjobs.vocabulary import TERMINAL
from bgjobs_core.jobs import logs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bgjobs_core.jobs.record import AttemptRecord, JobRecord

# Offsets from here on are places in the stream of records: no text is as long.
FAR: Final = 2**40


@dataclass(frozen=True)
class Piece:
    """A piece of text, and the offset to ask with for what follows it."""

    data: bytes
    next_offset: int


def is_complete(record: JobRecord, attempt: AttemptRecord | None) -> bool:
    """Whether nothing more will be written to the log of this attempt; None is the first one before it has started."""
    return record.state in TERMINAL or (attempt is not None and attempt.ended_at is not None)


def piece(chunks: Sequence[bytes], offset: int, arrived: int, *, timestamps: bool = False) -> Piece:
    """What follows an offset.

    Args:
        chunks: all that are kept, in order.
        offset: 0, or that of the piece before.
        arrived: how many bytes of records ever came.
        timestamps: begin each line with its time and stream.
    """
    if offset >= FAR:
        known = offset - FAR
        rest = [chunk for chunk in chunks if _end(chunk) > known]
        if not rest:
            return Piece(b"", offset)
        return Piece(_text(logs.read(rest, known), timestamps=timestamps), FAR + _end(rest[-1]))
    if not chunks:
        gone = f"... {arrived:,} bytes of log are not kept any more ...\n" if arrived else ""
        data = gone.encode()[offset:]
        return Piece(data, offset + len(data))
    data = _text(logs.read(chunks), timestamps=timestamps)[offset:]
    return Piece(data, offset + len(data) if _whole(chunks) else FAR + _end(chunks[-1]))


def _end(chunk: bytes) -> int:
    offset, length = logs.place(chunk)
    return offset + length


def _whole(chunks: Sequence[bytes]) -> bool:
    """Whether nothing is missing, nor can be dropped later: all of it lies in the head."""
    expected = taken = 0
    for chunk in chunks:
        offset, length = logs.place(chunk)
        if offset != expected:
            return False
        expected = offset + length
        taken += logs.cost(chunk)
    return taken <= LOG_HEAD_BYTES


def _text(entries: Iterable[logs.Line | logs.Gap], *, timestamps: bool) -> bytes:
    parts: list[str] = []
    begins = True  # a line, as opposed to the next piece of one
    for entry in entries:
        if isinstance(entry, logs.Gap):
            parts.append(logs.gap_text(entry))
            begins = True
            continue
        if begins and timestamps:
            parts.append(f"{_time(entry.at_ms)} {entry.stream} ")
        parts.append(entry.text if entry.goes_on else entry.text + "\n")
        begins = not entry.goes_on
    return "".join(parts).encode()


def _time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
