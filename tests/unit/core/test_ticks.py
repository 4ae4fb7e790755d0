"""When a schedule ticks: on ordinary days, on the nights when clocks are changed, and what is no expression at all."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgjobs_core.resources.ticks import CRON, MACROS, BadTimesError, Cron, Every, cron, zone

if TYPE_CHECKING:
    from collections.abc import Callable

    from bgjobs_core.resources.ticks import Ticks


def unix(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp())


def forward(ticks: Ticks, start: int, end: int) -> list[int]:
    found, at = list[int](), start
    while (tick := ticks.after(at)) is not None and tick < end:
        found.append(at := tick)
    return found


def backward(ticks: Ticks, start: int, end: int) -> list[int]:
    found, at = list[int](), end
    while (tick := ticks.before(at)) is not None and tick > start:
        found.append(at := tick)
    return found[::-1]


def shown(ticks: Cron, start: str, end: str) -> list[str]:
    """Ticks between two times of the zone, as its clocks show them, found in both directions."""
    first, last = (round(datetime.fromisoformat(one).replace(tzinfo=ticks.zone).timestamp()) for one in (start, end))
    found = forward(ticks, first, last)
    assert backward(ticks, first, last) == found
    return [datetime.fromtimestamp(at, ticks.zone).strftime("%d %H:%M %z") for at in found]


@pytest.mark.parametrize(
    ("expression", "zone_name", "start", "end", "expected"),
    [
        ("30 2 * * *", "Etc/UTC", "2026-03-01T00:00", "2026-03-03T00:00", ["01 02:30 +0000", "02 02:30 +0000"]),
        ("0 9 * * mon-fri", "Etc/UTC", "2026-11-27T00:00", "2026-12-01T00:00", ["27 09:00 +0000", "30 09:00 +0000"]),
        ("@daily", "Asia/Kolkata", "2026-01-01T00:00", "2026-01-02T00:01", ["02 00:00 +0530"]),
        ("@weekly", "Etc/UTC", "2026-11-27T00:00", "2026-12-05T00:00", ["29 00:00 +0000"]),
        ("0 0 L * *", "Etc/UTC", "2028-02-01T00:00", "2028-03-01T00:00", ["29 00:00 +0000"]),
        ("0 0 LW * *", "Etc/UTC", "2026-05-01T00:00", "2026-06-01T00:00", ["29 00:00 +0000"]),
        ("0 0 * * 5L", "Etc/UTC", "2026-10-01T00:00", "2026-11-01T00:00", ["30 00:00 +0000"]),
        ("0 0 29 2 *", "Europe/Berlin", "2025-01-01T00:00", "2029-01-01T00:00", ["29 00:00 +0100"]),
        ("0 0 29 2 *", "Etc/UTC", "2097-01-01T00:00", "2104-02-28T00:00", []),  # 2100 has no such day
        # The clocks leave out 02:00 to 03:00.
        ("30 2 * * *", "Europe/Berlin", "2026-03-29T00:00", "2026-03-30T00:00", ["29 03:00 +0200"]),
        ("0,30 2 * * *", "Europe/Berlin", "2026-03-29T00:00", "2026-03-30T00:00", ["29 03:00 +0200"]),
        ("30 * * * *", "Europe/Berlin", "2026-03-29T01:00", "2026-03-29T04:00", ["29 01:30 +0100", "29 03:30 +0200"]),
        ("30 2 * * *", "America/New_York", "2026-03-08T00:00", "2026-03-09T00:00", ["08 03:00 -0400"]),
        # They leave out half an hour.
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-04T00:00", "2026-10-05T00:00", ["04 02:30 +1100"]),
        (
            "*/10 1-2 * * *", "Australia/Lord_Howe", "2026-10-04T01:30", "2026-10-04T03:00",
            ["04 01:40 +1030", "04 01:50 +1030", "04 02:30 +1100", "04 02:40 +1100", "04 02:50 +1100"],
        ),
        ("0 0 * * *", "Africa/Cairo", "2026-04-23T12:00", "2026-04-24T12:00", ["24 01:00 +0300"]),
        # They leave out a whole day: the 30th.
        ("0 12 * * *", "Pacific/Apia", "2011-12-29T00:00", "2012-01-01T00:00",
            ["29 12:00 -1000", "31 00:00 +1400", "31 12:00 +1400"]),
        # The clocks show 02:00 to 03:00 twice.
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T00:00", "2026-10-26T00:00", ["25 02:30 +0200"]),
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T00:00", "2026-10-27T00:00", ["25 02:30 +0200", "26 02:30 +0100"]),
        (
            "30 * * * *", "Europe/Berlin", "2026-10-25T01:00", "2026-10-25T04:00",
            ["25 01:30 +0200", "25 02:30 +0200", "25 02:30 +0100", "25 03:30 +0100"],
        ),
        ("30 1 * * *", "America/New_York", "2026-11-01T00:00", "2026-11-02T00:00", ["01 01:30 -0400"]),
        ("*/30 1 * * *", "America/New_York", "2026-11-01T00:00", "2026-11-02T00:00",
            ["01 01:00 -0400", "01 01:30 -0400", "01 01:00 -0500", "01 01:30 -0500"]),
        # They show half an hour twice: 01:30 to 02:00.
        ("45 1 * * *", "Australia/Lord_Howe", "2026-04-05T00:00", "2026-04-06T00:00", ["05 01:45 +1100"]),
        ("*/20 */2 * * *", "Australia/Lord_Howe", "2026-04-05T01:00", "2026-04-05T03:00",
            ["05 02:00 +1030", "05 02:20 +1030", "05 02:40 +1030"]),
        ("*/15 1 * * *", "Australia/Lord_Howe", "2026-04-05T01:10", "2026-04-05T03:00",
            ["05 01:15 +1100", "05 01:30 +1100", "05 01:45 +1100", "05 01:30 +1030", "05 01:45 +1030"]),
    ],
)  # fmt: skip
def test_ticks(expression: str, zone_name: str, start: str, end: str, expected: list[str]) -> None:
    assert shown(cron(expression, zone_name), start, end) == expected


def test_in_the_hour_that_is_shown_twice_the_second_time_has_no_tick_of_a_named_time() -> None:
    berlin = cron("30 2 * * *", "Europe/Berlin")

    for at in ("2026-10-25T02:30:00+02:00", "2026-10-25T02:10:00+01:00", "2026-10-25T02:50:00+01:00"):
        assert berlin.after(unix(at)) == unix("2026-10-26T02:30:00+01:00")
    assert berlin.before(unix("2026-10-25T02:10:00+01:00")) == unix("2026-10-25T02:30:00+02:00")


class Field:
    """A plain reading of one field with numbers, ranges and steps, to compare with."""

    def __init__(self, text: str, first: int, last: int) -> None:
        self.values = set[int]()
        for item in text.split(","):
            span, _, step = item.partition("/")
            low, _, high = span.partition("-")
            if span == "*":
                low, high = str(first), str(last)
            elif step and not high:
                high = str(last)
            self.values |= set(range(int(low), int(high or low) + 1, int(step or 1)))


NIGHTS = [
    ("Europe/Berlin", "2026-03-29"), ("Europe/Berlin", "2026-10-25"), ("America/New_York", "2026-03-08"),
    ("America/New_York", "2026-11-01"), ("Australia/Lord_Howe", "2026-04-05"), ("Australia/Lord_Howe", "2026-10-04"),
    ("America/Havana", "2026-03-08"), ("America/Havana", "2026-11-01"), ("Pacific/Apia", "2011-12-30"),
]  # fmt: skip


@given(
    night=st.sampled_from(NIGHTS),
    minute=st.sampled_from(["*", "*/7", "*/30", "*/59"]),
    hour=st.sampled_from(["*", "*/2", "*/5", "1", "1-3", "0,2,23", "3-23/4"]),
    day=st.sampled_from(["*", "29-31", "*/2"]),
)
@settings(max_examples=40, deadline=None)
def test_what_follows_time_as_it_passes_ticks_whenever_the_clocks_show_it(
    night: tuple[str, str], minute: str, hour: str, day: str
) -> None:
    zone_name, date = night
    ticks = cron(f"{minute} {hour} {day} * *", zone_name)
    middle = unix(f"{date}T00:00+00:00")
    start, end = middle - 100_000 // 60 * 60, middle + 100_000
    minutes, hours, days = Field(minute, 0, 59), Field(hour, 0, 23), Field(day, 1, 31)
    expected = [
        at
        for at in range(start + 60 - start % 60, end, 60)
        if (there := datetime.fromtimestamp(at, ticks.zone)).minute in minutes.values
        and there.hour in hours.values
        and there.day in days.values
        and there.second == 0
    ]

    assert forward(ticks, start, end) == expected
    assert backward(ticks, start, end) == expected


@given(night=st.sampled_from(NIGHTS), times=st.lists(st.integers(0, 1439), min_size=1, max_size=3, unique=True))
@settings(max_examples=40, deadline=None)
def test_a_named_time_of_day_is_once_a_day_whatever_the_clocks_do(night: tuple[str, str], times: list[int]) -> None:
    zone_name, date = night
    middle = unix(f"{date}T00:00+00:00")
    for time in times:
        ticks = cron(f"{time % 60} {time // 60} * * *", zone_name)
        found = forward(ticks, middle - 3 * 86400, middle + 3 * 86400)

        assert backward(ticks, middle - 3 * 86400, middle + 3 * 86400) == found
        assert all(82_000 <= later - earlier <= 91_000 for earlier, later in pairwise(found)) or "Apia" in zone_name
        assert len(found) in {5, 6, 7}


def test_seconds() -> None:
    assert forward(Every(300), 1000, 2000) == [1200, 1500, 1800]
    assert backward(Every(300), 900, 1800) == [1200, 1500]


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("0 0 1--100000000 * *", "is no cron expression"),
        ("0 0 1-100000000 * *", "is no cron expression"),
        ("0/100000000 * * * *", "is no cron expression"),
        ("0 0 30 2 *", "Bad day-of-month"),
        ("0 0 31 2,4,6,9,11 *", "Bad day-of-month"),
        ("0 0 */31 * mon#2", "never comes"),
        ("x" * 10_000, "at most 100 characters"),
        (",".join("*" * 5000) + " * * * *", "at most 100 characters"),
        ("* " * 5000, "at most 100 characters"),
        ("0" * 96 + " * * * *", "at most 100 characters"),
        ("1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31 * * * x", "is no cron"),
        ("0 0 * * * *", "is no cron expression"),
        ("* * * *", "is no cron expression"),
        ("", "is no cron expression"),
        ("61 * * * *", "Bad minute"),
        ("* 24 * * *", "Bad hour"),
        ("5-3 * * * *", "Bad minute"),
        ("*/0 * * * *", "Bad minute"),
        ("0 0 * FOO *", "Bad month"),
        ("0 0 L/2 * *", "is no cron expression"),
        ("* * * * 0#9", "is no cron expression"),
        ("² * * * *", "is no cron expression"),
        ("@reboot", "is no cron expression"),
        ("CRON_TZ=Etc/UTC 0 0 * * *", "is no cron expression"),
        ("0 0 * * *\n", "is no cron expression"),
    ],
)
def test_an_expression_that_never_fits_is_refused_at_once(expression: str, words: str) -> None:
    def refused() -> None:
        with pytest.raises(BadTimesError, match=words):
            cron(expression, "Etc/UTC")

    assert _calls(refused) < 100_000  # of functions; a year has 525,600 minutes


@pytest.mark.parametrize("expression", ["0 0 29 2 *", "0 0 * 2 mon#5", "* * * 2 mon#5", "0 0 31 2 0#5", "* * 1 1 *"])
@pytest.mark.parametrize("zone_name", ["Etc/UTC", "Europe/Berlin", "Australia/Lord_Howe"])
def test_what_comes_seldom_is_found_in_bounded_steps(expression: str, zone_name: str) -> None:
    ticks = cron(expression, zone_name)

    def both_ways() -> None:
        assert ticks.after(unix("2026-11-29T00:00+00:00")) is not None
        assert ticks.before(unix("2026-11-29T00:00+00:00")) is not None

    assert _calls(both_ways) < 200_000


def _calls(work: Callable[[], None]) -> int:
    """How many functions are called, of Python and of C: a measure of work that no busy machine changes."""
    count = 0

    def profile(_frame: Any, event: str, _arg: Any) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize(
    "name", ["Europe/Nowhere", "Europe", "../../etc/passwd", "/etc/localtime", "", "x" * 10_000, "Etc/UTC\n", "Mars"]
)
def test_an_unknown_time_zone_is_refused(name: str) -> None:
    with pytest.raises(BadTimesError, match="there is no time zone"):
        zone(name)


def test_every_macro_is_an_expression() -> None:
    for macro in MACROS:
        assert cron(macro, "Etc/UTC").after(round(datetime(2026, 1, 1, tzinfo=UTC).timestamp())) is not None
        assert macro in CRON
