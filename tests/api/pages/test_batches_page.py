"""A batch on the pages: the list with a filter, and what the page of a job says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgjobs.ids import new_job_id

if TYPE_CHECKING:
    from tests.api.pages.site import Site


async def a_batch(site: Site, count: int) -> tuple[str, list[str]]:
    """A closed batch, and its jobs."""
    batch = new_job_id()
    ids = [await site.world.enqueued(batch=batch) for _ in range(count)]
    assert (await site.world.call("POST", f"/api/v1/batches/{batch}/close")).status_code == 202
    return batch, ids


async def test_the_list_shows_the_jobs_of_a_batch_with_its_counts(site: Site) -> None:
    batch, ids = await a_batch(site, 30)
    await site.world.enqueued()
    await site.world.call("POST", f"/api/v1/jobs/{ids[2]}/cancel")

    first = await site.page(f"/jobs?batch={batch}")

    assert first.rows == ids[:25]
    assert "All jobs 30" in first.text
    assert f"batch {batch}" in first.text
    (older,) = [link for link in first.links if "cursor=" in link]
    assert f"batch={batch}" in older
    assert (await site.page(older)).rows == ids[25:]
    assert (await site.page(f"/jobs?batch={batch}&state=cancelled")).rows == [ids[2]]
    assert "No job matches" in (await site.page(f"/jobs?batch={batch}&state=failed")).text


async def test_pages_of_jobs_lead_to_their_batches(site: Site) -> None:
    batch, ids = await a_batch(site, 2)
    child = await site.world.enqueued(needs=[batch])
    assert f"/jobs?batch={batch}" in (await site.page(f"/jobs/{ids[0]}")).links
    page = await site.page(f"/jobs/{child}")
    assert f"/jobs?batch={batch}" in page.links
    assert f"batch {batch} 0 of 2 jobs have ended" in page.text
    for one in ids:
        await site.world.call("POST", f"/api/v1/jobs/{one}/cancel")
    assert f"batch {batch} Failed" in (await site.page(f"/jobs/{child}")).text


async def test_the_search_takes_the_id_of_a_batch(site: Site) -> None:
    batch, ids = await a_batch(site, 1)
    assert (await site.get(f"/jobs?class={batch}")).headers["Location"] == f"/jobs?batch={batch}"
    assert (await site.get(f"/jobs?class={ids[0]}")).headers["Location"] == f"/jobs/{ids[0]}"


async def test_what_is_not_there_and_what_may_not_be_seen(site: Site) -> None:
    batch, _ = await a_batch(site, 1)
    assert (await site.get(f"/jobs?batch={new_job_id()}")).status_code == 404
    assert (await site.get("/jobs?batch=x")).status_code == 422
    site.world.access.deny("list", "backgroundjobrequests", "shop")
    assert (await site.get(f"/jobs?batch={batch}")).status_code == 403
