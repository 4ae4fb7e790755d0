"""Turns what a job prints into records and chunks of its stored log (`bgjobs.protocol` has the format of a record).

There is no input or output here: bytes and times go in, records and chunks come out.
"""

from __future__ import annotations

import codecs
import threading
from collections import deque

from bgjobs.light_typing import TYPE_CHECKING, NamedTuple
from bgjobs.protocol import LOG_HEAD_BYTES, LOG_TAIL_BYTES, MAX_CHUNK_BYTES, MAX_LINE_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

# Records are held in blocks of about this size: one object per line would cost more than the line.
_BLOCK_BYTES: Final = 32 * 1024
# The upper two bits of a byte within a UTF-8 character.
_CONTINUATION_MASK: Final = 0b1100_0000
_CONTINUATION: Final = 0b1000_0000


def record(stream: str, text: str, now_ms: int) -> bytes:
    """One record of a message of the runner; line ends within it become spaces, and too long a message is cut.

    Args:
        stream: `o` for stdout, `e` for stderr.
        text: the message, without a line end.
        now_ms: Unix milliseconds.
    """
    line = text.replace("\n", " ").encode("utf-8", "replace")
    return b"%d %s %s\n" % (now_ms, stream.encode(), line[:MAX_LINE_BYTES])


class Splitter:
    """Cuts the bytes of one stream into records, in whatever portions they arrive.

    Bytes that are not UTF-8 become U+FFFD. A line longer than MAX_LINE_BYTES becomes several records, cut between
    characters. Of a line that writes over itself, as progress bars do, only what stands last is kept, but for
    the states that `unfinished` has shown.

    Attributes:
        rest: the start of a line whose end has not arrived, without what is in records already; never more than
            MAX_LINE_BYTES.
        has_begun: whether the beginning of that line is in records already.
    """

    def __init__(self, stream: str) -> None:
        self.rest = b""
        self.has_begun = False
        self._last = stream.encode()
        self._more = stream.upper().encode()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, data: bytes, now_ms: int) -> bytes:
        """Take bytes; return the records that they complete, with this time in Unix milliseconds."""
        return self._cut(self._decoder.decode(data).encode(), now_ms)

    def flush(self, now_ms: int) -> bytes:
        """Return the record of a line whose end has not arrived, and begin a new line; b"" if there is none."""
        records = self._cut(self._decoder.decode(b"", final=True).encode(), now_ms)
        if self.rest or self.has_begun:
            records += b"%d %s %s\n" % (now_ms, self._last, self.rest)
        self.rest, self.has_begun = b"", False
        self._decoder.reset()
        return records

    def unfinished(self, now_ms: int) -> bytes:
        """Return the record of what there is of a line whose end has not arrived; b"" if there is nothing new."""
        if not self.rest:
            return b""
        records = b"%d %s %s\n" % (now_ms, self._more, self.rest)
        self.rest, self.has_begun = b"", True
        return records

    def _cut(self, text: bytes, now_ms: int) -> bytes:
        lines = (self.rest + text).split(b"\n")
        if b"\r" in text or b"\r" in self.rest:
            lines = [self._standing(line, is_first=number == 0) for number, line in enumerate(lines)]
        self.rest = lines.pop()
        last = b"%d %s " % (now_ms, self._last)
        more = b"%d %s " % (now_ms, self._more)
        records: list[bytes] = []
        if lines and max(map(len, lines)) <= MAX_LINE_BYTES:
            records = [last, (b"\n" + last).join(lines), b"\n"]
        else:
            for line in lines:
                pieces = list(_pieces(line))
                records += [b"%s%s\n" % (more, piece) for piece in pieces[:-1]]
                records.append(b"%s%s\n" % (last, pieces[-1]))
        self.has_begun = self.has_begun and not lines
        *pieces, self.rest = _pieces(self.rest)
        records += [b"%s%s\n" % (more, piece) for piece in pieces]
        self.has_begun = self.has_begun or bool(pieces)
        return b"".join(records)

    def _standing(self, line: bytes, *, is_first: bool) -> bytes:
        """What stands last of a line that writes over itself, as a line end of Windows does not."""
        start = line.rstrip(b"\r").rfind(b"\r")
        if start < 0:
            return line
        # What a record has shown already is written over by whoever shows the next one.
        return line[start:] if is_first and self.has_begun else line[start + 1 :]


