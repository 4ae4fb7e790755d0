"""What became of the latest ticks of a schedule: each with its job, or with the reason why there is none. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bgjobs_api.pages.shared import states, words
from bgjobs_core.jobs.ids import is_stored_id, schedule_job_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from zoneinfo import ZoneInfo

    from bgjobs.wire import Schedule
    from bgjobs_core.jobs.record import JobRecord
    from bgjobs_core.jobs.schedule_record import ScheduleRecord

NOTHING_KEPT: Final = "nothing is kept of it any more"
NOT_SHOWN: Final = "you may not see its job"
_BY_HAND: Final = "run by hand"


@dataclass(frozen=True)
class Tick:
    """One tick, or one job that was run by hand.

    Attributes:
        at: when, by the clocks of the schedule.
        state: of its job; None if there is none, or nobody knows.
        job_id: of its job; "" if there is none that can be shown.
        text: what became of it, in a few words.
        is_missed: whether no job was made.
        beside: what is said beside its state.
    """

    at: words.Stamp
    state: states.Shown | None
    job_id: str
    text: str
    is_missed: bool = False
    beside: str = ""

    @property
    def title(self) -> str:
        """All of it in one line."""
        return f"{self.at.text}: {self.text}"


@dataclass(frozen=True)
class Wanted:
    """Which jobs tell what became of the latest ticks.

    Attributes:
        by_tick: the id of the job of each tick, by the Unix second; the newest first.
        by_hand: ids of jobs that may have been run by hand.
    """

    by_tick: Mapping[int, str]
    by_hand: tuple[str, ...]

    @property
    def ids(self) -> list[str]:
        """All of them that a job can have, each once."""
        return [one for one in dict.fromkeys([*self.by_tick.values(), *self.by_hand]) if is_stored_id(one)]


def wanted(record: ScheduleRecord, shown: Schedule, now: int, most: int) -> Wanted:
    """The jobs of the latest ticks, at most so many, and those that were run by hand.

    Args:
        record: of the schedule.
        shown: the same, as the API shows it.
        now: Unix seconds.
        most: how many ticks are shown.
    """
    by_tick: dict[int, str] = {}
    ticks, at = record.ticks(), now + 1
    while ticks is not None and record.uid and len(by_tick) < most:
        before = ticks.before(at)
        if before is None or before <= record.counts_from:
            break
        by_tick[before] = schedule_job_id(record.uid, before)
        at = before
    known = set(by_tick.values())
    others = [*shown.active[-most:], *((shown.last_job_id,) if shown.last_job_id else ()), *record.ran[-most:]]
    return Wanted(by_tick, tuple(one for one in dict.fromkeys(others) if one not in known))


def latest(
    shown: Schedule, asked: Wanted, jobs: Iterable[JobRecord] | None, zone: ZoneInfo, most: int
) -> tuple[Tick, ...]:
    """What became of the latest ticks, the oldest first.

    Args:
        shown: the schedule.
        asked: which jobs tell.
        jobs: those of them that are there; None if the reader may not see jobs.
        zone: whose clocks show the times.
        most: how many are shown.
    """
    # Whoever may write the status of a schedule can name any job there.
    found = {one.id: one for one in jobs or () if one.namespace == shown.namespace}
    missed = {round(one.tick.timestamp()): one.reason for one in shown.missed}
    dealt_with = 0 if shown.last_tick is None else round(shown.last_tick.timestamp())
    rows: dict[tuple[int, str], Tick] = {}
    for at, reason in missed.items():
        rows[at, ""] = Tick(words.in_zone(at, zone), None, "", f"missed: {reason}", is_missed=True, beside=reason)
    for at, job_id in asked.by_tick.items():
        job, stamp = found.get(job_id), words.in_zone(at, zone)
        if job is not None:
            rows[at, job_id] = _of_job(job, stamp)
        elif at not in missed and at <= dealt_with:
            rows[at, job_id] = Tick(stamp, None, "", NOT_SHOWN if jobs is None else NOTHING_KEPT)
    for job_id in asked.by_hand:
        job = found.get(job_id)
        if job is not None:
            at = job.created_at // 1000
            rows[at, job_id] = _of_job(job, words.in_zone(at, zone), by_hand=not _is_of_a_tick(job))
    return tuple(rows[key] for key in sorted(rows)[-most:])


def _is_of_a_tick(job: JobRecord) -> bool:
    return job.created_by.startswith("schedule:")


def _of_job(job: JobRecord, at: words.Stamp, *, by_hand: bool = False) -> Tick:
    state = states.of(job)
    outcome = job.outcome if job.outcome != job.state else ""
    beside = ", ".join(one for one in (outcome, _BY_HAND if by_hand else "") if one)
    return Tick(at, state, job.id, f"{state.word.lower()}{f', {beside}' if beside else ''}", beside=beside)
