"""The pages name what is held by what it is, and whoever may do so releases it there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bgjobs.ids import new_job_id
from bgjobs_api.pages.shared.holds import MOST

if TYPE_CHECKING:
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


async def test_odd_ways_in(site: Site) -> None:
    hold_id = new_job_id()
    assert (await site.get(f"/holds/shop/{hold_id}/release")).headers["Location"] == f"/jobs?ns=shop#hold-{hold_id}"
    assert (await site.get("/holds/shop/nonsense/release")).headers["Location"] == "/jobs?ns=shop"
    assert (await site.post("/holds/shop/nonsense/release", to="elsewhere")).headers["Location"] == "/jobs?ns=shop"
    assert (await site.post("/holds/elsewhere/nonsense/release")).status_code == 422
    assert (await site.post(f"/holds/shop/{hold_id}/release", more="x")).status_code == 422
