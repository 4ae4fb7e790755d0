"""The list page with further filters: tokens, what is typed into the search field, and numbers that follow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.api.pages.test_jobs_page import facet

if TYPE_CHECKING:
    from tests.api.pages.site import Site


async def test_numbers_follow_outcome_and_time(site: Site) -> None:
    world = site.world
    pod = await world.running()
    await pod.call("finish", attempt=1, outcome="aborted", exit_code=1, error={"type": "Abort", "message": "no"})
    await world.enqueued()
    page = await site.page("/jobs?outcome=aborted")
    assert page.rows == [pod.job_id]
    assert (facet(page, "All jobs"), facet(page, "Failed")) == ("1", "1")
    assert "1 job on this page, 1 in all" in page.text
    page = await site.page("/jobs?since=1h")
    assert (len(page.rows), facet(page, "All jobs")) == (2, "2")
    page = await site.page("/jobs?until=1h")
    assert "No job matches" in page.text
    assert facet(page, "All jobs") == "0"


async def test_no_number_is_shown_where_jobs_are_read(site: Site) -> None:
    billing = await site.world.enqueued(labels={"team": "billing"})
    await site.world.enqueued()
    page = await site.page("/jobs?label=team%3Dbilling")
    assert page.rows == [billing]
    assert "in all" not in page.text
    assert "label team=billing" in page.text
    assert "/jobs" in page.links
    assert (await site.page("/jobs?who=web&request=november")).rows == []


async def test_filters_can_be_typed(site: Site) -> None:
    response = await site.get("/jobs?class=outcome:error%20who:ada%20shop.jobs.Mail&queue=default")
    assert response.headers["Location"] == "/jobs?queue=default&class=shop.jobs.Mail&outcome=error&who=ada"
    response = await site.get("/jobs?class=label:team%3Dbilling&ns=shop")
    assert response.headers["Location"] == "/jobs?ns=shop&label=team%3Dbilling"
    assert (await site.get("/jobs?class=outcome:bad")).status_code == 422
    assert (await site.get("/jobs?since=yesterday")).status_code == 422
    assert (await site.get("/jobs?label=%3D")).status_code == 422
