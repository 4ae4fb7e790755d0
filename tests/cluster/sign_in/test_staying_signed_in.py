"""Olga looks at a page for longer than her ID token lives; what happens when it cannot be renewed any more."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import httpx2
from playwright.sync_api import expect

from installation import SHOP, wait_until
from tests.browser.visit import is_same_document
from tests.cluster.sign_in import front_door, sessions
from tests.cluster.sign_in.front_door import MILL, MILLERS, READERS, TOKEN_SECONDS
from tests.cluster.sign_in.people import cookie_of, row, sign_in

if TYPE_CHECKING:
    from playwright.sync_api import Page, Request, Response

    from bgjobs import JobClient
    from tests.browser.visit import Visits
    from tests.cluster.sign_in.conftest import Jobs
    from tests.cluster.sign_in.front_door import FrontDoor


def test_a_page_outlives_its_id_token(visits: Visits, door: FrontDoor, client: JobClient) -> None:
    job = client.enqueue("shop.jobs.Reports", "slow", [3600], namespace=MILL)
    page = visits.open(f"/jobs/{job.id}")
    sign_in(page, door, "olga", MILLERS)
    first = sessions.tokens_of(cookie_of(page))
    asked: list[str] = []
    refused: list[int] = []

    def on_request(request: Request) -> None:
        asked.append(request.url)

    def on_response(response: Response) -> None:
        refused.extend([response.status] if response.status >= 300 else [])

    page.on("request", on_request)
    page.on("response", on_response)
    seen: dict[str, dict[str, Any]] = {}

    def newest() -> dict[str, Any]:
        page.wait_for_timeout(500)  # the page goes on meanwhile
        tokens = sessions.tokens_of(cookie_of(page))
        seen[tokens.id] = tokens.claims
        return tokens.claims

    lifetimes = 2
    outlived = first.claims["exp"] + (lifetimes - 1) * TOKEN_SECONDS
    wait_until("its token is another one again and again", lambda: newest()["iat"] > outlived, seconds=180)
    print(f"\n{len(seen)} ID tokens in {time.time() - first.claims['iat']:.0f} s, each good for {TOKEN_SECONDS} s")
    assert len(seen) > lifetimes
    assert first.claims["exp"] - first.claims["iat"] == TOKEN_SECONDS
    assert {claims["email"] for claims in seen.values()} == {"olga@example.com"}

    # Live all the time, without a visit to the provider.
    assert is_same_document(page)
    expect(page.locator("#live-state")).to_have_text("Live")
    expect(page.get_by_text("Sign-in has run out")).to_have_count(0)
    assert len(asked) > 5
    assert not [url for url in asked if not url.startswith(f"{door.url}/jobs/")]
    assert refused == []

    # And a form works that the page has had from the beginning.
    page.get_by_role("link", name="Cancel").first.click()
    page.get_by_role("button", name="Cancel the job").click()
    expect(page.locator(".pill")).to_contain_text("Cancelled")


def test_a_session_that_has_ended_at_the_provider(visits: Visits, door: FrontDoor, jobs: Jobs) -> None:
    visits.expected = "401"
    where = f"/jobs?ns={MILL}&queue=default"
    page = visits.open(where)
    sign_in(page, door, "pia", MILLERS)
    expect(row(page, jobs.mill_running)).to_be_visible()
    _end_at_the_provider(door, page)

    banner = page.get_by_role("alert")
    expect(banner).to_contain_text("Sign-in has run out: sign in again", timeout=TOKEN_SECONDS * 1000 + 20_000)
    expect(row(page, jobs.mill_running)).to_be_visible()
    expect(page.locator("#live-state")).to_contain_text("Not live for")
    assert is_same_document(page)

    banner.get_by_role("link", name="sign in again").click()
    sign_in(page, door, "pia", MILLERS)
    expect(page).to_have_url(door.url + where)
    expect(page.locator("#live-state")).to_have_text("Live")
    expect(page.get_by_text("Sign-in has run out")).to_have_count(0)


def test_a_form_without_a_session(visits: Visits, door: FrontDoor, jobs: Jobs, client: JobClient) -> None:
    """A page that is not live learns of it when somebody presses a button: it must not look as if nothing happened."""
    visits.expected = "form-action|Form Action|form action"
    where = f"/jobs/{jobs.mill_ended}"
    page = visits.open(where)
    sign_in(page, door, "pia", MILLERS)
    _end_at_the_provider(door, page)
    wait_until("her session is gone", lambda: not _is_signed_in(door, page))
    page.get_by_role("button", name="Run again").first.click()
    banner = page.get_by_role("alert")
    expect(banner).to_contain_text("Sign-in has run out: sign in again")
    assert not [one for one in client.list(namespace=MILL).items if one.rerun_of == jobs.mill_ended]

    banner.get_by_role("link", name="sign in again").click()
    sign_in(page, door, "pia", MILLERS)
    expect(page).to_have_url(door.url + where)
    page.get_by_role("button", name="Run again").first.click()
    expect(page.get_by_role("link", name=jobs.mill_ended)).to_be_visible()
    assert client.get(page.url.rpartition("/")[2]).created_by == "oidc:pia@example.com"


def test_the_provider_is_away(visits: Visits, door: FrontDoor, jobs: Jobs, client: JobClient) -> None:
    visits.expected = "401"
    where = f"/jobs?ns={SHOP}&state=succeeded"
    page = visits.open(where)
    sign_in(page, door, "quentin", READERS)
    front_door.stop_provider()
    try:
        expect(page.get_by_role("alert")).to_contain_text("Sign-in has run out", timeout=TOKEN_SECONDS * 1000 + 10_000)
        expect(row(page, jobs.shop_ended)).to_be_visible()
        assert client.get(jobs.shop_running).state == "launched"  # programs do not notice
    finally:
        front_door.start_provider()
    page.get_by_role("alert").get_by_role("link", name="sign in again").click()
    sign_in(page, door, "quentin", READERS)
    expect(page).to_have_url(door.url + where)
    expect(row(page, jobs.shop_ended)).to_be_visible()


def _end_at_the_provider(door: FrontDoor, page: Page) -> None:
    """Somebody ends a person's session there; the ID token goes on for some seconds, and is not renewed."""
    hint = {"id_token_hint": sessions.tokens_of(cookie_of(page)).id}
    assert httpx2.get(f"{door.issuer}/logout", params=hint, trust_env=False).status_code == 204


def _is_signed_in(door: FrontDoor, page: Page) -> bool:
    """As oauth2-proxy sees it, which looks at a session when it is asked for something."""
    cookie = f"{front_door.COOKIE}={cookie_of(page)}"
    return httpx2.get(f"{door.url}/oauth2/auth", headers={"Cookie": cookie}, trust_env=False).status_code == 202
