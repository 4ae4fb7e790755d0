"""Nora can sign in, and nobody has given her anything yet."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from installation import SHOP, CommandError, kubectl, wait_until
from tests.cluster.sign_in.front_door import MILL, READERS
from tests.cluster.sign_in.people import by_steps, cookie_of, row, sign_in, with_cookie

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.visit import Visits
    from tests.cluster.sign_in.conftest import Jobs
    from tests.cluster.sign_in.front_door import FrontDoor

NORA = "oidc:nora@example.com"


@pytest.fixture
def page(visits: Visits, door: FrontDoor) -> Page:
    """Hers, where she asked for the list of jobs."""
    visits.expected = "403"
    opened = visits.open("/jobs")
    sign_in(opened, door, "nora", "newcomers")
    return opened


def test_she_is_told_what_to_ask_for(page: Page) -> None:
    expect(page.get_by_role("heading", name="Not allowed")).to_be_visible()
    expect(page.get_by_text(f"there is nothing here for {NORA} yet")).to_be_visible()
    expect(page.locator("code", has_text="create rolebinding")).to_have_text(
        f"kubectl create rolebinding bgjobs-viewer:{NORA} --clusterrole bgjobs-viewer --user {NORA} --namespace {SHOP}"
    )
    expect(page.get_by_text("shop.jobs")).to_have_count(0)


def test_what_she_is_told_to_ask_for_helps(visits: Visits, door: FrontDoor, jobs: Jobs) -> None:
    visits.expected = "403"
    page = visits.open("/jobs")
    sign_in(page, door, "nell", "newcomers")  # another newcomer: for some seconds the API would remember a yes
    line = page.locator("code", has_text="create rolebinding").inner_text()
    arguments = shlex.split(line)[1:]
    try:
        assert "created" in kubectl(*arguments)  # by an administrator to whom she shows it
        wait_until("it holds", lambda: page.reload() is not None and row(page, jobs.shop_ended).count() == 1, 60)
        expect(row(page, jobs.mill_ended)).to_have_count(0)
    finally:
        kubectl("delete", "rolebinding", arguments[2], "-n", SHOP, "--ignore-not-found")


def test_the_check_says_what_the_page_says(page: Page) -> None:
    line = page.locator("code", has_text="auth can-i").inner_text()
    with pytest.raises(CommandError, match=r"\bno$"):  # kubectl ends with an error when the answer is no
        kubectl(*shlex.split(line)[1:])


def test_everything_is_refused(door: FrontDoor, page: Page, jobs: Jobs) -> None:
    with with_cookie(door, cookie_of(page)) as nora:
        for path in (
            "/jobs",
            "/queues",
            f"/jobs?ns={SHOP}",
            f"/jobs?ns={MILL}",
            f"/jobs/{jobs.shop_running}",
            f"/jobs/{jobs.shop_ended}/attempts/1/log",
            f"/jobs/{jobs.shop_running}/cancel",
            "/api/v1/jobs",
            "/api/v1/queues",
            f"/api/v1/jobs/{jobs.shop_ended}",
            f"/api/v1/jobs/{jobs.shop_ended}/log",
            f"/api/v1/jobs/{jobs.shop_ended}/result",
        ):
            answer = nora.get(path)
            assert answer.status_code == 403, path
            assert "cannot" in answer.text
            assert "shop.jobs" not in answer.text
        for path in (
            f"/jobs/{jobs.shop_running}/cancel",
            f"/jobs/{jobs.shop_ended}/rerun",
            f"/api/v1/jobs/{jobs.mill_running}/cancel",
        ):
            assert nora.post(path).status_code == 403, path


def test_whose_sign_in_cannot_be_used_can_come_as_somebody_else(visits: Visits, door: FrontDoor, jobs: Jobs) -> None:
    visits.expected = "401"
    page = visits.open("/jobs")
    sign_in(page, door, "mallory", "system:masters")
    expect(page.get_by_role("heading", name="Your sign-in cannot be used")).to_be_visible()
    expect(page.get_by_text("begins with 'system:'")).to_be_visible()
    page.get_by_role("link", name="Sign out").click()
    page.get_by_role("main").get_by_role("link", name="Sign in").click()
    sign_in(page, door, "vera", READERS)
    expect(row(page, jobs.shop_ended)).to_be_visible()


@pytest.mark.parametrize(
    ("group", "status"),
    [
        pytest.param("system:masters", 401, id="a group of Kubernetes"),
        pytest.param("system:authenticated", 401, id="another"),
        pytest.param("bgjobs:trial", 401, id="one of ours"),
        pytest.param("masters", 403, id="the rest of one of Kubernetes"),
        pytest.param("oidc:millers", 403, id="the prefix of another"),
    ],
)
def test_a_group_that_is_not_the_providers_to_give(door: FrontDoor, jobs: Jobs, group: str, status: int) -> None:
    cookie, _ = by_steps(door, "mallory", group)
    with with_cookie(door, cookie) as mallory:
        for path in ("/jobs", f"/jobs/{jobs.mill_ended}", "/api/v1/jobs", f"/api/v1/jobs/{jobs.mill_ended}"):
            answer = mallory.get(path)
            assert answer.status_code == status, path
            assert "shop.jobs" not in answer.text
        assert mallory.post(f"/api/v1/jobs/{jobs.mill_running}/cancel").status_code == status


@pytest.mark.parametrize("name", ["system:serviceaccount:shop:shop-web", "system:admin", "bgjobs:trial"])
def test_a_name_that_is_not_the_providers_to_give(door: FrontDoor, name: str) -> None:
    cookie, _ = by_steps(door, name, "millers")
    with with_cookie(door, cookie) as mallory:
        assert mallory.get("/api/v1/jobs").status_code == 401
