"""Somebody who signs in: at the provider's form in a browser, or step by step without one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import httpx2
from playwright.sync_api import expect

from tests.cluster.sign_in.front_door import COOKIE

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tests.cluster.sign_in.front_door import FrontDoor

EVIL = "http://evil.example"


def sign_in(page: Page, door: FrontDoor, name: str, *groups: str) -> None:
    """Fill in the provider's form, where the page has been led."""
    expect(page).to_have_url(re.compile(f"^{re.escape(door.issuer)}/authorize"))
    page.get_by_label("User").fill(name)
    page.get_by_label("Groups").fill(",".join(groups))
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{door.url}/**")
    page.evaluate("window.isTheSameDocument = true")


def cookie_of(page: Page) -> str:
    """The session's cookie, which no script of the page can read."""
    return next(one["value"] for one in page.context.cookies() if one.get("name") == COOKIE)  # pyright: ignore[reportTypedDictNotRequiredAccess]


def without_session(door: FrontDoor) -> httpx2.Client:
    """A program at the front door."""
    return httpx2.Client(base_url=door.url, trust_env=False, timeout=20)


def with_cookie(door: FrontDoor, cookie: str) -> httpx2.Client:
    """A program that has somebody's cookie."""
    return httpx2.Client(base_url=door.url, trust_env=False, timeout=20, headers={"Cookie": f"{COOKIE}={cookie}"})


def by_steps(door: FrontDoor, name: str, *groups: str, begin: str = "/jobs") -> tuple[str, str]:
    """Sign in without a browser.

    Args:
        door: where.
        name: of the person.
        groups: of the person.
        begin: the page that is asked for first.

    Returns:
        The session's cookie, and where the sign-in leads in the end.
    """
    with without_session(door) as browser:
        to_provider = browser.get(begin).headers["Location"]
        assert to_provider.startswith(f"{door.issuer}/authorize?"), to_provider
        who = urlencode({"user": name, "groups": ",".join(groups)})
        back = browser.get(f"{to_provider}&{who}").headers["Location"]
        assert back.startswith(f"{door.url}/oauth2/callback?"), back
        landed = browser.get(back)
        assert landed.status_code == 302, landed.text
        return browser.cookies[COOKIE], landed.headers["Location"]


def row(page: Page, job_id: str) -> Locator:
    """A job's row in the list."""
    return page.locator(f"#job-{job_id}")


def send_form(page: Page, action: str) -> None:
    """What the page offers no button for: a form of its own, made by hand, whose answer is the next page."""
    with page.expect_navigation():
        page.evaluate(
            """action => {
                const form = Object.assign(document.createElement("form"), { method: "post", action });
                document.body.append(form);
                form.submit();
            }""",
            action,
        )
