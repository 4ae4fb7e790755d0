"""The pages of schedules: when each ticks, what became of its ticks, and what can be done there."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

from bgjobs.wire import Schedule
from bgjobs_api.pages.schedules import routes, ticks, times_words
from bgjobs_core.actions.enqueue import enqueue
from bgjobs_core.jobs.ids import schedule_job_id
from bgjobs_core.jobs.record import AskedJob
from bgjobs_core.jobs.schedule_record import ScheduleRecord
from bgjobs_core.resources.schedules import ScheduledJob, ScheduleSpec

if TYPE_CHECKING:
    from tests.api.pages.site import Document, Site

UID: Final = "3b0c7a52-5f5e-4f62-9f52-0f4f0d1c0a11"
HOUR: Final = 3600


@pytest.fixture(autouse=True)
async def still(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store's clock stands still, so that no tick comes in the middle of a test."""
    now = await site.world.store.now_ms()

    async def now_ms() -> int:
        return now

    monkeypatch.setattr(site.world.store, "now_ms", now_ms)


async def put(
    site: Site, name: str = "nightly", namespace: str = "shop", *, spec: dict[str, Any] | None = None, **shown: Any
) -> ScheduleRecord:
    """The operator has seen a schedule; it was made a day ago."""
    now = await site.world.store.now_ms() // 1000
    job = ScheduledJob.model_validate({"class": "shop.jobs.Report", "method": "build", "priority": 1})
    said = ScheduleSpec.model_validate({"cron": "0 * * * *", "timeZone": "Europe/Berlin", "job": job, **(spec or {})})
    view = Schedule.model_validate(
        {
            "namespace": namespace,
            "name": name,
            "times": said.times,
            "class": job.cls,
            "method": job.method,
            "queue": job.queue,
            "concurrency_policy": said.concurrency_policy,
            "suspended": said.suspend,
            "last_tick": now // HOUR * HOUR,
            **shown,
        }
    )
    valid = view.ready or view.reason != "InvalidSpec"
    record = ScheduleRecord(
        namespace,
        name,
        view.model_dump_json(by_alias=True),
        job.model_dump_json(by_alias=True, exclude={"parameters"}, exclude_defaults=True) if valid else "",
        '{"price":1.10}' if valid else "",
        uid=UID,
        spec=said.model_dump_json(by_alias=True, exclude={"job"}, exclude_defaults=True) if valid else "",
        since=_iso(now - 24 * HOUR),
    )
    await site.world.store.put_schedule(record)
    return record


