"""Keys alone, small screens, both themes, and what axe-core knows."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Any, Literal

import pytest
from playwright.sync_api import expect

from bgjobs import Call
from tests.local.dev_server import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import Start
    from tests.browser.visit import Visits
    from tests.local.dev_server import Dev

PAGES = (
    "list", "no match", "empty", "running", "failed", "waiting", "cancel", "suspend", "queues", "schedules", "schedule",
    "batches", "not found",
)  # fmt: skip
SCHEDULE = "a-schedule-with-a-name-that-is-rather-long"
GROUNDS: dict[Literal["light", "dark"], str] = {"light": "rgb(244, 245, 247)", "dark": "rgb(11, 14, 18)"}


@pytest.fixture
def paths(start: Start, shelf: list[str], dev: Dev) -> dict[str, str]:
    """Each kind of page, with something on it."""
    wait_until("the schedule is known", lambda: [one.name for one in dev.client.schedules("shop")] == [SCHEDULE])
    dev.client.run_schedule(SCHEDULE, "shop").wait(timeout=120, poll=0.05)
    dev.client.enqueue_many([Call("shop.jobs.Invoices", "render", [2026, n]) for n in (1, 2)], namespace="shop")
    running = start("print a line", "complain another", "progress 1 3 parts with a message that is rather long")
    failed = start("print " + "a-very-long-word" * 40, "fail " + "no-way-" * 60, max_retries=0)
    failed.handle.wait(timeout=120, poll=0.05)
    next(running.handle.logs(follow=True))
    return {
        "list": "/jobs",
        "no match": "/jobs?ns=shelf&state=failed",
        "empty": "/jobs?ns=quiet",
        "running": running.path,
        "failed": failed.path,
        "waiting": f"/jobs/{shelf[0]}",
        "cancel": f"{running.path}/cancel",
        "suspend": f"{running.path}/suspend",
        "queues": "/queues",
        "schedules": "/schedules",
        "schedule": f"/schedules/shop/{SCHEDULE}",
        "batches": "/batches",
        "not found": "/jobs/0197f000-0000-7000-8000-000000000000",
    }


def focused(page: Page) -> str:
    """Where the focus is: words that tell it."""
    return page.evaluate(
        """() => {
            const found = document.activeElement;
            const place = found.closest("nav[aria-label], header.top, form, tbody, main");
            const name = place?.getAttribute("aria-label") ?? place?.className ?? "";
            return `${place?.localName ?? "body"} ${name}: ${found.textContent.trim() || found.id}`;
        }"""
    )


def test_keys_alone(visits: Visits, shelf: list[str]) -> None:
    page = visits.open("/jobs?ns=shelf")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    expect(page.get_by_role("link", name="Skip to content")).to_be_in_viewport()
    stops: list[str] = []
    while not stops or not stops[-1].startswith("tbody"):
        page.keyboard.press("Tab")
        stops.append(focused(page))
        assert len(stops) < 60, stops
        # What has the focus is seen.
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none" or stops[-1].endswith(
            "class"
        )
    kinds = [stop.split(":")[0] for stop in stops]
    order = ["header top", "nav Main", "nav Filters", "form bar", "tbody "]
    assert list(dict.fromkeys(kinds)) == order, stops
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{visits.url}/jobs/{shelf[0]}")


def test_the_skip_link_skips(visits: Visits, shelf: list[str]) -> None:
    page = visits.open("/jobs?ns=shelf")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert focused(page).startswith("form bar")


def test_a_list_that_is_gone_through_by_keys_waits(visits: Visits, start: Start) -> None:
    old = start()
    page = visits.open("/jobs?ns=shop")
    page.locator(old.row).get_by_role("link").focus()
    new = start()
    expect(page.locator("#live-state")).to_have_text("Waits while you read")
    expect(page.locator(new.row)).to_have_count(0)
    expect(page.locator(old.row).get_by_role("link")).to_be_focused()


def test_cancel_by_keys(visits: Visits, start: Start) -> None:
    puppet = start(max_retries=0)
    page = visits.open(puppet.path)
    page.get_by_role("link", name="Cancel").first.focus()
    page.keyboard.press("Enter")
    page.get_by_label("Note for others").focus()
    page.keyboard.type("by keys")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Keep it")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert puppet.handle.wait(timeout=120, poll=0.05).state == "cancelled"


@pytest.mark.parametrize("width", [390, 800, 1280])
def test_nothing_scrolls_sideways(visits: Visits, paths: dict[str, str], width: int) -> None:
    visits.expected = "404"
    assert set(paths) == set(PAGES)
    for name, path in paths.items():
        page = visits.open(path, viewport={"width": width, "height": 844})
        expect(page.locator("main")).to_be_visible()
        wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wider == 0, (name, _widest(page))
        page.context.close()


def test_every_width_has_room_for_the_job(visits: Visits, shelf: list[str]) -> None:
    page = visits.open("/jobs?ns=shelf")
    for width in range(320, 1640, 40):
        page.set_viewport_size({"width": width, "height": 844})
        cut: list[str] = page.evaluate(
            """() => {
                const box = document.querySelector(".table-box").getBoundingClientRect();
                const shown = [...document.querySelectorAll(".grid.jobs tr:has(td):first-of-type > td")]
                    .filter(cell => cell.checkVisibility());
                const name = document.querySelector("td.c-job").getBoundingClientRect();
                return [...(name.width < 120 ? [`the job has ${name.width} px`] : []),
                    ...shown.filter(cell => cell.getBoundingClientRect().right > box.right + 1)
                        .map(cell => `${cell.className} sticks out`)];
            }"""
        )
        assert cut == [], width
    assert shelf


def _widest(page: Page) -> list[str]:
    """What sticks out."""
    return page.evaluate(
        """() => [...document.querySelectorAll("body *")]
            .filter(one => one.getBoundingClientRect().right > innerWidth + 1)
            .map(one => `${one.localName}.${one.className}`).slice(0, 9)"""
    )


def test_axe_finds_nothing_in_either_theme(visits: Visits, paths: dict[str, str]) -> None:
    visits.expected = "404"
    axe = (resources.files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
    found: list[str] = []
    for name, path in paths.items():
        page = visits.open(path)
        page.evaluate(axe)
        for theme, ground in GROUNDS.items():
            page.emulate_media(color_scheme=theme)
            assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == ground
            result: dict[str, Any] = page.evaluate("axe.run({resultTypes: ['violations']})")
            found += [
                f"{name}, {theme}: {one['impact']} {one['id']}: {node['html'][:200]}"
                for one in result["violations"]
                for node in one["nodes"]
            ]
        page.context.close()
    assert not found, "\n".join(found)


def test_touch_targets(visits: Visits, paths: dict[str, str]) -> None:
    page = visits.open(paths["running"], viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    for name in ("Cancel", "Run again"):
        button = page.locator(".actions-bar").get_by_text(name)
        expect(button).to_be_visible()
        box = button.bounding_box()
        assert box is not None
        assert box["height"] >= 44
