"""The pages name what is held by what it is, and whoever may do so releases it there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from bgjobs.ids import new_job_id
from bgjobs_api.pages.shared.holds import MOST, MOST_ASKED
from bgjobs_core.jobs.holds import NewHold

if TYPE_CHECKING:
    from fastapi import FastAPI

    from bgjobs_api.http.deps import Deps
    from tests.api.pages.site import Site


async def _hold(site: Site, **fields: Any) -> str:
    body = {"namespace": "shop", "class": "shop.jobs.Report", "note": "the provider <b>is</b> down"} | fields
    answer = await site.world.call("POST", "/api/v1/holds", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


@pytest.mark.parametrize(("path", "section"), [("/jobs", "jobs"), ("/queues", "queues")])
async def test_a_hold_is_named_and_released_where_people_look(site: Site, path: str, section: str) -> None:
    job_id = await site.world.enqueued()
    hold_id = await _hold(site, labels={"customer": "8841"}, for_seconds=7200)

    page = await site.page(path)
    assert "of shop.jobs.Report with the label customer=8841" in page.text
    assert "the provider <b>is</b> down" in page.text
    assert "for 2 h" in page.text or "for 1 h" in page.text
    assert page.all("input", name="to", value=section)
    (form,) = [one for one in page.all("form", method="post") if hold_id in one["action"]]

    answer = await site.post(form["action"], to=section)

    assert (answer.status_code, answer.headers["Location"]) == (303, f"{path}?ns=shop")
    assert "are held by" not in (await site.page(path)).text
    assert (await site.post(form["action"], to=section)).status_code == 303, "twice does no harm"
    assert job_id


async def test_a_job_on_hold_says_so_in_its_row_and_on_its_page(site: Site) -> None:
    job_id = await site.world.enqueued()
    await _hold(site)

    assert "Queued its class or a label of it is held" in (await site.page("/jobs")).text
    page = await site.page(f"/jobs/{job_id}")
    assert "Not running: its class or a label of it is held" in page.text
    assert "bgjobs hold release" in page.text


async def test_who_may_not_release_it_sees_no_button(site: Site) -> None:
    await site.world.enqueued()
    hold_id = await _hold(site)
    site.world.access.deny("create", "backgroundjobrequests/pause", "shop")

    page = await site.page("/jobs")

    assert "are held by" in page.text
    assert not [one for one in page.all("form", method="post") if hold_id in one["action"]]
    assert (await site.post(f"/holds/shop/{hold_id}/release", to="jobs")).status_code == 403


async def test_who_may_not_list_jobs_sees_no_holds_beside_the_queues(site: Site) -> None:
    await _hold(site)
    site.world.access.deny("list", "backgroundjobrequests", "shop", "mail")

    assert "are held by" not in (await site.page("/queues")).text


async def test_of_many_some_are_named(site: Site) -> None:
    await site.world.enqueued()
    for _ in range(MOST + 2):
        await _hold(site)

    page = await site.page("/jobs?ns=shop")

    assert page.text.count("are held by") == MOST
    assert "2 more holds" in page.text


async def _hold_in_many(site: Site, pages_app: FastAPI, number: int) -> list[str]:
    """The namespaces of jobs, each of which has a hold; the reader may see the queues of all of them."""
    names = [f"team-{one:03}" for one in range(number)]
    for one in names:
        await site.world.store.put_hold(NewHold(new_job_id(), one, "shop.jobs.Report", {}, "ada"))
    deps: Deps = pages_app.state.deps
    pages_app.state.deps = replace(deps, namespaces=tuple(names))
    return names


@pytest.mark.parametrize("hidden", [MOST, MOST_ASKED - 1])
async def test_namespaces_that_the_reader_may_not_see_hide_no_hold_of_another(
    site: Site, pages_app: FastAPI, hidden: int
) -> None:
    *others, last = await _hold_in_many(site, pages_app, hidden + 1)
    site.world.access.deny("list", "backgroundjobrequests", *others)

    page = await site.page("/queues")

    assert page.text.count("are held by ada") == 1
    assert f"in {last} are held by ada" in page.text
    assert "more holds" not in page.text


async def test_of_very_many_namespaces_some_are_asked_for(site: Site, pages_app: FastAPI) -> None:
    names = await _hold_in_many(site, pages_app, MOST_ASKED + 5)
    site.world.access.deny("list", "backgroundjobrequests", *names[:-1])

    page = await site.page("/queues")

    asked = [one for one in site.world.access.asked if one[1:3] == ("list", "backgroundjobrequests")]
    assert len({one[-1] for one in asked} - {""}) == MOST_ASKED
    assert "are held by" not in page.text
    assert "There may be more holds in other namespaces: bgjobs hold list" in page.text


async def test_odd_ways_in(site: Site) -> None:
    hold_id = new_job_id()
    assert (await site.get(f"/holds/shop/{hold_id}/release")).headers["Location"] == f"/jobs?ns=shop#hold-{hold_id}"
    assert (await site.get("/holds/shop/nonsense/release")).headers["Location"] == "/jobs?ns=shop"
    assert (await site.post("/holds/shop/nonsense/release", to="elsewhere")).headers["Location"] == "/jobs?ns=shop"
    assert (await site.post("/holds/elsewhere/nonsense/release")).status_code == 422
    assert (await site.post(f"/holds/shop/{hold_id}/release", more="x")).status_code == 422
