"""Ids: UUIDv7 by clients, UUIDv5 for what is derived."""

from __future__ import annotations

import uuid

import pytest

from bgjobs.ids import is_job_id, new_job_id
from bgjobs_core.jobs.ids import request_job_id, schedule_job_id


def test_an_id_is_a_uuid_of_version_7() -> None:
    value = uuid.UUID(new_job_id())

    assert (value.version, value.variant) == (7, uuid.RFC_4122)


@pytest.mark.parametrize("now", [0.0, 1.5, 1_700_000_000.123, 2**48 / 1000 - 1])
def test_an_id_begins_with_the_time_in_milliseconds(now: float) -> None:
    assert uuid.UUID(new_job_id(now)).int >> 80 == int(now * 1000)


def test_later_ids_sort_after_earlier_ones() -> None:
    ids = [new_job_id(1_700_000_000 + n / 1000) for n in range(2000)]

    assert sorted(ids) == ids


def test_ids_of_one_millisecond_sort_as_they_were_made() -> None:
    ids = [new_job_id(1_700_000_000) for _ in range(5000)]

    assert sorted(ids) == ids
    assert len({one[-8:] for one in ids}) > 4900, "their ends are at random still"


def test_no_two_ids_of_one_millisecond_are_equal() -> None:
    assert len({new_job_id(1_700_000_000.0) for _ in range(10_000)}) == 10_000


def test_every_random_bit_is_used() -> None:
    values = [uuid.UUID(new_job_id(float(second))).int & (1 << 80) - 1 for second in range(300)]
    ever_set, ever_clear = 0, 0
    for value in values:
        ever_set |= value
        ever_clear |= ~value

    varying = (ever_set & ever_clear & (1 << 128) - 1).bit_count()

    assert varying == 73, "all behind the time but version, variant, and the first bit of the counter"


TEXTS: dict[str, tuple[str, bool]] = {
    "version 7": ("01890a5d-ac96-774b-bcce-b302099a8057", True),
    "version 4": ("c2d6b1f0-8b4d-4b1f-9d1e-6f7a8b9c0d1e", False),
    "version 1": ("1b4e28ba-2fa1-11d2-883f-0016d3cca427", False),
    "version 5": (request_job_id("uid"), False),
    "upper case": ("01890A5D-AC96-774B-BCCE-B302099A8057", False),
    "no hyphens": ("01890a5dac96774bbcceb302099a8057", False),
    "in braces": ("{01890a5d-ac96-774b-bcce-b302099a8057}", False),
    "urn": ("urn:uuid:01890a5d-ac96-774b-bcce-b302099a8057", False),
    "other variant": ("01890a5d-ac96-774b-7cce-b302099a8057", False),
    "too short": ("01890a5d-ac96-774b-bcce-b302099a805", False),
    "key of another": ("01890a5d-ac96-774b-bcce-b302099a8057:attempt:1", False),
    "with a line end": ("01890a5d-ac96-774b-bcce-b302099a8057\n", False),
    "nil": ("00000000-0000-0000-0000-000000000000", False),
    "empty": ("", False),
    "not hexadecimal": ("01890a5d-ac96-774b-bcce-b302099a80zz", False),
}


@pytest.mark.parametrize(("text", "good"), TEXTS.values(), ids=TEXTS)
def test_what_is_a_job_id_of_a_client(text: str, *, good: bool) -> None:
    assert is_job_id(text) is good


def test_a_derived_id_is_one_where_it_is_asked_for() -> None:
    assert is_job_id(request_job_id("uid"), versions=(5, 7))


def test_a_requests_job_is_always_the_same() -> None:
    """A constant of this project: another one would launch every open request again."""
    assert request_job_id("8f14e45f-ceea-467f-9575-6c3d5a1f0b11") == "6d59aa88-f3c2-5885-bb11-fe57d2f5b45e"
    assert request_job_id("a") != request_job_id("b")


def test_a_ticks_job_is_always_the_same() -> None:
    """As above: with another one, a tick that was made before its status was written would be made again."""
    assert schedule_job_id("8f14e45f-ceea-467f-9575-6c3d5a1f0b11", 1782734400) == "7fe022dc-dfb4-5080-8331-70841ab1aa1c"
    assert schedule_job_id("a", 60) != schedule_job_id("a", 120)
