"""The page of batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgjobs.ids import new_job_id
from bgjobs_api.pages.batches.routes import PAGE_ROWS

if TYPE_CHECKING:
    from tests.api.pages.site import Site


async def a_batch(site: Site, count: int = 1, namespace: str = "shop", *, closed: bool = True) -> str:
    """A batch of so many jobs."""
    batch = new_job_id()
    for _ in range(count):
        await site.world.enqueued(batch=batch, namespace=namespace)
    if closed:
        assert (await site.world.call("POST", f"/api/v1/batches/{batch}/close")).status_code == 202
    return batch


async def test_each_has_its_counts_which_lead_to_its_jobs(site: Site) -> None:
    batch = await a_batch(site, 3)
    (first, *_) = await site.world.store.batch_ids(batch, "", 10)
    await site.world.call("POST", f"/api/v1/jobs/{first}/cancel")

    page = await site.page("/batches")

    assert f"/jobs?batch={batch}" in page.links
    assert f"/jobs?state=queued&batch={batch}" in page.links
    assert f"/jobs?state=cancelled&batch={batch}" in page.links
    assert "2 queued" in page.text
    assert "1 cancelled" in page.text
    assert "1 of 3" in page.text
    assert "by shop/web" in page.text
    assert (await site.page(f"/jobs?state=cancelled&batch={batch}")).rows == [first]


async def test_how_each_stands(site: Site) -> None:
    await a_batch(site, closed=False)
    assert "Open more jobs may come, the latest came" in (await site.page("/batches")).text
    batch = await a_batch(site, namespace="shop")
    assert "Running" in (await site.page("/batches")).text
    await site.world.call("POST", f"/api/v1/batches/{batch}/cancel")
    assert "Failed" in (await site.page("/batches")).text


async def test_they_come_in_pages_the_newest_first(site: Site) -> None:
    made = [await a_batch(site) for _ in range(PAGE_ROWS + 2)]
    page = await site.page("/batches?ns=shop")
    assert "25 batches on this page" in page.text
    (older,) = [link for link in page.links if "cursor=" in link]
    assert "ns=shop" in older
    rest = await site.page(older)
    shown = {one["id"].removeprefix("batch-") for one in page.all("tr") + rest.all("tr") if "id" in one}
    assert shown == set(made)
    assert "/batches?ns=shop" in rest.links
    assert "2 batches on this page" in rest.text


async def test_who_may_see_them(site: Site) -> None:
    await site.world.put_queue("mail/default")
    shop, mail = await a_batch(site), await a_batch(site, namespace="mail")
    both = (await site.page("/batches")).text
    assert shop in both
    assert mail in both
    site.world.access.deny("list", "backgroundjobrequests", "mail")
    assert mail not in (await site.page("/batches")).text
    assert (await site.get("/batches?ns=mail")).status_code == 403


async def test_there_is_none(site: Site) -> None:
    assert "No batch in shop, mail" in (await site.page("/batches")).text
    assert (await site.get("/batches?cursor=x")).status_code == 422
    assert (await site.get("/batches?state=x")).status_code == 422


async def test_the_live_part_comes_alone(site: Site) -> None:
    batch = await a_batch(site)
    response = await site.fragment("/batches")
    assert response.text.lstrip().startswith("<main")
    assert batch in response.text


async def test_a_choice_of_namespaces_goes_with_the_tabs(site: Site) -> None:
    await a_batch(site)
    for path in ("/batches", "/schedules", "/jobs", "/queues"):
        links = (await site.page(f"{path}?ns=shop")).links
        assert {"/queues?ns=shop", "/schedules?ns=shop", "/batches?ns=shop"} <= set(links), path
