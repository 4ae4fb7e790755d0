"""The list: live in place, filtered by links, and quiet under the pointer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from playwright.sync_api import expect

from tests.browser.visit import is_same_document

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page, Route

    from tests.browser.conftest import Start
    from tests.browser.visit import Visits
    from tests.local.dev_server import Dev


def where(page: Page) -> str:
    """The page's path with its query."""
    parts = urlsplit(page.url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def rows(page: Page) -> Locator:
    return page.locator("tbody tr")


def ids(page: Page) -> list[str]:
    return rows(page).evaluate_all("all => all.map(one => one.id.replace('job-', ''))")


def test_a_job_enqueued_meanwhile_appears(visits: Visits, start: Start) -> None:
    page = visits.open("/jobs?ns=shop")
    expect(page.locator("#live-state")).to_have_text("Live")
    puppet = start("progress 1 4 acts")
    expect(rows(page).first).to_have_id(f"job-{puppet.id}")
    expect(page.locator(puppet.row)).to_contain_text("Running")
    assert is_same_document(page)


def test_a_row_changes_in_place(visits: Visits, start: Start) -> None:
    puppet = start("progress 1 4 acts")
    page = visits.open("/jobs?ns=shop")
    row = page.locator(puppet.row)
    expect(row).to_contain_text("1 of 4 acts")
    expect(row.get_by_role("img", name="25 % done")).to_be_visible()
    row.evaluate("row => { row.isTheSame = true }")
    page.get_by_label("Class, or the id of a job").fill("half a wor")
    puppet.end()
    expect(row).to_contain_text("Succeeded")
    assert row.evaluate("row => row.isTheSame")
    assert is_same_document(page)
    # What somebody is typing stays.
    expect(page.get_by_label("Class, or the id of a job")).to_have_value("half a wor")
    expect(page.get_by_label("Class, or the id of a job")).to_be_focused()


def test_nothing_moves_under_the_pointer(visits: Visits, start: Start) -> None:
    old = start()
    page = visits.open("/jobs?ns=shop")
    row = page.locator(old.row)
    row.hover()
    before = row.bounding_box()
    new = start()
    expect(page.locator("#live-state")).to_have_text("Waits while you read")
    assert row.bounding_box() == before
    expect(page.locator(new.row)).to_have_count(0)
    page.get_by_role("link", name="bgjobs").hover()
    expect(page.locator(new.row)).to_be_visible()
    expect(page.locator("#live-state")).to_have_text("Live")


def test_nothing_moves_under_a_pointer_that_came_while_news_were_asked_for(visits: Visits, start: Start) -> None:
    old = start()
    page = visits.open("/jobs?ns=shop")
    row = page.locator(old.row)
    before = row.bounding_box()
    new = start()

    def answer(route: Route) -> None:
        reply = route.fetch()
        assert new.id in reply.text()
        row.hover()
        route.fulfill(response=reply)

    page.route("**/jobs?ns=shop", answer, times=1)
    expect(page.locator("#live-state")).to_have_text("Waits while you read")
    assert row.bounding_box() == before
    page.get_by_role("link", name="bgjobs").hover()
    expect(page.locator(new.row)).to_be_visible()


def test_facets_change_the_address_and_back_goes_back(visits: Visits, shelf: list[str]) -> None:
    page = visits.open("/jobs?ns=shelf")
    filters = page.get_by_role("navigation", name="Filters")
    expect(filters.get_by_role("link", name="All jobs")).to_contain_text("30")
    filters.get_by_role("link", name="Succeeded").click()
    expect(page).to_have_url(re.compile(r"/jobs\?ns=shelf&state=succeeded$"))
    expect(filters.get_by_role("link", name="Succeeded")).to_have_attribute("aria-current", "true")
    assert set(ids(page)) == set(shelf[-2:])
    filters.get_by_role("link", name="left").click()
    expect(page).to_have_url(re.compile(r"/jobs\?ns=shelf&state=succeeded&queue=left$"))
    expect(page.get_by_role("heading", name="No job matches")).to_be_visible()
    page.go_back()
    expect(rows(page)).to_have_count(2)
    page.go_back()
    assert where(page) == "/jobs?ns=shelf"
    expect(rows(page)).to_have_count(25)
    page.go_forward()
    expect(rows(page)).to_have_count(2)


def test_the_numbers_are_those_of_the_list(visits: Visits, shelf: list[str]) -> None:
    page = visits.open("/jobs?ns=shelf")
    for name, count in (("Succeeded", 2), ("right", 2), ("Failed", 0)):
        link = page.get_by_role("navigation", name="Filters").get_by_role("link", name=name)
        expect(link.locator(".n")).to_have_text(str(count))
        link.click()
        expect(rows(page)).to_have_count(count)
        page.go_back()


def test_no_match_offers_the_wider_lists(visits: Visits, shelf: list[str]) -> None:
    page = visits.open("/jobs?ns=shelf&state=failed&queue=right")
    expect(page.get_by_role("heading", name="No job matches")).to_be_visible()
    page.get_by_role("link", name="Drop state:failed").click()
    assert where(page) == "/jobs?ns=shelf&queue=right"
    expect(rows(page)).to_have_count(2)


def test_the_box_finds_a_class_and_an_id(visits: Visits, shelf: list[str]) -> None:
    page = visits.open("/jobs?ns=shelf")
    page.get_by_label("Class, or the id of a job").fill("shop.jobs.Invoices")
    page.keyboard.press("Enter")
    expect(rows(page)).to_have_count(2)
    assert where(page) == "/jobs?ns=shelf&class=shop.jobs.Invoices"
    page.get_by_role("link", name="Remove class shop.jobs.Invoices").click()
    expect(rows(page)).to_have_count(25)
    page.get_by_label("Class, or the id of a job").fill(shelf[0])
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"/jobs/{shelf[0]}$"))


def test_an_empty_list_says_how_to_begin(visits: Visits, dev: Dev) -> None:
    page = visits.open("/jobs?ns=quiet", permissions=["clipboard-read", "clipboard-write"])
    expect(page.get_by_role("heading", name="No jobs in quiet yet")).to_be_visible()
    page.get_by_role("button", name="Copy the command").click()
    expect(page.locator("#spoken")).to_have_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert f"export BGJOBS_URL={dev.url}" in copied
    assert "--namespace quiet" in copied


def test_namespaces_are_chosen(visits: Visits, shelf: list[str]) -> None:
    page = visits.open("/jobs?ns=shelf&state=succeeded")
    page.get_by_text("namespace", exact=True).click()
    page.get_by_label("shelf").uncheck()
    page.get_by_label("quiet").check()
    page.get_by_role("button", name="Show").click()
    assert where(page) == "/jobs?ns=quiet&state=succeeded"


def test_out_of_reach_and_back(visits: Visits, start: Start) -> None:
    visits.expected = "ERR_INTERNET_DISCONNECTED|Failed to fetch"
    puppet = start()
    page = visits.open("/jobs?ns=shop")
    page.context.set_offline(True)
    expect(page.locator("#live-state")).to_contain_text("Not live for")
    expect(page.locator(puppet.row)).to_be_visible()
    page.context.set_offline(False)
    expect(page.locator("#live-state")).to_have_text("Live")
