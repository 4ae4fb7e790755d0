"""Everything works before JavaScript."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import Start
    from tests.browser.visit import Visits


def plain(visits: Visits, path: str) -> Page:
    return visits.open(path, java_script_enabled=False)


def test_list_filters_and_pages(visits: Visits, shelf: list[str]) -> None:
    page = plain(visits, "/jobs?ns=shelf")
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(25)
    expect(rows.first).to_have_id(f"job-{shelf[0]}")
    page.get_by_role("link", name="Older").click()
    expect(rows).to_have_count(5)
    page.get_by_role("link", name="Newest").click()
    expect(rows).to_have_count(25)
    page.get_by_role("link", name="Scheduled").click()
    expect(page.get_by_text("25 jobs on this page, 28 in all")).to_be_visible()
    page.get_by_label("Class, or the id of a job").fill("shop.jobs.Nothing")
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_role("heading", name="No job matches")).to_be_visible()
    page.get_by_role("link", name="Clear all").click()
    expect(rows).to_have_count(25)
    expect(page.locator("#live-state")).to_be_hidden()


def test_job_log_and_cancel(visits: Visits, start: Start) -> None:
    visits.expected = "favicon"  # text has no icon of its own, so the browser asks for that of the site
    puppet = start("print a word", "progress 1 2 halves", max_retries=0)
    puppet.handle.logs(follow=True).__next__()
    page = plain(visits, "/jobs?ns=shop")
    page.locator(puppet.row).get_by_role("link").click()
    expect(page.locator(".pill")).to_contain_text("Running")
    expect(page.get_by_role("log")).to_contain_text("a word")
    # Nothing is offered that needs a script.
    expect(page.locator(".copy, .needs-script").locator("visible=true")).to_have_count(0)
    page.get_by_role("link", name="As text").click()
    expect(page.locator("pre")).to_contain_text("a word")
    page.go_back()
    page.get_by_role("link", name="Cancel").first.click()
    page.get_by_label("Note for others").fill("by hand")
    page.get_by_role("button", name="Cancel the job").click()
    expect(page).to_have_url(re.compile(f"{puppet.path}$"))
    assert puppet.handle.wait(timeout=120, poll=0.05).state == "cancelled"
    page.reload()
    expect(page.locator(".pill")).to_contain_text("Cancelled")
    page.get_by_role("button", name="Run again").first.click()
    expect(page.get_by_role("link", name=puppet.id)).to_be_visible()
