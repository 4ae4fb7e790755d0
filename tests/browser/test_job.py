"""A job's page: followed to its end, and what can be done there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import psutil
from playwright.sync_api import expect

from bgjobs import protocol
from tests.browser.visit import is_same_document
from tests.local.dev_server import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import Start
    from tests.browser.visit import Visits
    from tests.local.dev_server import Dev

NASTY = "</li><script>window.x = 1; alert(1)</script><img src=x onerror=alert(2)>"


def log_text(page: Page) -> list[str]:
    return page.get_by_role("log").locator(".m").all_inner_texts()


def test_followed_to_its_end(visits: Visits, start: Start) -> None:
    puppet = start("print first", "progress 1 4 acts")
    page = visits.open(puppet.path)
    expect(page.locator(".pill")).to_contain_text("Running for")
    expect(page.get_by_role("log")).to_contain_text("first")
    expect(page.get_by_role("img", name="25 % done")).to_be_visible()
    expect(page.locator(".log-foot")).to_contain_text("More may come")
    puppet.do(*(f"print line {n}" for n in range(100)), "progress 3 4 acts", "complain a warning")
    expect(page.get_by_role("img", name="75 % done")).to_be_visible()
    expect(page.get_by_role("log")).to_contain_text("a warning")
    assert sorted(log_text(page)) == sorted(["first", *(f"line {n}" for n in range(100)), "a warning"])
    expect(page.get_by_role("log").get_by_text("a warning")).to_be_in_viewport()
    # Who scrolls up stays there.
    page.get_by_role("log").evaluate("log => { log.scrollTop = 0 }")
    puppet.end("print the last line", "end")
    expect(page.locator(".pill")).to_contain_text("Succeeded after")
    expect(page).to_have_title("Puppet.follow succeeded · bgjobs")
    expect(page.locator(".log-foot")).to_contain_text("Complete")
    assert log_text(page)[-1] == "the last line"
    assert page.get_by_role("log").evaluate("log => log.scrollTop") == 0
    expect(page.get_by_role("button", name="Run again").first).to_be_enabled()
    expect(page.locator("#live-state")).to_be_hidden()
    assert is_same_document(page)


def test_a_job_that_has_ended_is_left_alone(visits: Visits, start: Start) -> None:
    puppet = start()
    page = visits.open(puppet.path)
    puppet.end()
    expect(page.locator(".pill")).to_contain_text("Succeeded")
    page.evaluate("performance.clearResourceTimings()")
    page.wait_for_timeout(2500)  # a poll would be due after 2 s; that nothing comes cannot be waited for
    assert page.evaluate("performance.getEntriesByType('resource').map(one => one.name)") == []


def test_news_of_a_job_that_waits(visits: Visits, dev: Dev) -> None:
    handle = dev.client.enqueue("shop.jobs.Mail", "send", ["a@example.org", "Hello"], delay=3)
    page = visits.open(f"/jobs/{handle.id}")
    expect(page.locator(".pill")).to_contain_text("Scheduled")
    expect(page.locator(".gates")).to_be_visible()
    expect(page.locator(".pill")).to_contain_text("Succeeded")
    expect(page.get_by_role("log")).to_contain_text("to a@example.org: Hello")
    assert is_same_document(page)


def test_a_failure_with_its_traceback(visits: Visits, start: Start) -> None:
    puppet = start(f"print {NASTY}", max_retries=0)
    puppet.end(f"fail {NASTY}")
    page = visits.open(puppet.path, permissions=["clipboard-read", "clipboard-write"])
    expect(page.get_by_role("heading", level=2).filter(has_text="RuntimeError")).to_have_text(f"RuntimeError: {NASTY}")
    trace = page.get_by_role("list", name="Traceback")
    expect(trace).to_contain_text("raise RuntimeError(rest)")
    expect(trace.locator(".exc")).to_have_text(f"RuntimeError: {NASTY}")
    assert log_text(page)[0] == NASTY
    assert page.evaluate("window.x") is None
    page.get_by_role("button", name="Copy error").click()
    expect(page.locator("#spoken")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()").startswith(f"RuntimeError: {NASTY}\n\nTraceback")
    page.goto("/jobs?ns=shop&state=failed")
    expect(page.locator(puppet.row)).to_contain_text("error: RuntimeError")
    assert page.evaluate("window.x") is None


def test_attempts_are_links(visits: Visits, start: Start) -> None:
    puppet = start("print same for each", "fail on purpose", max_retries=1)
    puppet.handle.wait(timeout=120, poll=0.05)
    page = visits.open(puppet.path)
    page.get_by_role("link", name="Attempt 1").click()
    expect(page).to_have_url(re.compile(r"\?attempt=1$"))
    expect(page.get_by_role("log", name="Log of attempt 1")).to_contain_text("same for each")
    page.get_by_role("link", name="1", exact=True).click()
    expect(page).to_have_url(re.compile(r"\?attempt=1#L1$"))


def test_cancel(visits: Visits, dev: Dev, start: Start) -> None:
    puppet = start("print here", max_retries=0)
    processes = [one for one in dev.processes() if _runs(one, puppet.id)]
    assert processes
    page = visits.open(puppet.path)
    page.get_by_role("link", name="Cancel").first.click()
    expect(page.get_by_role("heading", name="Cancel this job?")).to_be_visible()
    page.get_by_label("Note for others").fill("the show is over")
    page.get_by_role("button", name="Cancel the job").click()
    expect(page).to_have_url(re.compile(f"{puppet.path}$"))
    expect(page.locator(".pill")).to_contain_text("Cancelled")
    expect(page.locator(".events")).to_contain_text("the show is over")
    assert puppet.handle.refresh().state == "cancelled"
    wait_until("its processes are gone", lambda: not any(one.is_running() for one in processes))


def _runs(process: psutil.Process, job_id: str) -> bool:
    try:
        return process.environ().get(protocol.ENV_JOB_ID) == job_id
    except psutil.Error:
        return False


def test_suspend_and_resume(visits: Visits, start: Start) -> None:
    puppet = start("print here", max_retries=0)
    page = visits.open(puppet.path)
    page.get_by_role("link", name="Suspend").first.click()
    expect(page.locator("main")).to_contain_text("its code starts over in a new pod")
    page.get_by_label("Note for others").fill("the provider is down")
    page.get_by_role("button", name="Suspend the job").click()
    expect(page).to_have_url(re.compile(f"{puppet.path}$"))
    expect(page.locator(".pill")).to_contain_text("Suspended")
    expect(page.locator(".events")).to_contain_text("the provider is down")
    page.get_by_role("button", name="Resume").first.click()
    expect(page.locator(".pill")).to_contain_text("Running")
    puppet.end()
    expect(page.locator(".pill")).to_contain_text("Succeeded")


def test_think_again_before_cancelling(visits: Visits, start: Start) -> None:
    puppet = start()
    page = visits.open(f"{puppet.path}/cancel")
    page.get_by_role("link", name="Keep it").click()
    expect(page.locator(".pill")).to_contain_text("Running")


def test_too_late_to_cancel(visits: Visits, start: Start) -> None:
    visits.expected = "409"
    puppet = start()
    page = visits.open(f"{puppet.path}/cancel")
    puppet.end()
    page.get_by_role("button", name="Cancel the job").click()
    expect(page.get_by_role("alert")).to_contain_text("It was too late to cancel this job")
    expect(page.locator(".pill")).to_contain_text("Succeeded")


def test_run_again_leads_to_the_new_job(visits: Visits, start: Start) -> None:
    puppet = start()
    puppet.end()
    page = visits.open(puppet.path)
    page.get_by_role("button", name="Run again").first.click()
    expect(page.get_by_role("link", name=puppet.id)).to_be_visible()
    assert not page.url.endswith(puppet.id)
    expect(page.locator(".pill")).to_contain_text("Succeeded")
    page.get_by_role("link", name=puppet.id).click()
    expect(page).to_have_url(re.compile(f"{puppet.path}$"))


def test_no_such_job(visits: Visits) -> None:
    visits.expected = "404"
    page = visits.open("/jobs/0197f000-0000-7000-8000-000000000000")
    expect(page.get_by_role("heading", name="Not found")).to_be_visible()
