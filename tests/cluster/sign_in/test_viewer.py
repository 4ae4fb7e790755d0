"""Vera may look at the jobs of the shop, and at nothing else: not at the mill's, and she may change nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from installation import SHOP, wait_until
from tests.browser.visit import is_same_document
from tests.cluster.sign_in.front_door import MILL, READERS
from tests.cluster.sign_in.people import cookie_of, row, send_form, sign_in, with_cookie

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from bgjobs import JobClient
    from tests.browser.visit import Visits
    from tests.cluster.sign_in.conftest import Jobs
    from tests.cluster.sign_in.front_door import FrontDoor

VERA = "oidc:vera@example.com"
MAY_NOT = f"{VERA} cannot"


@pytest.fixture
def page(visits: Visits, door: FrontDoor) -> Page:
    """Hers, on the list of jobs."""
    opened = visits.open("/jobs")
    sign_in(opened, door, "vera", READERS)
    return opened


def test_she_lands_where_she_wanted_to_go(visits: Visits, door: FrontDoor, jobs: Jobs) -> None:
    wanted = f"/jobs?ns={SHOP}&state=succeeded&queue=default"
    page = visits.open(wanted)
    sign_in(page, door, "vera", READERS)
    expect(page).to_have_url(door.url + wanted)
    expect(row(page, jobs.shop_ended)).to_be_visible()
    expect(page.get_by_text(f"You are {VERA}")).to_be_attached()


def test_she_sees_her_namespace_alone(page: Page, jobs: Jobs) -> None:
    for job_id in (jobs.shop_running, jobs.shop_ended):
        expect(row(page, job_id)).to_be_visible()
    for job_id in (jobs.mill_running, jobs.mill_ended):
        expect(row(page, job_id)).to_have_count(0)
    expect(page.locator(".only-ns")).to_have_text(f"namespace {SHOP}")
    page.goto("/queues")
    expect(page.locator(".only-ns")).to_have_text(f"namespace {SHOP}")


def test_she_asks_for_the_other_namespace(visits: Visits, page: Page, jobs: Jobs) -> None:
    visits.expected = "403"
    for path in (
        f"/jobs?ns={MILL}",
        f"/jobs?ns={SHOP}&ns={MILL}",
        f"/queues?ns={MILL}",
        f"/jobs/{jobs.mill_running}",
        f"/jobs/{jobs.mill_ended}?attempt=1",
        f"/jobs/{jobs.mill_ended}/attempts/1/log",
        f"/jobs/{jobs.mill_running}/cancel",
    ):
        page.goto(path)
        expect(page.get_by_role("heading", name="Not allowed")).to_be_visible()
        expect(page.get_by_text(MAY_NOT)).to_be_visible()
        expect(page.get_by_text("shop.jobs")).to_have_count(0)
        expect(page.get_by_text("invoice")).to_have_count(0)


def test_the_server_keeps_the_other_namespace_from_her(
    door: FrontDoor, viewer: str, jobs: Jobs, client: JobClient
) -> None:
    with with_cookie(door, viewer) as vera:
        listed = {job["id"] for job in vera.get("/api/v1/jobs").json()["items"]}
        assert jobs.shop_running in listed
        assert not listed & {jobs.mill_running, jobs.mill_ended}
        seen = vera.get(f"/api/v1/jobs/{jobs.shop_ended}/log"), vera.get(f"/api/v1/jobs/{jobs.shop_ended}/result")
        assert [answer.status_code for answer in seen] == [200, 200]
        for path in (
            f"/api/v1/jobs?namespace={MILL}",
            f"/api/v1/queues?namespace={MILL}",
            f"/api/v1/jobs/{jobs.mill_running}",
            f"/api/v1/jobs/{jobs.mill_ended}/attempts",
            f"/api/v1/jobs/{jobs.mill_ended}/attempts/1/log",
            f"/api/v1/jobs/{jobs.mill_ended}/log",
            f"/api/v1/jobs/{jobs.mill_ended}/result",
        ):
            answer = vera.get(path)
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), path
            assert MAY_NOT in answer.json()["detail"]
    assert client.result(jobs.mill_ended) == {"invoices": 5, "folder": "invoices/de/2026/11"}  # it is there


def test_what_she_may_not_do_is_shown_with_what_is_missing(page: Page, jobs: Jobs) -> None:
    page.goto(f"/jobs/{jobs.shop_running}")
    cancel = page.get_by_role("button", name="Cancel")
    expect(cancel).to_have_attribute("aria-disabled", "true")
    expect(page.locator(".needs").first).to_have_text(f"Cancel needs create on backgroundjobrequests/cancel in {SHOP}.")
    page.goto(f"/jobs/{jobs.shop_ended}")
    expect(page.get_by_role("button", name="Run again")).to_have_attribute("aria-disabled", "true")
    expect(page.get_by_text(f"Run again needs create on backgroundjobrequests in {SHOP}.")).to_be_visible()


def test_she_forces_the_buttons(visits: Visits, page: Page, door: FrontDoor, jobs: Jobs, client: JobClient) -> None:
    visits.expected = "403"
    for job_id, action, missing in (
        (jobs.shop_running, "cancel", "create backgroundjobrequests/cancel"),
        (jobs.shop_ended, "rerun", "create backgroundjobrequests"),
    ):
        page.goto(f"/jobs/{job_id}")
        send_form(page, f"/jobs/{job_id}/{action}")
        expect(page.get_by_role("heading", name="Not allowed")).to_be_visible()
        expect(page.get_by_text(f"{MAY_NOT} {missing} of bgjobs.dev")).to_be_visible()
    with with_cookie(door, cookie_of(page)) as vera:
        for path, body in (
            (f"/api/v1/jobs/{jobs.shop_running}/cancel", {}),
            (f"/api/v1/jobs/{jobs.shop_ended}/rerun", {"id": "01a20f56-bbe6-7448-a0f3-fc2cf1fe7383"}),
        ):
            answer = vera.post(path, json=body, headers={"Origin": door.url})
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert client.get(jobs.shop_running).state == "launched"
    assert not [one for one in client.list().items if one.rerun_of == jobs.shop_ended]


def test_her_list_is_live(page: Page, client: JobClient) -> None:
    expect(page.locator("#live-state")).to_have_text("Live")
    job = client.enqueue("shop.jobs.Invoices", "render", [2026, 12])
    expect(row(page, job.id)).to_be_visible()
    expect(row(page, job.id)).to_contain_text("Succeeded")
    assert is_same_document(page)


def test_a_log_goes_on_before_her_eyes(page: Page, jobs: Jobs) -> None:
    """Nothing between the job and her holds lines back."""
    page.goto(f"/jobs/{jobs.shop_running}")
    page.evaluate("window.isTheSameDocument = true")
    last = page.get_by_role("log").locator("time").last

    def age() -> float:
        """Seconds since the newest line on the page was printed."""
        printed = datetime.fromisoformat(last.get_attribute("datetime") or "")
        return (datetime.now(UTC) - printed).total_seconds()

    # Until somebody looks, the log comes every 10 s only.
    wait_until("she sees what is printed now", lambda: age() < 3, seconds=60)
    ages: list[float] = []
    for _ in range(15):
        page.wait_for_timeout(400)
        ages.append(age())
    print(f"\nthe newest line on the page was {min(ages):.1f} to {max(ages):.1f} s old")
    assert max(ages) < 10  # as often as it comes while nobody looks
    assert is_same_document(page)
