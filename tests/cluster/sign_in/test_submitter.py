"""Sam may do everything with the jobs of the mill, and only look at those of the shop."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from installation import SHOP, kubectl, wait_until
from tests.cluster.sign_in.front_door import MILL, MILLERS, READERS
from tests.cluster.sign_in.people import EVIL, cookie_of, row, send_form, sign_in, with_cookie

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from bgjobs import JobClient
    from tests.browser.visit import Visits
    from tests.cluster.sign_in.conftest import Jobs
    from tests.cluster.sign_in.front_door import FrontDoor

SAM = "oidc:sam@example.com"


@pytest.fixture
def page(visits: Visits, door: FrontDoor) -> Page:
    """His, on the list of jobs."""
    opened = visits.open("/jobs")
    sign_in(opened, door, "sam", MILLERS, READERS)
    return opened


def pods_of(job_id: str) -> list[str]:
    """Those of a job of the mill."""
    return kubectl("get", "pods", "-n", MILL, "-l", f"bgjobs.dev/job-id={job_id}", "-o", "name").split()


def test_he_sees_both_namespaces(page: Page, jobs: Jobs) -> None:
    expect(row(page, jobs.mill_running)).to_contain_text(f"{MILL} /")
    expect(row(page, jobs.shop_running)).to_contain_text(f"{SHOP} /")


def test_he_runs_a_job_again(page: Page, jobs: Jobs, client: JobClient) -> None:
    page.goto(f"/jobs/{jobs.mill_ended}")
    page.get_by_role("button", name="Run again").first.click()
    expect(page.get_by_role("link", name=jobs.mill_ended)).to_be_visible()
    expect(page.locator(".pill")).to_contain_text("Succeeded")
    made = client.get(page.url.rpartition("/")[2])
    assert (made.rerun_of, made.created_by, made.namespace) == (jobs.mill_ended, SAM, MILL)
    assert client.result(made.id) == client.result(jobs.mill_ended)


def test_he_cancels_a_job(page: Page, client: JobClient) -> None:
    job = client.enqueue("shop.jobs.Orders", "hold", [600], namespace=MILL)
    wait_until("it holds", lambda: "holding the order" in client.logs(job.id), seconds=300)
    assert len(pods_of(job.id)) == 1
    page.goto(f"/jobs/{job.id}")
    page.get_by_role("link", name="Cancel").first.click()
    page.get_by_label("Note for others").fill("the mill stands still")
    page.get_by_role("button", name="Cancel the job").click()
    expect(page).to_have_url(re.compile(f"/jobs/{job.id}$"))
    expect(page.locator(".pill")).to_contain_text("Cancelled")
    assert pods_of(job.id) == []
    assert (client.get(job.id).note, client.get(job.id).state) == ("the mill stands still", "cancelled")
    expect(page.locator(".events")).to_contain_text(f"by {SAM}")


def test_he_may_only_look_at_the_other_namespace(
    visits: Visits, page: Page, door: FrontDoor, jobs: Jobs, client: JobClient
) -> None:
    visits.expected = "403"
    page.goto(f"/jobs/{jobs.shop_running}")
    expect(page.get_by_role("button", name="Cancel")).to_have_attribute("aria-disabled", "true")
    send_form(page, f"/jobs/{jobs.shop_running}/cancel")
    expect(page.get_by_text(f"{SAM} cannot create backgroundjobrequests/cancel")).to_be_visible()
    new: dict[str, str] = {"id": "01a20f56-bbe6-7448-a0f3-fc2cf1fe7384"}
    call = {"namespace": SHOP, "class": "shop.jobs.Invoices", "method": "render"}
    with with_cookie(door, cookie_of(page)) as sam:
        for path, body in (
            (f"/api/v1/jobs/{jobs.shop_running}/cancel", {}),
            (f"/api/v1/jobs/{jobs.shop_ended}/rerun", new),
            ("/api/v1/jobs", new | call),
        ):
            answer = sam.post(path, json=body)
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert client.get(jobs.shop_running).state == "launched"


@pytest.mark.parametrize("path", ["/jobs/{}/cancel", "/api/v1/jobs/{}/cancel"])
def test_a_page_of_another_site_cannot_press_his_buttons(
    visits: Visits, page: Page, door: FrontDoor, jobs: Jobs, client: JobClient, path: str
) -> None:
    """The browser leaves the session's cookie out of what another site sends (`SameSite`)."""
    visits.expected = "401"
    action = door.url + path.format(jobs.mill_running)
    page.route(f"{EVIL}/", lambda route: route.fulfill(body="<p>Win a prize", content_type="text/html"))
    page.goto(f"{EVIL}/")
    send_form(page, action)
    # It has come without a session: a page leads to the provider, the API says no in JSON.
    expect(page.get_by_role("button", name="Log in").or_(page.get_by_text("{}", exact=True))).to_be_visible()
    expect(page.get_by_text("shop.jobs")).to_have_count(0)
    assert client.get(jobs.mill_running).state == "launched"
    page.goto(door.url)  # he is still signed in
    expect(row(page, jobs.mill_running)).to_be_visible()


def test_one_of_the_mill_alone_cannot_even_look_there(door: FrontDoor, submitter: str, jobs: Jobs) -> None:
    with with_cookie(door, submitter) as miller:
        assert {job["namespace"] for job in miller.get("/api/v1/jobs").json()["items"]} == {MILL}
        assert miller.get(f"/api/v1/jobs/{jobs.shop_running}").status_code == 403
        assert miller.post(f"/api/v1/jobs/{jobs.shop_running}/cancel").status_code == 403
        assert miller.get(f"/jobs?ns={SHOP}").status_code == 403
