"""The list: each filter, its numbers, its pages, and what it says when there is nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from bgjobs.ids import new_job_id
from bgjobs_api.pages.shared import words
from bgjobs_core.store import keys
from tests.api.pages.site import Document

if TYPE_CHECKING:
    from tests.api.pages.site import Site


async def _some(site: Site) -> dict[str, str]:
    """Jobs of several kinds, by a word for each."""
    world = site.world
    await world.put_queue("shop/slow", max_concurrent=1)
    await world.put_queue("mail/default", approved_classes=["mail.*"])
    return {
        "running": (await world.running(parameters=[2026, "de"])).job_id,
        "pending": await world.launched(**{"class": "shop.jobs.Train"}),
        "queued": await world.enqueued(queue="slow"),
        "scheduled": await world.enqueued(queue="slow", delay_seconds=3600),
        "mail": await world.enqueued(namespace="mail", **{"class": "mail.Send"}),
    }


def facet(document: Document, word: str) -> str:
    """The number beside a facet."""
    after = document.text.partition(f" {word} ")[2].split()
    return after[0] if after else ""


async def test_home_is_the_list(site: Site) -> None:
    response = await site.get("/")
    assert (response.status_code, response.headers["Location"]) == (303, "/jobs")


async def test_a_row_says_what_why_where_and_since_when(site: Site) -> None:
    pod = await site.world.running(parameters={"month": 11, "lang": "de"}, priority=1)
    await pod.call("beat", attempt=1, progress={"done": 412, "total": 640, "message": "pages"})
    document = await site.page("/jobs")
    assert "Running 412 of 640 pages" in document.text
    assert 'shop.jobs. Report.build month=11, lang="de"' in document.text
    assert "shop / default high 1 / 4" in document.text
    assert document.all("svg", aria_label="64 % done")
    assert f"/jobs/{pod.job_id}" in document.links
    (changed,) = document.all("time")
    assert changed["datetime"].endswith("Z")
    assert changed["title"].endswith(" UTC")


FILTERS = [
    ("", {"running", "pending", "queued", "scheduled", "mail"}),
    ("?ns=shop", {"running", "pending", "queued", "scheduled"}),
    ("?ns=mail", {"mail"}),
    ("?ns=mail&ns=shop&state=queued", {"queued", "mail"}),
    ("?state=queued", {"queued", "mail"}),
    ("?state=scheduled", {"scheduled"}),
    ("?state=launched", {"running", "pending"}),
    ("?state=running", {"running"}),
    ("?state=pending", {"pending"}),
    ("?state=failed", set[str]()),
    ("?queue=slow", {"queued", "scheduled"}),
    ("?queue=slow&state=queued", {"queued"}),
    ("?class=mail.Send", {"mail"}),
    ("?class=+shop.jobs.Train+&state=pending", {"pending"}),
    ("?class=&queue=slow", {"queued", "scheduled"}),
]


@pytest.mark.parametrize(("query", "expected"), FILTERS, ids=[query for query, _ in FILTERS])
async def test_each_filter(site: Site, query: str, expected: set[str]) -> None:
    made = await _some(site)
    document = await site.page(f"/jobs{query}")
    assert set(document.rows) == {made[word] for word in expected}


async def test_the_id_of_a_job_in_the_filter_goes_to_the_job(site: Site) -> None:
    job_id = new_job_id()
    response = await site.get(f"/jobs?class={job_id}")
    assert (response.status_code, response.headers["Location"]) == (303, f"/jobs/{job_id}")


async def test_numbers_follow_the_other_filters_and_are_those_of_the_lists_behind_them(site: Site) -> None:
    await _some(site)
    for query in ("", "?queue=slow", "?ns=mail", "?ns=shop&state=queued"):
        document = await site.page(f"/jobs{query}")
        for word, name in (("Queued", "queued"), ("Scheduled", "scheduled"), ("Launched", "launched")):
            link = next(one for one in document.links if f"state={name}" in one and one.startswith("/jobs?"))
            assert facet(document, word) == str(len((await site.page(link)).rows)), (query, word)
    assert facet(await site.page("/jobs?state=queued"), "slow") == "1"
    assert facet(await site.page("/jobs"), "slow") == "2"
    assert facet(await site.page("/jobs"), "All jobs") == "5"


async def test_numbers_follow_a_class_and_a_phase_too(site: Site) -> None:
    await _some(site)
    by_class = await site.page("/jobs?class=shop.jobs.Report")
    assert facet(by_class, "All jobs") == str(len(by_class.rows))
    by_phase = await site.page("/jobs?state=running")
    assert facet(by_phase, "Queued") == "2"
    assert facet(by_phase, "slow") == "0"
    assert "0 in all" not in by_phase.text


async def test_counts_are_exact(site: Site) -> None:
    await site.world.enqueued()
    cell = "shop/default:succeeded:shop.jobs.Report"
    await site.client.zadd(keys.cells("shop"), {cell: 1})
    for number, text in ((9_999, "9,999"), (10_001, "10,001")):
        await site.client.zadd(keys.cell(cell), {f"job-{one}": one for one in range(number)})
        assert facet(await site.page("/jobs"), "Succeeded") == text


async def test_pages_join_by_cursors(site: Site) -> None:
    made = [await site.world.enqueued() for _ in range(60)]
    seen: list[list[str]] = []
    path = "/jobs?ns=shop&state=queued"
    while path:
        document = await site.page(path)
        seen.append(document.rows)
        path = next((one["href"] for one in document.all("a", rel="next")), "")
        if path:
            assert parse_qs(urlsplit(path).query).keys() == {"ns", "state", "cursor"}
    assert [len(rows) for rows in seen] == [25, 25, 10]
    assert sorted(one for rows in seen for one in rows) == sorted(made)
    assert "60 in all" in (await site.page("/jobs")).text


async def test_a_first_visit_says_how_to_begin(site: Site) -> None:
    document = await site.page("/jobs?ns=mail")
    assert "No jobs in mail yet" in document.text
    assert "export BGJOBS_URL=http://bgjobs.example" in document.text
    assert 'namespace= "mail"' in document.text
    assert "--namespace mail --priority high --logs" in document.text
    assert not document.all("nav", aria_label="Filters")


async def test_no_match_names_the_filters_and_offers_to_drop_each(site: Site) -> None:
    await _some(site)
    document = await site.page("/jobs?state=failed&queue=slow")
    assert "No job matches" in document.text
    assert "has state failed and queue slow." in document.text
    assert {"/jobs?queue=slow", "/jobs?state=failed", "/jobs"} <= set(document.links)


async def test_a_class_that_few_jobs_have_is_found_at_once(site: Site) -> None:
    await site.world.enqueued(**{"class": "shop.jobs.Old"})
    for _ in range(30):
        await site.world.enqueued()
    document = await site.page("/jobs?class=shop.jobs.Old")
    assert len(document.rows) == 1
    assert "1 in all" in document.text


async def test_why_a_queued_job_waits(site: Site) -> None:
    await site.world.put_queue("shop/stopped", paused=True)
    await site.world.enqueued(queue="stopped")
    assert "Queued the queue is paused" in (await site.page("/jobs")).text
    await site.world.put_queue("shop/stopped", max_concurrent=0)
    assert "Queued the queue is full: 0 of 0" in (await site.page("/jobs")).text
    site.world.access.deny("list", "backgroundjobqueues", "shop", "mail")
    document = await site.page("/jobs")
    assert "the queue is" not in document.text
    assert "stopped" in document.text


async def test_a_fragment_is_the_live_part_of_the_page(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    await _some(site)
    now = await site.world.store.now_ms()

    async def stands_still() -> int:
        return now

    monkeypatch.setattr(site.world.store, "now_ms", stands_still)
    path = "/jobs?state=queued"
    page, fragment = (await site.get(path)).text, await site.fragment(path)
    assert fragment.status_code == 200
    assert fragment.text.lstrip().startswith('<div class="with-facets"')
    live_part, title, _ = re.split(r"\n(<title>.*</title>)", fragment.text)
    assert live_part.strip() in page
    assert title in page
    (live,) = [found for _, found in Document(page).elements if "hx-get" in found]
    assert (live["hx-get"], live["hx-trigger"], live["hx-swap"]) == (path, "every 3s", "outerMorph")


async def test_only_what_may_be_listed_is_there(site: Site) -> None:
    await _some(site)
    site.world.access.deny("list", "backgroundjobrequests", "mail")
    document = await site.page("/jobs")
    assert "mail.Send" not in document.text
    assert "namespace shop" in document.text
    response = await site.get("/jobs?ns=mail")
    assert response.status_code == 403
    assert "kubectl auth can-i list" in response.text
    site.world.access.deny("list", "backgroundjobrequests", "shop")
    assert (await site.get("/jobs")).status_code == 403


async def test_every_link_of_a_list_leads_somewhere(site: Site) -> None:
    await _some(site)
    for link in {one for one in (await site.page("/jobs?ns=shop&state=queued")).links if not one.startswith("#")}:
        assert (await site.get(link)).status_code == 200, link


async def test_the_notice_stands_on_top(site: Site) -> None:
    assert "no sign-in: only this machine can reach it" in (await site.page("/jobs")).text


async def test_queues_with_their_load(site: Site) -> None:
    await _some(site)
    await site.world.put_queue("shop/stopped", paused=True)
    document = await site.page("/queues?ns=shop")
    assert "default Open 2 of 10 0" in document.text
    assert "slow Open 0 of 1 1 shop.jobs.*" in document.text
    assert "stopped Paused: nothing is launched" in document.text
    assert "in mail" not in document.text
    assert "/jobs?ns=shop&state=queued&queue=slow" in document.links
    fragment = await site.fragment("/queues?ns=shop")
    assert fragment.text.lstrip().startswith("<main")
    site.world.access.deny("list", "backgroundjobqueues", "shop", "mail")
    assert (await site.get("/queues")).status_code == 403


def test_counts_in_words() -> None:
    assert [words.count(number) for number in (0, 999, 1000, 10_000, 10_001)] == [
        "0", "999", "1,000", "10,000", "10,001",
    ]  # fmt: skip
