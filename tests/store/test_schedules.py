"""put_schedule, drop_schedule and schedule_wish: what is known of a BackgroundJobSchedule, and what is wished of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bgjobs.ids import new_job_id
from bgjobs.wire import Schedule
from bgjobs_core.jobs.schedule_record import ScheduleRecord
from bgjobs_core.resources.schedules import ScheduledJob

if TYPE_CHECKING:
    from tests.store.checked_store import CheckedStore

KEY = "shop/nightly"
SHOWN = Schedule(namespace="shop", name="nightly", times="@daily Etc/UTC", cls="shop.jobs.Mail", active=["a"])
JOB = ScheduledJob.model_validate({"class": "shop.jobs.Mail", "method": "send", "maxRetries": 1})
KNOWN = ScheduleRecord(
    "shop",
    "nightly",
    SHOWN.model_dump_json(by_alias=True),
    JOB.model_dump_json(by_alias=True),
    '{"n":12345678901234567}',
)


async def test_it_comes_back_as_it_was(store: CheckedStore) -> None:
    assert await store.put_schedule(KNOWN) == "put"

    found = await store.schedule(KEY)
    assert found == KNOWN
    assert found is not None
    assert found.view() == SHOWN
    assert found.job_spec() == JOB
    assert await store.schedules([KEY, "shop/other"]) == [KNOWN]


async def test_the_same_again_is_no_news(store: CheckedStore) -> None:
    assert await store.put_schedule(KNOWN) == "put"
    assert await store.put_schedule(KNOWN) == "same"
    assert await store.put_schedule(replace(KNOWN, parameters="[]")) == "put"


async def test_all_are_listed_in_order_until_they_are_dropped(store: CheckedStore) -> None:
    for name in ("b", "a"):
        await store.put_schedule(replace(KNOWN, name=name))
    await store.schedule_wish(schedule="shop/a", suspend="1", by="ada")
    assert await store.schedule_keys() == ["shop/a", "shop/b"]

    assert await store.drop_schedule(schedule="shop/a") == "dropped"
    assert await store.drop_schedule(schedule="shop/a") == "missing"

    assert await store.schedule_keys() == ["shop/b"]
    assert await store.wished_schedules() == []
    assert await store.schedule("shop/a") is None


async def test_nothing_is_wished_of_what_is_not_known(store: CheckedStore) -> None:
    assert await store.schedule_wish(schedule=KEY, suspend="1", by="ada") == "missing"
    assert await store.wished_schedules() == []


async def test_a_wish_is_kept_until_it_was_carried_out(store: CheckedStore) -> None:
    await store.put_schedule(KNOWN)

    assert await store.schedule_wish(schedule=KEY, suspend="1", by="ada") == "wished"
    assert await store.schedule_wish(schedule=KEY, ran="id") == "wished"

    wished = await store.schedule(KEY)
    assert wished == replace(KNOWN, wish_suspend="1", wish_by="ada", wish_ran="id")
    assert wished is not None
    assert wished.view().wish == "pause"
    assert await store.put_schedule(KNOWN) == "same"
    assert await store.put_schedule(replace(KNOWN, wish_ran="id")) == "put"
    assert await store.wished_schedules() == [KEY]
    assert await store.put_schedule(replace(KNOWN, wish_suspend="1")) == "put"
    assert await store.schedule(KEY) == KNOWN
    assert await store.wished_schedules() == []


async def test_a_wish_that_came_meanwhile_stays(store: CheckedStore) -> None:
    await store.put_schedule(KNOWN)
    await store.schedule_wish(schedule=KEY, suspend="1", by="ada", ran="first")
    await store.schedule_wish(schedule=KEY, suspend="0", by="bob", ran="second")

    found = await store.schedule(KEY)
    assert found is not None
    assert found.ran == ("first", "second"), "each counts"
    assert await store.put_schedule(replace(KNOWN, wish_suspend="1", wish_ran="first")) == "put"

    assert await store.schedule(KEY) == replace(KNOWN, wish_suspend="0", wish_by="bob", wish_ran="second")


async def test_jobs_that_were_run_by_hand_are_kept_once_each_and_not_without_end(store: CheckedStore) -> None:
    await store.put_schedule(KNOWN)
    ids = [new_job_id() for _ in range(60)]
    for job_id in [*ids, ids[-1], ids[-2]]:
        await store.schedule_wish(schedule=KEY, ran=job_id)
    found = await store.schedule(KEY)
    assert found is not None
    assert found.ran == tuple(ids[-50:])
    assert await store.put_schedule(replace(KNOWN, wish_ran=" ".join(ids[:3]))) == "same", "they were dropped meanwhile"
    assert await store.put_schedule(replace(KNOWN, wish_ran=found.wish_ran)) == "put"
    assert await store.schedule(KEY) == KNOWN
    assert await store.wished_schedules() == []


async def test_a_wish_for_what_is_so_already_is_not_shown(store: CheckedStore) -> None:
    await store.put_schedule(KNOWN)
    await store.schedule_wish(schedule=KEY, suspend="0", by="ada")
    found = await store.schedule(KEY)
    assert found is not None
    assert found.view().wish is None
