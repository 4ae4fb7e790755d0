"""When to send which signal to the child. Pure: a situation and a time go in, a plan comes out."""

from __future__ import annotations

import signal
from typing import Final, NamedTuple

# Why the child was told to end.
STOPPED: Final = "stopped"
TIMED_OUT: Final = "timed_out"
SENT_AWAY: Final = "sent_away"


class Situation(NamedTuple):
    """What bears on the child's life; times are seconds of one monotonic clock.

    Attributes:
        deadline: when the attempt's time is over; None: it has no limit.
        stop_at: when the pod, or the API by a beat, said stop.
        sent_away: whether the attempt is not the job's current one any more.
        told_at: when the child got SIGTERM.
        told_why: STOPPED, TIMED_OUT or SENT_AWAY.
        killed: whether it got SIGKILL.
        stop_grace: from a stop's SIGTERM to SIGKILL.
        timeout_grace: from a timeout's.
    """

    deadline: float | None
    stop_grace: float
    timeout_grace: float
    stop_at: float | None = None
    sent_away: bool = False
    told_at: float | None = None
    told_why: str | None = None
    killed: bool = False


class Plan(NamedTuple):
    """A signal to send now, with the reason, or when to look again (None: when something happens)."""

    signal: signal.Signals | None
    why: str | None
    look_at: float | None


def plan(now: float, situation: Situation) -> Plan:
    """What to do with a child that is alive."""
    s = situation
    if s.killed:
        return Plan(None, None, None)
    if s.sent_away:
        return Plan(signal.SIGKILL, SENT_AWAY, None)
    if s.told_at is not None:
        kill_at = s.told_at + (s.timeout_grace if s.told_why == TIMED_OUT else s.stop_grace)
        return Plan(signal.SIGKILL, s.told_why, None) if now >= kill_at else Plan(None, None, kill_at)
    if s.stop_at is not None:
        return Plan(signal.SIGTERM, STOPPED, s.stop_at + s.stop_grace)
    if s.deadline is None:
        return Plan(None, None, None)
    if now >= s.deadline:
        return Plan(signal.SIGTERM, TIMED_OUT, now + s.timeout_grace)
    return Plan(None, None, s.deadline)
