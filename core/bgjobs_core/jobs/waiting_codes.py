"""Why jobs do not run, by the codes of `why_not`, from what is cheap to know of many of them. Pure.

For one job `why_not` looks at all that is around it. Here jobs are counted: of a queue by its settings, and of launched
jobs by their records alone. Where both know the same, they say the same (tests/unit/core/test_waiting_codes.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bgjobs.vocabulary import Phase, State, WhyNot
from bgjobs_core.jobs.kube_words import cause

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bgjobs_core.jobs.queue import QueueRecord
    from bgjobs_core.jobs.record import JobRecord

# What the state alone tells. A job that was refused by Kubernetes is scheduled, too, until it is tried again.
OF_STATES: Final[Mapping[State, WhyNot]] = {
    State.BLOCKED: WhyNot.BLOCKED,
    State.PAUSED: WhyNot.PAUSED,
    State.SCHEDULED: WhyNot.SCHEDULED,
    State.STOPPING: WhyNot.STOPPING,
}
# What the phase of a launched job tells; that of one that runs tells nothing.
OF_PHASES: Final[Mapping[Phase, WhyNot]] = {
    Phase.PENDING: WhyNot.POD_PENDING,
    Phase.RETRYING: WhyNot.BACK_OFF,
    Phase.SUSPENDED: WhyNot.SUSPENDED,
    Phase.UNREACHABLE: WhyNot.UNREACHABLE,
}
# Phases in which the record may tell the words of Kubernetes.
READ: Final = frozenset({Phase.PENDING, Phase.RETRYING})


def of_queue(queue: QueueRecord | None, owned: int, now_ms: int, *, held: bool, troubled: bool) -> WhyNot:
    """Why the queued jobs of a queue do not run; whose turn it is, holds, and the limits of its keys are left out.

    Args:
        queue: its settings; None if there is no such queue.
        owned: how many of its jobs hold a slot.
        now_ms: the present, in Unix ms; a queue may have other limits for a time.
        held: whether nothing is launched from any queue.
        troubled: whether its namespace is in trouble.
    """
    if held:
        return WhyNot.HELD
    if queue is None:
        return WhyNot.QUEUE_MISSING
    if queue.refused:
        return WhyNot.QUEUE_REFUSED
    if queue.spec.paused:
        return WhyNot.QUEUE_PAUSED
    if troubled:
        return WhyNot.NAMESPACE_IN_TROUBLE
    return WhyNot.QUEUE_FULL if owned >= queue.most_at(now_ms) else WhyNot.WAITS_ITS_TURN


def of_launching(*, held: bool, troubled: bool) -> WhyNot:
    """Why the jobs of a namespace that have a slot have no KubeJob yet; the arguments are those of `of_queue`."""
    if held:
        return WhyNot.HELD
    return WhyNot.NAMESPACE_IN_TROUBLE if troubled else WhyNot.LAUNCHING


def of_launched(record: JobRecord) -> WhyNot | None:
    """Why a launched job does not run; None if its code runs, or if it has moved on."""
    if record.state != State.LAUNCHED:
        return None
    phase = Phase(record.phase or Phase.PENDING)
    if record.paused_by and phase != Phase.RUNNING:
        return WhyNot.SUSPENDED
    if record.kueue_at is not None and phase in READ:
        return WhyNot.KUEUE_PENDING
    if phase in READ and record.reason:
        return cause(record.reason, WhyNot.POD_CANNOT_START)
    return OF_PHASES.get(phase)
