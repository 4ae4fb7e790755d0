"""One job of a bulk: the same is done with it as if somebody had asked for this job alone."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bgjobs.vocabulary import BulkVerb, Outcome, State, WhySkipped
from bgjobs_core.actions.codes import code_of
from bgjobs_core.actions.errors import (
    ActionError,
    JobNotFoundError,
    NoRoomError,
    NotEndedYetError,
    TooManyClassesError,
)
from bgjobs_core.actions.rerun import rerun
from bgjobs_core.jobs.bulk import why_not
from bgjobs_core.jobs.history import complete
from bgjobs_core.redis.errors import StoreError, StoreFullError, StoreLayoutError, StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bgjobs_core.jobs.bulk import BulkOrder
    from bgjobs_core.redis.memory import MemoryGate
    from bgjobs_core.store.store import Store

_AT_ONCE: Final = 4  # so that Redis serves others between them
# A reason that the API has no code for.
UNREADABLE: Final = "store_error"


@dataclass
class Counts:
    """What came of some jobs.

    Attributes:
        done: with how many it was done.
        reasons: how many were skipped or failed, by `skipped:` or `failure:` and a word.
    """

    done: int = 0
    reasons: Counter[str] = field(default_factory=Counter[str])

    def skip(self, why: WhySkipped, number: int = 1) -> None:
        """So many were left as they are."""
        if number > 0:
            self.reasons[f"skipped:{why}"] += number

    def fail(self, code: str) -> None:
        """One could not be done."""
        self.reasons[f"failure:{code}"] += 1

    @property
    def visited(self) -> int:
        """Of how many it was decided."""
        return self.done + self.reasons.total()


@dataclass
class Acted:
    """What came of the jobs of a step.

    Attributes:
        counts: of those with which something was done, or not.
        rest: ids of those for which there is no room in Redis at the moment.
    """

    counts: Counts = field(default_factory=Counts)
    rest: list[str] = field(default_factory=list[str])


async def act_on(
    store: Store, order: BulkOrder, ids: Sequence[str], gate: MemoryGate | None, *, again: bool = False
) -> Acted:
    """Do what was ordered with some jobs, a few at once.

    Args:
        store: where they are.
        order: what was ordered.
        ids: of the jobs.
        gate: says whether Redis has room for more jobs.
        again: whether it may have been done with some of them already; to run one again twice is once in any case.
    """
    acted, left = Acted(), iter(ids)

    async def some() -> None:
        for job_id in left:
            if acted.rest:
                acted.rest.append(job_id)
            elif again and order.verb is not BulkVerb.RERUN and await was_done(store, order, job_id):
                acted.counts.done += 1
            else:
                await _one(store, order, job_id, gate, acted)

    ends = await asyncio.gather(*(some() for _ in range(_AT_ONCE)), return_exceptions=True)
    for error in ends:
        if error is not None:
            raise error
    return acted


async def done_among(store: Store, order: BulkOrder, ids: Sequence[str]) -> Counts:
    """With how many of some jobs it was done, where nothing more is to be done."""
    counts = Counts()
    for job_id in ids:
        counts.done += await was_done(store, order, job_id)
    return counts


async def was_done(store: Store, order: BulkOrder, job_id: str) -> bool:
    """Whether this was done with a job already, as its history says, which names the bulk."""
    if order.verb is BulkVerb.RERUN:
        return bool(await store.recorded([order.rerun_id(job_id)]))
    record = await store.job(job_id)
    if record is None:
        return False
    return any(one.note == order.job_note for one in complete(record, await store.history(job_id)))


async def _one(store: Store, order: BulkOrder, job_id: str, gate: MemoryGate | None, acted: Acted) -> None:
    counts = acted.counts
    try:
        if order.verb is BulkVerb.RERUN:
            why = await _rerun(store, order, job_id, gate)
        else:
            why = await _verb(store, order, job_id)
    except TooManyClassesError as error:  # it must not wait for room that would not help
        counts.fail(code_of(error))
    except (NoRoomError, StoreFullError):
        acted.rest.append(job_id)
    except ActionError as error:
        counts.fail(code_of(error))
    except (StoreUnavailableError, StoreLayoutError):
        raise
    except StoreError:  # of one job whose data no verb can go by; the others must not wait for it
        counts.fail(UNREADABLE)
    else:
        if why is None:
            counts.done += 1
        else:
            counts.skip(why)


async def _rerun(store: Store, order: BulkOrder, job_id: str, gate: MemoryGate | None) -> WhySkipped | None:
    ended = await store.full_job(job_id)
    if ended is None:
        return WhySkipped.MISSING
    try:
        made = await rerun(store, ended, new_id=order.rerun_id(job_id), by=order.by, gate=gate, bulk=order.id)
    except NotEndedYetError:
        return WhySkipped.NOT_ENDED
    except JobNotFoundError:
        return WhySkipped.MISSING
    return WhySkipped.UNIQUE if made.is_another else None


# What the verbs reply when they have done it.
_DONE: Final[Mapping[BulkVerb, frozenset[str]]] = {
    BulkVerb.CANCEL: frozenset({State.CANCELLED, State.STOPPING}),
    BulkVerb.PAUSE: frozenset({State.PAUSED}),
    BulkVerb.SUSPEND: frozenset({"suspending"}),
    BulkVerb.RESUME: frozenset({"resumed"}),
    BulkVerb.RUN_NOW: frozenset({State.QUEUED}),
}


async def _verb(store: Store, order: BulkOrder, job_id: str) -> WhySkipped | None:
    """Do it by the verb of the store that is for one job; None: it is done."""
    by, note = order.by, order.job_note
    match order.verb:
        case BulkVerb.CANCEL:
            reply = await store.stop(job_id=job_id, verdict=Outcome.CANCELLED, by=by, note=note)
        case BulkVerb.PAUSE:
            reply = await store.pause(job_id=job_id, by=by, note=note)
        case BulkVerb.SUSPEND:
            reply = await store.suspend(job_id=job_id, by=by, note=note)
        case BulkVerb.RESUME:
            reply = await store.resume(job_id=job_id, by=by, note=note)
        case _:
            reply = await store.run_now(job_id=job_id, by=by, note=note)
    if reply.did in _DONE[order.verb]:
        return None
    if reply.did == "missing":
        # There is a record that no verb can go by, or none.
        return WhySkipped.UNREADABLE if await store.recorded([job_id]) else WhySkipped.MISSING
    if reply.did == "too_often":
        return WhySkipped.TOO_OFTEN
    if reply.did == "same":
        return WhySkipped.NOT_HELD if order.verb is BulkVerb.RESUME else WhySkipped.ALREADY
    return why_not(order.verb, State(reply.state)) or WhySkipped.CHANGED
