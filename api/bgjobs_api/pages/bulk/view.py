"""What the pages of a bulk say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bgjobs.bulk import reasons
from bgjobs.vocabulary import BulkVerb, Phase, State, state_and_phase
from bgjobs_core.jobs.bulk import why_not

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bgjobs.bulk import Bulk

EFFECTS: Final[Mapping[BulkVerb, str]] = {
    BulkVerb.CANCEL: "What waits never starts. What runs gets SIGTERM, and is deleted after the queue's grace period; "
    "what it has done so far stays done. A cancelled job cannot be resumed; it can be run again as a new job.",
    BulkVerb.PAUSE: "Jobs that wait are held until somebody resumes them, and keep their place.",
    BulkVerb.RESUME: "Paused jobs wait for their time or for a slot, as before. Suspended ones start over.",
    BulkVerb.SUSPEND: "Their pods get SIGTERM and are deleted. When somebody resumes them, their code starts over; the "
    "attempt that is interrupted does not count. They keep their slots.",
    BulkVerb.RUN_NOW: "They do not wait for their delay any more, but still for a slot of their queue.",
    BulkVerb.RERUN: "Each becomes a new job with the same call, by the rules that its queue has now.",
}
# Where no state is looked for, the others would be offered for few jobs.
_USUAL: Final = (BulkVerb.CANCEL, BulkVerb.PAUSE, BulkVerb.RESUME, BulkVerb.RERUN)


def offered(state: str | None) -> tuple[BulkVerb, ...]:
    """The verbs that the list offers for all jobs that match, when it shows jobs of this state or phase."""
    if state is None:
        return _USUAL
    found, phase = state_and_phase(state)
    if found is State.LAUNCHED and phase is None:
        phase = Phase.RUNNING
    return tuple(verb for verb in BulkVerb if why_not(verb, found, phase or "") is None)


def percent(bulk: Bulk) -> int:
    """How far it is."""
    visited = bulk.done + bulk.failed + sum(bulk.skipped.values())
    return 100 if bulk.is_over or not bulk.total else min(99, 100 * visited // bulk.total)


def said(counts: Mapping[str, int]) -> Sequence[str]:
    """Why jobs were left as they are."""
    return reasons(dict(counts))
