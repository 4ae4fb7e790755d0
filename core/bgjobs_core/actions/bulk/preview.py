"""What a bulk would do, before anybody has said that it shall: how many jobs are meant, by their states.

Cells tell that exactly, however many jobs there are. Jobs of a batch, and what no cell tells, are counted by reading
them, so many at most.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bgjobs.ids import new_job_id
from bgjobs.vocabulary import State, WhySkipped
from bgjobs_core.actions.bulk import tokens
from bgjobs_core.actions.bulk.rows import cells_of, why_not_of, with_error
from bgjobs_core.jobs.bulk import VALID_MS, BulkOrder, was_there, why_not

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from bgjobs.vocabulary import BulkVerb
    from bgjobs_core.actions.bulk.filters import Frozen
    from bgjobs_core.jobs.record import JobRecord
    from bgjobs_core.store.cells import Row
    from bgjobs_core.store.store import Store

MOST_COUNTED: Final = 10_000
_MOST_ERRORS: Final = 1000
_ROWS: Final = 200
_ERRORS_AT_ONCE: Final = 20
_MOST_ASKS: Final = 100


@dataclass(frozen=True)
class Preview:
    """What a bulk would do.

    Attributes:
        order: what is to be done.
        token: the same, signed; `start` takes it.
        counts: how many jobs are meant, by their states.
        skipped: how many of them would be left as they are, by reason.
    """

    order: BulkOrder
    token: str
    counts: Mapping[State, int]
    skipped: Mapping[WhySkipped, int]

    @property
    def expires_at(self) -> int:
        """Until when the token is good, in Unix ms."""
        return self.order.as_of + VALID_MS


class _Tally:
    """Counts jobs by their states, and those that a verb is not for by the reason."""

    def __init__(self, verb: BulkVerb) -> None:
        self.verb = verb
        self.counts = Counter[State]()
        self.skipped = Counter[WhySkipped]()
        self.is_exact = True

    def add(self, state: State, phase: str, number: int) -> None:
        """So many more, or less."""
        self.counts[state] += number
        if (why := why_not(self.verb, state, phase)) is not None:
            self.skipped[why] += number

    @property
    def total(self) -> int:
        """With how many of them it can be done."""
        return max(0, self.counts.total() - self.skipped.total())


async def preview(
    store: Store, frozen: Frozen, verb: BulkVerb, *, by: str, note: str = "", excepted: Sequence[str] = ()
) -> Preview:
    """Count the jobs that are meant, and give a token with which this can be done within five minutes.

    Args:
        store: where they are.
        frozen: which are meant.
        verb: what is to be done with them.
        by: who wants it; nobody else can use the token.
        note: why, for those who look at the jobs later.
        excepted: ids of jobs that are to be left as they are.
    """
    key, as_of = await tokens.signing_key(store)
    tally = _Tally(verb)
    if frozen.batch:
        await _count_batch(store, frozen, tally, as_of)
    elif frozen.looked_for.reads_jobs:
        await _count_read(store, frozen, tally, as_of)
    else:
        await _count_cells(store, frozen, tally)
    for one in await store.jobs(excepted):
        if one.namespace == frozen.namespace and _is_meant(frozen, one) and was_there(one, as_of):
            tally.add(one.state, one.phase, -1)
    order = BulkOrder(
        id=new_job_id(as_of / 1000),
        namespace=frozen.namespace,
        verb=verb,
        filter=frozen.text(),
        as_of=as_of,
        by=by,
        note=note,
        total=tally.total,
        is_exact=tally.is_exact,
        excepted=tuple(excepted),
    )
    # Whatever is enqueued after the answer has a later time, by the same clock.
    for _ in range(_MOST_ASKS):
        if (await tokens.signing_key(store))[1] > as_of:
            break
    counts = {state: number for state, number in tally.counts.items() if number > 0}
    skipped = {why: number for why, number in tally.skipped.items() if number > 0}
    return Preview(order, tokens.write(order, key), counts, skipped)


def _is_meant(frozen: Frozen, record: JobRecord) -> bool:
    return frozen.looked_for.fits(record) and frozen.batch in {"", record.batch}


async def _count_cells(store: Store, frozen: Frozen, tally: _Tally) -> None:
    looked_for = frozen.looked_for
    sizes: dict[str, int] = {}
    async for cell, size in store.sizes(frozen.namespace, looked_for.since, looked_for.until):
        if looked_for.holds(cell) and cell.name not in sizes:
            sizes[cell.name] = size
            tally.add(cell.state, cell.detail, size)


async def _count_read(store: Store, frozen: Frozen, tally: _Tally, as_of: int) -> None:
    """The jobs with which something can be done come first: it is their number that matters."""
    looked_at, errors = 0, 0
    found = (await cells_of(store, frozen)).values()
    for cell in sorted(found, key=lambda one: (why_not_of(tally.verb, one) is not None, one.name)):
        async for rows in _pages(store, frozen, cell.name):
            if looked_at >= MOST_COUNTED or errors >= _MOST_ERRORS:
                tally.is_exact = False
                return
            looked_at += len(rows)
            fit = [one for one in await store.jobs([job_id for _, job_id in rows]) if _is_meant(frozen, one)]
            if frozen.looked_for.error_type is not None:
                errors += len(fit)
            await _add(store, frozen, tally, fit, as_of)


async def _pages(store: Store, frozen: Frozen, cell: str) -> AsyncIterator[list[Row]]:
    behind: Row = (0, "")
    while rows := await store.oldest(cell, frozen.looked_for.since or 0, frozen.looked_for.until, behind, _ROWS):
        yield rows
        behind = rows[-1]


async def _count_batch(store: Store, frozen: Frozen, tally: _Tally, as_of: int) -> None:
    looked_at, after = 0, ""
    while ids := await store.batch_ids(frozen.batch, after, _ROWS):
        if looked_at >= MOST_COUNTED:
            tally.is_exact = False
            return
        looked_at, after = looked_at + len(ids), ids[-1]
        fit = [one for one in await store.jobs(ids) if _is_meant(frozen, one)]
        await _add(store, frozen, tally, fit, as_of)


async def _add(store: Store, frozen: Frozen, tally: _Tally, fit: Sequence[JobRecord], as_of: int) -> None:
    for start in range(0, len(fit), _ERRORS_AT_ONCE):
        some = fit[start : start + _ERRORS_AT_ONCE]
        meant = await with_error(store, frozen, some)
        for one in some:
            if one.id in meant and was_there(one, as_of):
                tally.add(one.state, one.phase, 1)
