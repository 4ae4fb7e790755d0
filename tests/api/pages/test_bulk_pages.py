"""What is done with all jobs that match, on the pages: offered by the list, previewed, begun, watched and stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bgjobs.ids import new_job_id
from bgjobs.vocabulary import BulkVerb
from bgjobs_api.pages.bulk.view import offered
from bgjobs_operator.loops.bulk import Bulk as Loop
from tests.api.world import EPOCH

if TYPE_CHECKING:
    from tests.api.pages.site import Document, Site


async def preview(site: Site, query: str) -> Document:
    return await site.page(f"/bulk/preview?{query}")


def token(page: Document) -> str:
    (found,) = page.all("input", name="token")
    return found["value"]


async def work(site: Site) -> None:
    await site.world.store.lead(EPOCH)
    loop = Loop(site.world.store, EPOCH, ("shop", "mail"))
    while await loop.turn() == 0.0:
        pass


async def test_from_the_list_to_the_end(site: Site) -> None:
    ids = [await site.world.enqueued() for _ in range(3)]
    listed = await site.page("/jobs?ns=shop&state=queued")
    (to,) = [link for link in listed.links if link.startswith("/bulk/preview?verb=cancel")]
    assert to == "/bulk/preview?verb=cancel&ns=shop&state=queued"

    page = await site.page(to)
    assert "Cancel 3 jobs?" in page.text
    assert "Jobs of shop with state queued: 3 queued." in page.text
    assert not page.all("input", name="count")
    later = await site.world.enqueued()
    begun = await site.post("/bulk/start", token=token(page), note="wrong list")
    assert begun.status_code == 303
    where = begun.headers["Location"]
    assert (await site.post("/bulk/start", token=token(page))).headers["Location"] == where

    page = await site.page(where)
    assert "Cancel: 0 of 3 jobs so far" in page.text
    assert "3 are left." in page.text
    assert page.all("form", action=f"{where}/stop")
    await work(site)
    fragment = await site.fragment(where)
    assert "3 of 3 jobs done" in fragment.text
    assert "hx-get" not in fragment.text
    assert "<html" not in fragment.text
    for job_id in ids:
        assert (await site.world.there(job_id)).state == "cancelled"
    assert (await site.world.there(later)).state == "queued"


async def test_it_is_stopped(site: Site) -> None:
    await site.world.enqueued()
    page = await preview(site, "verb=pause&ns=shop")
    where = (await site.post("/bulk/start", token=token(page))).headers["Location"]
    assert (await site.post(f"{where}/stop")).headers["Location"] == where
    page = await site.page(where)
    assert "done, then stopped by system:serviceaccount:shop:web" in page.text
    assert not page.all("form")
    assert (await site.post(f"{where}/stop")).status_code == 303
    assert (await site.get(f"{where}/stop")).headers["Location"] == where
    assert (await site.get("/bulk/start")).headers["Location"] == "/jobs"


async def test_of_100_or_more_the_number_is_typed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bgjobs.bulk.TYPE_IT", 2)
    for _ in range(2):
        await site.world.enqueued()
    page = await preview(site, "verb=cancel&ns=shop")
    assert "Type 2 to go on" in page.text
    for typed in ("", "1", "two"):
        refused = await site.post("/bulk/start", token=token(page), count=typed)
        assert (refused.status_code, "nothing was done" in refused.text) == (422, True)
    assert (await site.post("/bulk/start", token=token(page), count=" 2 ")).status_code == 303


async def test_of_more_than_were_counted_a_word_is_typed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bgjobs_core.actions.bulk.preview.MOST_COUNTED", 0)
    await site.world.enqueued(labels={"a": "b"})
    page = await preview(site, "verb=cancel&ns=shop&label=a%3Db")
    assert "Cancel all jobs that match, at least 0?" in page.text
    assert "Type all to go on" in page.text
    for typed in ("", "0", "1"):
        assert (await site.post("/bulk/start", token=token(page), count=typed)).status_code == 422
    assert (await site.post("/bulk/start", token=token(page), count="All")).status_code == 303


async def test_there_is_nothing_to_do(site: Site) -> None:
    await site.world.enqueued()
    page = await preview(site, "verb=resume&ns=shop")
    assert "No job here can be resumed." in page.text
    assert "Left as they are: 1 is neither paused nor suspended." in page.text
    assert not page.all("button")


@pytest.mark.parametrize(
    ("state", "verbs"),
    [
        (None, ("cancel", "pause", "resume", "rerun")),
        ("queued", ("cancel", "pause")),
        ("scheduled", ("cancel", "pause", "run_now")),
        ("running", ("cancel", "suspend")),
        ("suspended", ("cancel", "resume")),
        ("paused", ("cancel", "resume")),
        ("failed", ("rerun",)),
        ("stopping", ()),
    ],
)
def test_what_the_list_offers(state: str | None, verbs: tuple[str, ...]) -> None:
    assert offered(state) == tuple(BulkVerb(one) for one in verbs)


async def test_what_somebody_may_not_do_is_not_offered_and_refused(site: Site) -> None:
    await site.world.enqueued()
    page = await preview(site, "verb=cancel&ns=shop")
    site.world.access.deny("create", "backgroundjobrequests/cancel", "shop")
    links = (await site.page("/jobs?ns=shop")).links
    assert not [link for link in links if "verb=cancel" in link]
    assert [link for link in links if "verb=pause" in link]
    assert (await site.get("/bulk/preview?verb=cancel&ns=shop")).status_code == 403
    assert (await site.post("/bulk/start", token=token(page))).status_code == 403


async def test_of_several_namespaces_nothing_is_offered(site: Site) -> None:
    await site.world.enqueued()
    assert not [link for link in (await site.page("/jobs")).links if "/bulk/" in link]
    for query in (
        "verb=cancel",
        "verb=cancel&ns=shop&ns=mail",
        "verb=delete&ns=shop",
        "ns=shop",
        "verb=cancel&ns=none",
    ):
        assert (await site.get(f"/bulk/preview?{query}")).status_code == 422, query


async def test_what_is_not_there(site: Site) -> None:
    assert (await site.get(f"/bulk/shop/{new_job_id()}")).status_code == 404
    assert (await site.get(f"/bulk/preview?verb=cancel&ns=shop&batch={new_job_id()}")).status_code == 404
    assert (await site.post("/bulk/start", token="x")).status_code == 422
