"""Decides when to send which signal to the child. Pure: a situation and a time go in, a plan comes out."""

from __future__ import annotations

import signal

from bgjobs.light_typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import Final

# Why the child gets a signal: the pod or the job is stopped, the attempt's time is over, another attempt of the job is
# the current one, or the method has returned and something of it goes on.
STOPPED: Final = "stopped"
TIMED_OUT: Final = "timed_out"
SUPERSEDED: Final = "superseded"
LINGERING: Final = "lingering"

# How long the stacks of a child may take that is to be ended.
SHOW_SECONDS: Final = 2.5


class Situation(NamedTuple):
    """Everything that decides whether the child may go on; times are seconds of one monotonic clock.

    Attributes:
        deadline: when the attempt's time is over; None if it has no limit.
        stop_grace: how long after the SIGTERM of a stop the child is killed.
        timeout_grace: how long after the SIGTERM of a timeout the child is killed.
        stop_at: when the pod got SIGTERM, or the API answered a beat with `stop`; None if neither has happened.
        superseded: whether the attempt is not the job's current one any more.
        signalled_at: when the child got SIGTERM; None if it has not.
        cause: why it got a signal: STOPPED, TIMED_OUT, LINGERING or SUPERSEDED; None if it has got none.
        killed: whether it got SIGKILL.
        returned_at: when it has said how its call ended; None if it has not.
        linger_grace: how long after that it is killed.
        shows: whether its stacks are to be written into the log before it is ended.
        shown_at: when that was begun; None if it was not.
        shown: whether that is done.
    """

    deadline: float | None
    stop_grace: float
    timeout_grace: float
    stop_at: float | None = None
    superseded: bool = False
    signalled_at: float | None = None
    cause: str | None = None
    killed: bool = False
    returned_at: float | None = None
    linger_grace: float = 30.0
    shows: bool = False
    shown_at: float | None = None
    shown: bool = False


class Plan(NamedTuple):
    """What to do now.

    Attributes:
        signal: to send to the child now; None to send nothing.
        cause: why it is sent: STOPPED, TIMED_OUT, LINGERING or SUPERSEDED; None without a signal.
        look_at: when to ask for a plan again, as a time of the situation's clock; None if only an event can change it.
        show: whether to begin to write its stacks into the log.
    """

    signal: signal.Signals | None
    cause: str | None
    look_at: float | None
    show: bool = False


def plan(now: float, situation: Situation) -> Plan:
    """Decide what to do with a child that is alive, at the time `now` of the situation's clock."""
    s = situation
    if s.killed:
        return Plan(None, None, None)
    if s.superseded:
        return Plan(signal.SIGKILL, SUPERSEDED, None)
    if s.returned_at is None:
        return _while_it_works(now, s)
    # It has nothing left to do. A SIGTERM would not tell its threads anything, and end it at once.
    ends_at = s.returned_at + s.linger_grace
    if now >= ends_at:
        return Plan(signal.SIGKILL, s.cause or LINGERING, None)
    found = _while_it_works(now, s)
    return found._replace(look_at=ends_at if found.look_at is None else min(ends_at, found.look_at))


def _show_at(kill_at: float, grace: float) -> float:
    """When the stacks are taken of a child that has been told to stop and goes on."""
    return kill_at - min(SHOW_SECONDS, grace / 2)


def _while_it_works(now: float, s: Situation) -> Plan:
    if s.signalled_at is not None:
        grace = s.timeout_grace if s.cause == TIMED_OUT else s.stop_grace
        kill_at = s.signalled_at + grace
        if now >= kill_at:
            return Plan(signal.SIGKILL, s.cause, None)
        if not s.shows or s.shown_at is not None:
            return Plan(None, None, kill_at)
        # It does not obey: what it does instead is seen before it is killed, which does not wait for that.
        show_at = _show_at(kill_at, grace)
        return Plan(None, None, kill_at, show=True) if now >= show_at else Plan(None, None, show_at)
    if s.stop_at is not None:
        kill_at = s.stop_at + s.stop_grace
        look_at = _show_at(kill_at, s.stop_grace) if s.shows and s.shown_at is None else kill_at
        return Plan(signal.SIGTERM, STOPPED, look_at)
    if s.deadline is None:
        return Plan(None, None, None)
    if now >= s.deadline:
        # A SIGTERM ends most code at once, so what has taken so long is seen before that.
        if s.shows and s.shown_at is None:
            return Plan(None, None, now + SHOW_SECONDS, show=True)
        if s.shows and s.shown_at is not None and not s.shown and now < s.shown_at + SHOW_SECONDS:
            return Plan(None, None, s.shown_at + SHOW_SECONDS)
        return Plan(signal.SIGTERM, TIMED_OUT, now + s.timeout_grace)
    return Plan(None, None, s.deadline)
