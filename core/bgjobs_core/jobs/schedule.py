"""What is due of a schedule: for which ticks a job is made, which are missed and why. Pure; times are Unix seconds.

The memory of a schedule is the status of its object. Ids of jobs are derived from ticks, so nothing depends on that
memory being the latest: a tick that is looked at again finds its job, or makes the same one.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from bgjobs_core.jobs.ids import schedule_job_id
from bgjobs_core.resources.schedules import MAX_ACTIVE, MAX_MISSED, MissedTick

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from bgjobs_core.resources.schedules import ScheduleSpec, ScheduleStatus

# A tick that is looked at within this time is on time, as when another operator had to take over first.
ON_TIME_SECONDS: Final = 30
MAX_MADE_UP: Final = 100  # ticks of a time without operator for which jobs are made
AWAY: Final = "operator away"
DEADLINE: Final = "starting deadline"
SUSPENDED: Final = "suspended"
REPLACED: Final = "replace: a later tick was due too"
_SUSPENDED_TIMES: Final = " (suspended)"


@dataclass(frozen=True)
class Missed:
    """A tick for which no job is made."""

    tick: int
    reason: str


@dataclass(frozen=True)
class Make:
    """A tick for which a job is made.

    Attributes:
        tick: when.
        job_id: the id of the job.
        due: when the job is due: the tick and its jitter.
        replaces: jobs to be cancelled first.
    """

    tick: int
    job_id: str
    due: int
    replaces: tuple[str, ...] = ()


@dataclass(frozen=True)
class Made:
    """A tick whose job is there already."""

    tick: int
    job_id: str
    has_ended: bool


Step = Missed | Make | Made


@dataclass(frozen=True)
class Settled:
    """What is settled of a schedule.

    Attributes:
        times: `ScheduleSpec.times` that this is about, with a note if it was suspended.
        since: ticks up to this do not count.
        last: the latest tick that was dealt with.
        last_job: id of the latest job; "" if there was none.
        active: ids of jobs that had not ended.
        missed: the newest ones, oldest first.
    """

    times: str
    since: int
    last: int | None = None
    last_job: str = ""
    active: tuple[str, ...] = ()
    missed: tuple[Missed, ...] = ()

    @property
    def upto(self) -> int:
        """Ticks up to this are settled."""
        return max(self.since, self.last or 0)

    def after(self, step: Step) -> Settled:
        """When this is done, too."""
        if isinstance(step, Missed):
            return replace(self, last=step.tick, missed=(*self.missed, step)[-MAX_MISSED:])
        gone = set(step.replaces) if isinstance(step, Make) else set[str]()
        now = replace(self, last=step.tick, last_job=step.job_id, active=tuple(i for i in self.active if i not in gone))
        return now if isinstance(step, Made) and step.has_ended else now.with_active([step.job_id])

    def with_active(self, job_ids: Iterable[str]) -> Settled:
        """With these jobs too that have not ended."""
        return replace(self, active=tuple(dict.fromkeys([*self.active, *job_ids]))[-MAX_ACTIVE:])

    def without_ended(self, ended: Mapping[str, bool]) -> Settled:
        """Without the jobs that have ended, or are no more; `ended` says it of each that is there."""
        return replace(self, active=tuple(job for job in self.active if not ended.get(job, True)))

    def status(self, spec: ScheduleSpec, now: int) -> dict[str, object]:
        """As fields of the status of the object, without its conditions."""
        following = None if spec.suspend else spec.ticks().after(now)
        fields: dict[str, object] = {
            "times": self.times,
            "since": iso(self.since),
            "lastTick": None if self.last is None else iso(self.last),
            "nextTick": None if following is None else iso(following),
            "lastJobId": self.last_job or None,
            "active": list(self.active),
            "missed": [MissedTick(tick=iso(one.tick), reason=one.reason).model_dump() for one in self.missed],
        }
        return {name: value for name, value in fields.items() if value is not None}


def settled(status: ScheduleStatus, spec: ScheduleSpec, created: int, now: int) -> Settled:
    """What its status says is settled; of a schedule that was made anew, resumed or given other times: nothing past.

    Args:
        status: as the operator last wrote it.
        spec: as it is now.
        created: when the object was made.
        now: the time.
    """
    times = spec.times + (_SUSPENDED_TIMES if spec.suspend else "")
    if status.times is None:
        return Settled(times, created)
    known = Settled(
        times,
        _unix(status.since, now),
        None if status.last_tick is None else _unix(status.last_tick, now),
        status.last_job_id or "",
        tuple(status.active),
        tuple(Missed(_unix(one.tick, now), one.reason) for one in status.missed),
    )
    was = status.times.removesuffix(_SUSPENDED_TIMES)
    if was == spec.times and status.times.endswith(_SUSPENDED_TIMES):
        # The ticks of the time in which it was suspended; after a change of times nobody knows which those were.
        for missed in _suspended(pending(spec, known, now)):
            known = known.after(missed)
    if status.times == times or (spec.suspend and was == spec.times):
        return known
    return replace(known, since=now)


def pending(spec: ScheduleSpec, known: Settled, now: int) -> list[int]:
    """Ticks that are not settled yet, oldest first: the newest of them if there are more than can matter."""
    ticks, found, at = spec.ticks(), list[int](), now + 1
    while len(found) <= MAX_MADE_UP and (tick := ticks.before(at)) is not None and tick > known.upto:
        found.append(tick)
        at = tick
    return found[::-1]


def plan(
    spec: ScheduleSpec, uid: str, waiting: list[int], active: Iterable[str], ended: Mapping[str, bool], now: int
) -> list[Step]:
    """What becomes of each tick that is not settled.

    Args:
        spec: what the owner wants.
        uid: of the object.
        waiting: the ticks, oldest first.
        active: ids of its earlier jobs that may not have ended.
        ended: of each job that is there, whether it has ended, by id: those of `active` and of the ticks.
        now: the time.
    """
    if spec.suspend:
        return list(_suspended(waiting))
    steps, candidates = list[Step](), list[int]()
    made_up = _made_up(spec, waiting, now)
    for tick in waiting:
        job_id = schedule_job_id(uid, tick)
        if job_id in ended:
            steps.append(Made(tick, job_id, ended[job_id]))
        elif now - tick > ON_TIME_SECONDS and tick not in made_up:
            steps.append(Missed(tick, AWAY))
        elif spec.starting_deadline_seconds is not None and now - tick > spec.starting_deadline_seconds:
            steps.append(Missed(tick, DEADLINE))
        else:
            candidates.append(tick)
    made = [step for step in steps if isinstance(step, Made)]
    running = [job for job in active if not ended.get(job, True)]
    running += [step.job_id for step in made if not step.has_ended]
    latest = max([*candidates, *(step.tick for step in made)], default=0)
    steps += _by_policy(spec, uid, candidates, running, latest)
    return sorted(steps, key=lambda step: step.tick)


def _by_policy(spec: ScheduleSpec, uid: str, ticks: list[int], running: list[str], latest: int) -> Iterator[Step]:
    for tick in ticks:
        job_id = schedule_job_id(uid, tick)
        make = Make(tick, job_id, tick + jitter(uid, tick, spec.jitter_seconds))
        if spec.concurrency_policy == "Forbid" and running:
            yield Missed(tick, f"forbid: job {running[-1]} still runs")
        elif spec.concurrency_policy == "Replace" and tick < latest:
            yield Missed(tick, REPLACED)
        elif spec.concurrency_policy == "Replace":
            yield replace(make, replaces=tuple(dict.fromkeys(running)))
        else:
            running.append(job_id)
            yield make


def _made_up(spec: ScheduleSpec, waiting: list[int], now: int) -> set[int]:
    late = [tick for tick in waiting if now - tick > ON_TIME_SECONDS]
    if spec.missed_ticks == "all":
        return set(late[-MAX_MADE_UP:])
    # One that is on time is a later tick than the last that was missed: it stands for all of them.
    return set(late[-1:]) if spec.missed_ticks == "last" and len(late) == len(waiting) else set()


def _suspended(ticks: list[int]) -> Iterator[Missed]:
    return (Missed(tick, SUSPENDED) for tick in ticks)


def jitter(uid: str, tick: int, most: int) -> int:
    """How many seconds after a tick its job is due: from 0 to `most`, always the same for one tick of a schedule."""
    drawn = hashlib.sha256(f"{uid}/{tick}".encode()).digest()
    return int.from_bytes(drawn[:8]) % (most + 1)


def iso(at: int) -> str:
    """A time as Kubernetes writes it."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _unix(text: str | None, otherwise: int) -> int:
    """The time of a status; what nobody can read is taken as `otherwise`."""
    try:
        return otherwise if text is None else round(datetime.fromisoformat(text).astimezone(UTC).timestamp())
    except (ValueError, OverflowError):
        return otherwise
