"""What is due of a schedule: which ticks make a job, which are missed and why."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from bgjobs_core.jobs.ids import schedule_job_id
from bgjobs_core.jobs.schedule import (
    AWAY,
    DEADLINE,
    MAX_MADE_UP,
    REPLACED,
    SUSPENDED,
    Made,
    Make,
    Missed,
    Settled,
    Step,
    iso,
    jitter,
    pending,
    plan,
    settled,
)
from bgjobs_core.resources.schedules import MAX_ACTIVE, MAX_MISSED, ScheduleSpec, ScheduleStatus

UID = "0b1c"
NOON = 1_782_734_400  # a whole number of hours
JOB = {"class": "shop.jobs.Invoices", "method": "render"}


def spec(**said: Any) -> ScheduleSpec:
    """A schedule that ticks at :00 of each minute, if nothing else is said."""
    times = {} if {"cron", "everySeconds"} & said.keys() else {"everySeconds": 60}
    return ScheduleSpec.model_validate({"job": JOB, **times, **said})


def id_at(seconds: int) -> str:
    return schedule_job_id(UID, NOON + seconds)


def in_short(steps: list[Step]) -> list[tuple[Any, ...]]:
    """Steps, with the times of their ticks counted from noon."""
    short = list[tuple[Any, ...]]()
    for step in steps:
        if isinstance(step, Missed):
            short.append((step.tick - NOON, step.reason))
        else:
            assert step.job_id == id_at(step.tick - NOON)
            short.append((step.tick - NOON, "make" if isinstance(step, Make) else "made"))
    return short


# Its settings; its last tick and the time, counted from noon; jobs that are there and whether they have ended.
CASES: list[tuple[str, dict[str, Any], int, int, dict[str, bool], list[tuple[Any, ...]]]] = [
    ("nothing is due", {}, 0, 59, {}, []),
    ("one is due", {}, 0, 60, {}, [(60, "make")]),
    ("it is on time for half a minute", {"missedTicks": "none"}, 0, 90, {}, [(60, "make")]),
    ("then it is late", {"missedTicks": "none"}, 0, 91, {}, [(60, AWAY)]),
    ("the last is made up", {}, 0, 215, {}, [(60, AWAY), (120, AWAY), (180, "make")]),
    ("also if it is late", {}, 0, 239, {}, [(60, AWAY), (120, AWAY), (180, "make")]),
    ("none is made up", {"missedTicks": "none"}, 0, 239, {}, [(60, AWAY), (120, AWAY), (180, AWAY)]),
    ("all are made up", {"missedTicks": "all"}, 0, 190, {}, [(60, "make"), (120, "make"), (180, "make")]),
    (
        "none, but one is on time",
        {"missedTicks": "none"}, 0, 190, {}, [(60, AWAY), (120, AWAY), (180, "make")],
    ),
    (
        "a deadline",
        {"missedTicks": "all", "startingDeadlineSeconds": 100}, 0, 200, {},
        [(60, DEADLINE), (120, "make"), (180, "make")],
    ),
    ("a short deadline", {"startingDeadlineSeconds": 5}, 0, 66, {}, [(60, DEADLINE)]),
    ("a deadline just kept", {"startingDeadlineSeconds": 5}, 0, 65, {}, [(60, "make")]),
    ("the last is past its deadline", {"startingDeadlineSeconds": 40}, 0, 119, {}, [(60, DEADLINE)]),
    ("suspended", {"suspend": True}, 0, 130, {}, [(60, SUSPENDED), (120, SUSPENDED)]),
    ("a job is there already", {}, 0, 190, {id_at(60): True}, [(60, "made"), (120, AWAY), (180, "make")]),
    ("also where it would be missed", {"missedTicks": "none"}, 0, 119, {id_at(60): False}, [(60, "made")]),
    ("allow", {}, 0, 60, {"earlier": False}, [(60, "make")]),
    ("forbid", {"concurrencyPolicy": "Forbid"}, 0, 60, {"earlier": False}, [(60, "forbid: job earlier still runs")]),
    ("forbid, and it has ended", {"concurrencyPolicy": "Forbid"}, 0, 60, {"earlier": True}, [(60, "make")]),
    ("forbid, and it is no more", {"concurrencyPolicy": "Forbid"}, 0, 60, {}, [(60, "make")]),
    (
        "forbid, and all are made up",
        {"concurrencyPolicy": "Forbid", "missedTicks": "all"}, 0, 120, {},
        [(60, "make"), (120, f"forbid: job {id_at(60)} still runs")],
    ),
    (
        "forbid, and one was made before",
        {"concurrencyPolicy": "Forbid", "missedTicks": "all"}, 0, 120, {id_at(60): False},
        [(60, "made"), (120, f"forbid: job {id_at(60)} still runs")],
    ),
    ("replace", {"concurrencyPolicy": "Replace"}, 0, 60, {"earlier": False}, [(60, "make")]),
    (
        "replace, and all are made up",
        {"concurrencyPolicy": "Replace", "missedTicks": "all"}, 0, 180, {"earlier": False},
        [(60, REPLACED), (120, REPLACED), (180, "make")],
    ),
    (
        "replace, and a later one is there",
        {"concurrencyPolicy": "Replace", "missedTicks": "all"}, 0, 120, {id_at(120): False},
        [(60, REPLACED), (120, "made")],
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("said", "last", "now", "jobs", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_plan(
    said: dict[str, Any], last: int, now: int, jobs: dict[str, bool], expected: list[tuple[Any, ...]]
) -> None:
    what = spec(**said)
    known = Settled(what.times, NOON - 3600, NOON + last)

    steps = plan(what, UID, pending(what, known, NOON + now), ["earlier"], jobs, NOON + now)

    assert in_short(steps) == expected


def test_replace_names_all_that_run() -> None:
    what = spec(concurrencyPolicy="Replace", missedTicks="all")

    steps = plan(what, UID, [NOON + 60, NOON + 120], ["a", "b"], {"a": False, "b": True, id_at(60): False}, NOON + 120)

    assert steps[-1] == Make(NOON + 120, id_at(120), NOON + 120, ("a", id_at(60)))


def test_all_are_made_up_to_a_bound_and_the_newest_count() -> None:
    what = spec(everySeconds=1, missedTicks="all")
    known = Settled(what.times, NOON, NOON)

    steps = plan(what, UID, pending(what, known, NOON + 10_000_000), [], {}, NOON + 10_000_000)

    made = [step.tick for step in steps if isinstance(step, Make)]
    assert made == list(range(NOON + 10_000_001 - len(made), NOON + 10_000_001))
    assert len(made) >= MAX_MADE_UP
    assert known.after(steps[-1]).last == NOON + 10_000_000


def test_a_job_is_later_than_its_tick_by_the_same_jitter_each_time() -> None:
    what = spec(jitterSeconds=600)
    first, again = (plan(what, UID, [NOON], [], {}, NOON) for _ in range(2))

    assert first == again
    assert isinstance(first[0], Make)
    assert first[0].due == NOON + jitter(UID, NOON, 600)
    drawn = [jitter(UID, NOON + n * 60, 600) for n in range(2000)]
    assert min(drawn) < 10
    assert max(drawn) > 590
    assert all(0 <= one <= 600 for one in drawn)
    assert {jitter(UID, NOON, 0)} == {0}


class TestSettled:
    """What the status of an object says is settled."""

    def test_a_new_schedule_has_nothing_to_make_up_from_before_it_was_made(self) -> None:
        what = spec(missedTicks="all")

        known = settled(ScheduleStatus(), what, NOON - 90, NOON)

        assert pending(what, known, NOON) == [NOON - 60, NOON]

    def test_a_status_is_read_as_it_was_written(self) -> None:
        what = spec()
        known = Settled(what.times, NOON, NOON + 60, "b", ("a", "b"), (Missed(NOON, AWAY),))
        said = ScheduleStatus.model_validate(known.status(what, NOON + 61))

        assert settled(said, what, 0, NOON + 61) == known
        assert said.next_tick == iso(NOON + 120)

    @pytest.mark.parametrize("change", [{"everySeconds": 50}, {"cron": "* * * * *"}])
    def test_one_with_other_times_has_nothing_to_make_up(self, change: dict[str, Any]) -> None:
        before, after = spec(), spec(missedTicks="all", **change)
        said = ScheduleStatus.model_validate(Settled(before.times, NOON, NOON).status(before, NOON))

        known = settled(said, after, NOON - 900, NOON + 600)

        assert pending(after, known, NOON + 600) == []
        assert known.missed == ()

    def test_another_zone_is_other_times(self) -> None:
        assert spec(cron="@daily").times != spec(cron="@daily", timeZone="Europe/Berlin").times
        assert spec(cron="@daily").times == spec(cron="@daily", timeZone="Etc/UTC").times

    def test_one_that_is_resumed_says_what_was_missed_and_makes_nothing_up(self) -> None:
        suspended, resumed = spec(suspend=True), spec(missedTicks="all")
        first = settled(ScheduleStatus(), suspended, NOON, NOON + 10)
        said = ScheduleStatus.model_validate(first.status(suspended, NOON + 10))
        assert said.next_tick is None

        known = settled(said, resumed, NOON, NOON + 190)

        assert pending(resumed, known, NOON + 190) == []
        assert known.missed == tuple(Missed(NOON + n, SUSPENDED) for n in (60, 120, 180))
        assert pending(resumed, known, NOON + 240) == [NOON + 240]

    def test_one_that_is_suspended_misses_what_comes_then(self) -> None:
        running, suspended = spec(), spec(suspend=True)
        said = ScheduleStatus.model_validate(Settled(running.times, NOON, NOON).status(running, NOON))

        known = settled(said, suspended, NOON, NOON + 130)

        assert pending(suspended, known, NOON + 130) == [NOON + 60, NOON + 120]

    def test_times_that_nobody_can_read_are_now(self) -> None:
        what = spec()
        said = ScheduleStatus(times=what.times, since="soon", last_tick="99999-01-01", active=["a"])

        assert settled(said, what, 0, NOON) == Settled(what.times, NOON, NOON, active=("a",))

    def test_a_refused_tick_is_remembered_with_its_reason_and_a_bound(self) -> None:
        known = Settled("", 0)
        for n in range(MAX_MISSED + 5):
            known = known.after(Missed(n, f"reason {n}"))

        assert [one.tick for one in known.missed] == list(range(5, MAX_MISSED + 5))
        assert known.last == MAX_MISSED + 4

    def test_jobs_that_have_not_ended_are_remembered_with_a_bound(self) -> None:
        known = Settled("", 0)
        for n in range(MAX_ACTIVE + 5):
            known = known.after(Make(n, f"job {n}", n))
        assert known.active == tuple(f"job {n}" for n in range(5, MAX_ACTIVE + 5))

        known = known.without_ended({"job 7": False, "job 8": True})
        assert known.active == ("job 7",)
        assert known.after(Make(99, "new", 99, ("job 7",))).active == ("new",)
        assert known.after(Made(99, "old", has_ended=True)).active == ("job 7",)
        assert known.after(Made(99, "old", has_ended=True)).last_job == "old"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"cron": None}, "needs cron or everySeconds"),
        ({"cron": "@daily", "everySeconds": 5}, "either cron or everySeconds"),
        ({"everySeconds": 5, "timeZone": "Etc/UTC"}, "timeZone is for cron"),
        ({"everySeconds": 0}, "greater than or equal to 1"),
        ({"cron": "0 0 30 2 *"}, "Bad day-of-month"),
        ({"cron": "0 0 1--100000000 * *"}, "should match pattern"),
        ({"cron": "*" * 10_000}, "at most 100 characters"),
        ({"cron": "@daily", "timeZone": "Europe/Nowhere"}, "no time zone 'Europe/Nowhere'"),
        ({"cron": "@daily", "timeZone": "../x"}, "should match pattern"),
        ({"cron": "@daily", "job": {**JOB, "delaySeconds": 1}}, "job.delaySeconds"),
    ],
)
def test_a_spec_that_is_refused(said: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        spec(**said)
