"""The link that `bgjobs dev` prints, opened in a browser."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from bgjobs.connection.local_link import new_link
from tests.browser.visit import Visits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from tests.local.dev_server import Dev


@pytest.fixture
def stranger(browser: Browser, dev: Dev) -> Iterator[Visits]:
    """A browser that has not been here."""
    made = Visits(browser, dev.url, expected="401")
    yield made
    assert made.close() == []


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_a_link_leads_to_the_jobs_and_only_once(stranger: Visits, dev: Dev, scripts: bool) -> None:
    link = new_link(dev.url, dev.token, time.time()).removeprefix(dev.url)
    page = stranger.open("/jobs", java_script_enabled=scripts)
    expect(page.get_by_role("heading", name="Who are you?")).to_be_visible()
    page.goto(link)
    page.wait_for_url(f"{dev.url}/jobs")
    expect(page.get_by_role("link", name="Queues", exact=True)).to_be_visible()
    page.get_by_role("link", name="Queues", exact=True).click()
    expect(page.get_by_role("link", name="Queues", exact=True)).to_have_attribute("aria-current", "page")
    assert not scripts or page.evaluate("document.cookie") == ""
    another = stranger.open(link, java_script_enabled=scripts)
    expect(another.get_by_role("heading", name="This link was used, or is too old")).to_be_visible()
