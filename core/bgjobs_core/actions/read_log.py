"""read_log: the log of an attempt, in pieces that join, also while it is being written.

Who follows a log leaves a mark, for which the runner sends what is printed each second instead of every ten.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bgjobs_core.jobs import log_text
from bgjobs_core.redis.errors import StoreFullError

if TYPE_CHECKING:
    from bgjobs_core.jobs.record import AttemptRecord, JobRecord
    from bgjobs_core.store.store import Store


@dataclass(frozen=True)
class LogPiece:
    """A piece of a log.

    Attributes:
        data: its text, in UTF-8.
        next_offset: the offset to ask with for what follows it.
        is_complete: whether nothing will come after it.
    """

    data: bytes
    next_offset: int
    is_complete: bool


async def chunks(store: Store, record: JobRecord, attempt: AttemptRecord, *, follows: bool) -> list[bytes]:
    """All chunks that are kept of an attempt's log, in their order; see `bgjobs_core.jobs.logs`.

    Args:
        store: where they are.
        record: the job.
        attempt: read before this call, so that one that had ended then gets no more chunks.
        follows: whether the reader will come back for more; the mark of that is left only while more can come.
    """
    if follows:
        await _mark(store, record, attempt)
    return await store.log_chunks(record.id, attempt.number)


async def read_log(
    store: Store,
    record: JobRecord,
    attempt: AttemptRecord | None,
    offset: int = 0,
    *,
    timestamps: bool = False,
    follows: bool = True,
) -> LogPiece:
    """What follows an offset in the log of an attempt, as text.

    Args:
        store: where the log is.
        record: the job.
        attempt: read before this call; None before the first one has started: the piece is empty.
        offset: 0, or what the piece before gave.
        timestamps: begin each line with its time and stream.
        follows: as in `chunks`.
    """
    is_complete = log_text.is_complete(record, attempt)
    if attempt is None:
        if follows:
            await _mark(store, record, attempt)
        return LogPiece(b"", offset, is_complete)
    kept = await chunks(store, record, attempt, follows=follows)
    piece = await asyncio.to_thread(log_text.piece, kept, offset, attempt.log_next, timestamps=timestamps)
    return LogPiece(piece.data, piece.next_offset, is_complete)


async def _mark(store: Store, record: JobRecord, attempt: AttemptRecord | None) -> None:
    if not log_text.is_complete(record, attempt):
        # A full Redis takes no mark, and then the log comes in larger pieces.
        with contextlib.suppress(StoreFullError):
            await store.watch_log(record.id)