def _iso(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def tick_job(site: Site, at: int, namespace: str = "shop") -> str:
    """The job of a tick, as the operator makes it."""
    spec = ScheduledJob.model_validate({"class": "shop.jobs.Report", "method": "build"})
    asked = AskedJob(
        id=schedule_job_id(UID, at), namespace=namespace, spec=spec, parameters="[]", created_by="schedule:nightly"
    )
    return (await enqueue(site.world.store, asked, gate=None)).record.id


def titles(page: Document) -> list[str]:
    """Of the ticks, in their order."""
    return [one["title"] for one in page.all("a") if "title" in one and ": " in one["title"]]


async def test_a_row_says_when_it_ticks_and_what_became_of_its_ticks(site: Site) -> None:
    now = await site.world.store.now_ms() // 1000
    newest = now // HOUR * HOUR
    ran, waits = [await tick_job(site, newest - number * HOUR) for number in (3, 0)]
    await site.world.call("POST", f"/api/v1/jobs/{ran}/cancel")
    await put(site, missed=[{"tick": newest - 2 * HOUR, "reason": "operator away"}])

    page = await site.page("/schedules")

    assert "Every hour" in page.text
    assert "0 * * * * Europe/Berlin" in page.text
    assert "runs may overlap" in page.text
    assert "shop.jobs.Report.build" in page.text
    assert [one["href"] for one in page.all("a", data_state="cancelled")] == [f"/jobs/{ran}"]
    assert f"/jobs/{waits}" in page.links
    said = titles(page)
    assert len(said) == 10
    assert said[-1].endswith("queued")
    assert said[-2].endswith(ticks.NOTHING_KEPT)
    assert said[-3].endswith("missed: operator away")
    assert said[-4].endswith("cancelled")
    # The next three, by the clocks of Berlin.
    nexts = [one for one in page.all("time") if "Europe/Berlin" in one.get("title", "")]
    assert len(nexts) == 3
    assert nexts[0]["datetime"].startswith(_iso(newest + HOUR)[:16])


async def test_the_newest_tick_that_was_missed_is_told_in_words(site: Site) -> None:
    now = await site.world.store.now_ms() // 1000
    await put(site, missed=[{"tick": now // HOUR * HOUR, "reason": "forbid: job x still runs"}])
    assert "was missed: forbid: job x still runs" in (await site.page("/schedules")).text


async def test_one_that_is_new_has_no_ticks(site: Site) -> None:
    await put(site, spec={"cron": "0 0 1 1 *"}, last_tick=None)
    page = await site.page("/schedules")
    assert "none yet" in page.text
    assert (await site.page("/schedules/shop/nightly")).text.count("It has not ticked yet.") == 1


async def test_a_job_that_was_run_by_hand_is_among_the_ticks(site: Site) -> None:
    job_id = await site.world.enqueued()
    await put(site, spec={"cron": "0 0 1 1 *"}, last_job_id=job_id)
    page = await site.page("/schedules")
    assert f"/jobs/{job_id}" in page.links
    assert titles(page)[-1].endswith("queued, run by hand")


async def test_jobs_of_other_namespaces_are_not_told_of(site: Site) -> None:
    """Whoever may write the status of a schedule can name any job in it."""
    await site.world.put_queue("mail/default")
    other = await site.world.enqueued(namespace="mail")
    await put(site, last_job_id=other, active=[other, "no id at all"])
    for path in ("/schedules", "/schedules/shop/nightly"):
        response = await site.get(path)
        assert (response.status_code, other in response.text) == (200, False)


async def test_whoever_may_not_list_jobs_sees_no_outcomes(site: Site) -> None:
    now = await site.world.store.now_ms() // 1000
    job_id = await tick_job(site, now // HOUR * HOUR)
    await put(site)
    site.world.access.deny("list", "backgroundjobrequests", "shop")
    page = await site.page("/schedules")
    assert f"/jobs/{job_id}" not in page.links
    assert titles(page)[-1].endswith(ticks.NOT_SHOWN)


async def test_one_of_an_earlier_version_is_shown_as_far_as_it_is_known(site: Site) -> None:
    view = Schedule.model_validate(
        {"namespace": "shop", "name": "old", "times": "@daily Etc/UTC", "next_tick": "2099-01-01T00:00:00Z"}
    )
    await site.world.store.put_schedule(ScheduleRecord("shop", "old", view.model_dump_json(by_alias=True)))
    page = await site.page("/schedules")
    assert "@daily Etc/UTC" in page.text
    assert "1 Jan 00:00" in page.text
    assert "It cannot be shown here" in (await site.page("/schedules/shop/old")).text


async def test_the_page_of_one_has_its_yaml_and_the_lines_for_kubectl(site: Site) -> None:
    await put(site, spec={"concurrencyPolicy": "Forbid"})
    response = await site.get("/schedules/shop/nightly")
    text = response.text.partition('id="yaml"')[2].partition(">")[2].partition("</pre>")[0].replace("&#34;", '"')
    assert yaml.safe_load(text) == {
        "apiVersion": "bgjobs.dev/v1alpha1",
        "kind": "BackgroundJobSchedule",
        "metadata": {"name": "nightly", "namespace": "shop"},
        "spec": {
            "cron": "0 * * * *", "timeZone": "Europe/Berlin", "concurrencyPolicy": "Forbid",
            "job": {"class": "shop.jobs.Report", "method": "build", "priority": 1, "parameters": {"price": 1.1}},
        },
    }  # fmt: skip
    assert "1.10" in text, "numbers are as they were written"
    assert "kubectl edit backgroundjobschedules nightly -n shop" in response.text
    assert "no run while an earlier one goes on" in response.text
    assert "/jobs?ns=shop&amp;schedule=nightly" in response.text


async def test_long_parameters_are_left_out(site: Site) -> None:
    record = await put(site)
    await site.world.store.put_schedule(replace(record, parameters='["' + "x" * 70_000 + '"]'))
    response = await site.get("/schedules/shop/nightly")
    assert len(response.text) < 40_000
    assert "too long to be shown here" in response.text


async def test_it_is_run_now(site: Site) -> None:
    await put(site)
    page = await site.page("/schedules/shop/nightly")
    field, *_ = page.all("input", name="id")
    for _ in range(2):  # sent twice, it is one job
        response = await site.post("/schedules/shop/nightly/run", id=field["value"])
        assert (response.status_code, response.headers["Location"]) == (303, f"/jobs/{field['value']}")
    assert (await site.world.there(field["value"])).spec.cls == "shop.jobs.Report"
    assert (await site.post("/schedules/shop/nightly/run", id="x")).status_code == 422
    assert (await site.post("/schedules/shop/nightly/run", other="x")).status_code == 422


async def test_why_it_was_not_run_is_said_on_its_page(site: Site) -> None:
    await put(site, ready=False, reason="InvalidSpec", message="spec.cron: Bad minute")
    response = await site.post("/schedules/shop/nightly/run")
    assert response.status_code == 409
    assert "It was not run:" in response.text
    assert "Bad minute" in response.text
    page = await site.page("/schedules")
    assert [one["title"] for one in page.all("button", aria_disabled="true")] == ["there is no job in its spec to run"]


async def test_it_is_paused_and_resumed(site: Site) -> None:
    await put(site)
    response = await site.post("/schedules/shop/nightly/pause")
    assert (response.status_code, response.headers["Location"]) == (303, "/schedules/shop/nightly")
    page = await site.page("/schedules/shop/nightly")
    assert "Pausing" in page.text
    actions = [one["action"].removeprefix("/schedules/shop/nightly/") for one in page.all("form")]
    assert actions == ["run", "resume"] * 2, "beside the name, and at the foot of a small screen"
    assert (await site.post("/schedules/shop/nightly/resume")).status_code == 303
    assert "Active" in (await site.page("/schedules/shop/nightly")).text


async def test_a_paused_one_says_by_whom(site: Site) -> None:
    await put(site, spec={"suspend": True}, message="suspended by ada")
    page = await site.page("/schedules/shop/nightly")
    assert "It is paused: suspended by ada." in page.text
    assert "None while it is paused." in page.text
    assert "none while it is paused" in (await site.page("/schedules")).text


@pytest.mark.parametrize(
    ("verb", "target", "words"),
    [
        ("patch", "backgroundjobschedules", "Pause or resume needs patch on backgroundjobschedules in shop."),
        ("create", "backgroundjobrequests", "Run now needs create on backgroundjobrequests in shop."),
    ],
)
async def test_what_is_not_allowed_is_dashed_and_says_what_it_needs(
    site: Site, verb: str, target: str, words: str
) -> None:
    await put(site)
    site.world.access.deny(verb, target, "shop")
    for path in ("/schedules", "/schedules/shop/nightly"):
        page = await site.page(path)
        assert words in page.text
        assert page.all("button", aria_disabled="true")
        assert not [one for one in page.all("form") if one.get("action", "").endswith("/run")]
    assert (await site.post("/schedules/shop/nightly/run")).status_code == 403
    assert (await site.post("/schedules/shop/nightly/pause")).status_code == (403 if verb == "patch" else 303)


async def test_who_may_see_them(site: Site) -> None:
    await put(site)
    await put(site, "hourly", "mail")
    assert "hourly" in (await site.page("/schedules")).text
    assert "hourly" not in (await site.page("/schedules?ns=shop")).text
    site.world.access.deny("list", "backgroundjobschedules", "shop")
    assert "nightly" not in (await site.page("/schedules")).text
    assert (await site.get("/schedules?ns=shop")).status_code == 403
    assert (await site.get("/schedules/shop/nightly")).status_code == 403
    assert (await site.get("/schedules/mail/nightly")).status_code == 404
    assert (await site.get("/schedules/elsewhere/nightly")).status_code == 422


async def test_many_of_them_come_in_pages(site: Site) -> None:
    for number in range(routes.PAGE_ROWS + 3):
        await put(site, f"s{number:03}")
    page = await site.page("/schedules?ns=shop")
    assert len(page.rows) == routes.PAGE_ROWS
    assert "28 schedules" in page.text
    (more,) = [link for link in page.links if "after=" in link]
    rest = await site.page(more)
    assert len(rest.rows) == 3
    assert "/schedules?ns=shop" in rest.links
    assert "No more schedules" in (await site.page("/schedules?after=zzz")).text


async def test_there_is_none(site: Site) -> None:
    assert "No schedule in shop, mail" in (await site.page("/schedules")).text


async def test_after_sign_in_nothing_is_done(site: Site) -> None:
    await put(site)
    for verb in ("run", "pause", "resume"):
        response = await site.get(f"/schedules/shop/nightly/{verb}")
        assert (response.status_code, response.headers["Location"]) == (303, "/schedules/shop/nightly")
    assert await site.world.store.wished_schedules() == []


async def test_the_live_part_comes_alone(site: Site) -> None:
    await put(site)
    for path in ("/schedules", "/schedules/shop/nightly"):
        response = await site.fragment(path)
        assert response.text.lstrip().startswith("<main")
        assert "nightly" in response.text


HOSTILE = '"><script>alert(1)</script>'


async def test_what_objects_say_is_text(site: Site) -> None:
    await put(site, ready=False, reason="Odd", message=HOSTILE, missed=[{"tick": 0, "reason": HOSTILE}])
    for path in ("/schedules", "/schedules/shop/nightly"):
        response = await site.get(path)
        assert response.status_code == 200
        assert "alert(1)" in response.text
        assert "<script>alert" not in response.text


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("30 2 * * *", "At 02:30"),
        ("*/10 * * * *", "Every 10 minutes"),
        ("0 0 * * mon#2", "At 00:00, on the second Monday of the month"),
        ("0 0 LW * *", "At 00:00, on the last weekday of the month"),
        ("0 14 * * mon-fri", "At 14:00, Monday through Friday"),
        ("0 0 1 * 1", "At 00:00, on day 1 of the month, or on Monday"),
        ("@daily", "At 00:00"),
        ("0 0 L,15 * *", ""),
        ("59/3,4 0 * * *", ""),
        ("0 0 * * 1,mon#3", ""),
        ("", ""),
        ("no cron", ""),
    ],
)
def test_cron_in_words(expression: str, words: str) -> None:
    assert times_words.cron_words(expression) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "Every second"),
        (60, "Every minute"),
        (300, "Every 5 minutes"),
        (90, "Every 90 seconds"),
        (7200, "Every 2 hours"),
        (86400, "Every day"),
    ],
)
def test_a_period_in_words(seconds: int, words: str) -> None:
    assert times_words.in_words({"everySeconds": seconds}) == words