def _pieces(line: bytes) -> Iterator[bytes]:
    start = 0
    while len(line) - start > MAX_LINE_BYTES:
        end = start + MAX_LINE_BYTES
        while line[end] & _CONTINUATION_MASK == _CONTINUATION:
            end -= 1
        yield line[start:end]
        start = end
    yield line[start:]


class Chunk(NamedTuple):
    """A piece of an attempt's log.

    Attributes:
        offset: its place in the stream of all records of the attempt, in bytes.
        records: whole records.
    """

    offset: int
    records: bytes

    @property
    def end(self) -> int:
        """The offset of the first byte after it."""
        return self.offset + len(self.records)


class _Block:
    __slots__ = ("offset", "records")

    def __init__(self, offset: int) -> None:
        self.offset = offset
        self.records = bytearray()


class LogBuffer:
    """Holds the records that the API does not have yet. Safe for use by two threads.

    The beginning of the log (`head_bytes`) is always kept. Of the rest, only the latest `tail_bytes` are kept until
    they are sent; where records were dropped, the offset of the next chunk jumps.
    """

    def __init__(self, head_bytes: int = LOG_HEAD_BYTES, tail_bytes: int = LOG_TAIL_BYTES) -> None:
        self._head_bytes = head_bytes
        self._tail_bytes = tail_bytes
        self._head: deque[_Block] = deque()
        self._tail: deque[_Block] = deque()
        self._tail_held = 0
        self._end = 0  # offset of the next record
        self._sent: Chunk | None = None  # what `take` returned and the API has not confirmed yet
        self._lock = threading.Lock()

    @property
    def end(self) -> int:
        """The offset after the last record."""
        with self._lock:
            return self._end

    @property
    def start(self) -> int:
        """The offset of the first kept record that the API does not have; `end` if the API has all of them."""
        with self._lock:
            blocks = self._head or self._tail
            return self._sent.offset if self._sent else blocks[0].offset if blocks else self._end

    def append(self, records: bytes) -> None:
        """Add whole records."""
        with self._lock:
            start = 0
            while start < len(records):
                # A record is shorter than a block, so there is always an end of one to cut at.
                end = len(records)
                if end - start > _BLOCK_BYTES:
                    end = records.rfind(b"\n", start, start + _BLOCK_BYTES) + 1
                self._add(records[start:end])
                start = end

    def take(self) -> Chunk | None:
        """Return the next chunk to send, of at most MAX_CHUNK_BYTES; None if there is nothing to send.

        It returns the same chunk again until `received` confirms it.
        """
        with self._lock:
            if self._sent is None:
                blocks = self._head or self._tail
                if not blocks:
                    return None
                self._sent = self._gather()
            return self._sent

    def received(self, next_offset: int) -> bool:
        """Note up to which offset the API has the log.

        Returns:
            Whether that is further than before.
        """
        with self._lock:
            sent = self._sent
            if sent is None or next_offset <= sent.offset:
                return False
            rest = sent.records[next_offset - sent.offset :]
            self._sent = Chunk(next_offset, rest) if rest else None
            return True

    def _add(self, records: bytes) -> None:
        in_head = self._end < self._head_bytes
        blocks = self._head if in_head else self._tail
        if not blocks or len(blocks[-1].records) >= _BLOCK_BYTES:
            blocks.append(_Block(self._end))
        blocks[-1].records += records
        self._end += len(records)
        if in_head:
            return
        self._tail_held += len(records)
        while self._tail_held > self._tail_bytes and len(blocks) > 1:
            self._tail_held -= len(blocks.popleft().records)

    def _gather(self) -> Chunk:
        first = (self._head or self._tail)[0].offset
        records = bytearray()
        for blocks in (self._head, self._tail):
            while (
                blocks
                and blocks[0].offset == first + len(records)
                and len(records) + len(blocks[0].records) <= MAX_CHUNK_BYTES
            ):
                block = blocks.popleft()
                records += block.records
                if blocks is self._tail:
                    self._tail_held -= len(block.records)
        return Chunk(first, bytes(records))
