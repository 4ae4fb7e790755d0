"""A batch as a row of the page: how many jobs it has had, and in which states they are. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bgjobs.vocabulary import BatchState, Phase, State
from bgjobs_api.pages.shared import states, words

if TYPE_CHECKING:
    from bgjobs_core.jobs.batch import BatchRecord

_OPEN: Final = states.Shown(BatchState.OPEN, "Open", State.LAUNCHED, State.LAUNCHING)
_RUNNING: Final = states.named(Phase.RUNNING)


@dataclass(frozen=True)
class BatchRow:
    """A row of the page.

    Attributes:
        id: of the batch.
        namespace: of its jobs.
        url: of the list of its jobs.
        state: how it stands.
        note: what is to be said of that.
        ended: how many of its jobs have ended.
        jobs: how many it has had.
        percent: how many of a hundred have ended.
        counts: of each state that some have: it, how many, and the address of the list of these.
        begun: when its first job came.
        by: who has asked for that.
    """

    id: str
    namespace: str
    url: str
    state: states.Shown
    note: str
    ended: int
    jobs: int
    percent: int
    counts: tuple[tuple[states.Shown, int, str], ...]
    begun: words.Stamp
    by: str


def row(batch: BatchRecord, now: int) -> BatchRow:
    """A batch as a row of the page."""
    if batch.state is not None:
        state, note = states.named(batch.state), ""
    elif batch.closed_at is not None:
        state, note = _RUNNING, ""
    else:
        state, note = _OPEN, f"more jobs may come, the latest came {words.ago(batch.latest_at, now).text}"
    return BatchRow(
        id=batch.id,
        namespace=batch.namespace,
        url=f"/jobs?batch={batch.id}",
        state=state,
        note=note,
        ended=batch.ended,
        jobs=batch.jobs,
        percent=100 * batch.ended // batch.jobs if batch.jobs else 0,
        counts=tuple(
            (states.named(one), batch.counts[one], f"/jobs?state={one}&batch={batch.id}")
            for one in State
            if batch.counts[one]
        ),
        begun=words.ago(batch.created_at, now),
        by=words.who(batch.created_by),
    )
