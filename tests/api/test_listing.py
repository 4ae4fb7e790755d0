"""GET /api/v1/jobs and /api/v1/queues."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bgjobs.ids import new_job_id
from bgjobs.wire import JobList, QueueList
from bgjobs_core.actions import listing

if TYPE_CHECKING:
    from tests.api.world import World


async def ids(world: World, **query: Any) -> list[str]:
    return [job["id"] for job in (await world.get("/api/v1/jobs", **query)).json()["items"]]


async def all_pages(world: World, **query: Any) -> list[list[str]]:
    pages: list[list[str]] = []
    cursor: str | None = None
    while True:
        asked = query if cursor is None else {**query, "cursor": cursor}
        page = JobList.model_validate_json((await world.get("/api/v1/jobs", **asked)).content)
        pages.append([job.id for job in page.items])
        cursor = page.next_cursor
        if cursor is None:
            return pages


async def test_the_latest_changed_comes_first(world: World) -> None:
    first, second, third = [await world.enqueued() for _ in range(3)]
    await world.call("POST", f"/api/v1/jobs/{first}/cancel")
    assert sorted(await ids(world)) == sorted([first, second, third])
    records = [await world.there(one) for one in await ids(world)]
    assert [(one.changed_at, one.id) for one in records] == sorted(
        ((one.changed_at, one.id) for one in records), reverse=True
    )


@pytest.mark.parametrize(("limit", "sizes"), [(1, [1] * 7), (2, [2, 2, 2, 1]), (7, [7]), (200, [7])])
async def test_pages_join_without_gap_or_repeat(world: World, limit: int, sizes: list[int]) -> None:
    """Over two namespaces, with jobs that changed in the same millisecond."""
    await world.put_queue("mail/default")
    made = [await world.enqueued(namespace=("shop", "mail")[number % 2]) for number in range(7)]
    pages = await all_pages(world, limit=limit)
    assert [len(page) for page in pages] == sizes
    joined = [one for page in pages for one in page]
    assert sorted(joined) == sorted(made)


async def test_filters(world: World) -> None:
    await world.put_queue("shop/mail")
    plain = await world.enqueued()
    mail = await world.enqueued(queue="mail")
    later = await world.enqueued(queue="mail", delay_seconds=60)
    other = await world.enqueued(**{"class": "shop.jobs.Other"})
    assert await ids(world, state="scheduled") == [later]
    assert set(await ids(world, queue="mail")) == {mail, later}
    assert await ids(world, queue="mail", state="queued") == [mail]
    assert await ids(world, queue="default", state="scheduled") == []
    assert await ids(world, **{"class": "shop.jobs.Other"}) == [other]
    assert await ids(world, queue="mail", **{"class": "shop.jobs.Other"}) == []
    assert set(await ids(world, state="queued")) == {plain, mail, other}
    assert await ids(world, namespace="mail") == []


async def test_a_rare_class_is_found_among_many_jobs_on_one_full_page(world: World) -> None:
    rare = await world.enqueued(**{"class": "shop.jobs.Rare"})
    for _ in range(9):
        await world.enqueued()
    rarer = await world.enqueued(**{"class": "shop.jobs.Rare"})
    assert await all_pages(world, **{"class": "shop.jobs.Rare"}) == [[rarer, rare]]


async def test_a_page_has_a_bounded_number_of_bytes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "MAX_PAGE_BYTES", 2500)
    small = await world.enqueued()
    made = [await world.enqueued(parameters=["x" * 1000]) for _ in range(5)]
    large = await world.enqueued(parameters=["x" * 5000])
    pages = await all_pages(world)
    assert sorted(one for page in pages for one in page) == sorted([small, *made, large])
    assert max(len(page) for page in pages) <= 3
    assert len(pages) <= 5


async def test_many_jobs_come_in_order(world: World) -> None:
    """More than are read at once."""
    made = [await world.enqueued() for _ in range(45)]
    (page,) = await all_pages(world, limit=200)
    records = [await world.there(one) for one in page]
    assert sorted(page) == sorted(made)
    assert page == [one.id for one in sorted(records, key=lambda one: (one.changed_at, one.id), reverse=True)]


async def test_without_a_namespace_it_is_all_that_the_caller_may_list(world: World) -> None:
    await world.put_queue("mail/default")
    shop, mail = await world.enqueued(), await world.enqueued(namespace="mail")
    assert set(await ids(world)) == {shop, mail}
    world.access.deny("list", "backgroundjobrequests")  # not everywhere, but in each
    assert set(await ids(world)) == {shop, mail}
    world.access.deny("list", "backgroundjobrequests", "mail")
    assert await ids(world) == [shop]
    assert await ids(world, namespace="shop") == [shop]
    assert (await world.get("/api/v1/jobs", namespace="mail")).status_code == 403
    response = await world.get("/api/v1/jobs", namespace=["shop", "mail"])
    assert response.status_code == 403
    assert "'mail'" in response.json()["detail"]
    world.access.deny("list", "backgroundjobrequests", "shop")
    response = await world.get("/api/v1/jobs")
    assert response.status_code == 403
    assert "kubectl auth can-i list backgroundjobrequests.bgjobs.dev" in response.json()["detail"]


async def test_namespaces_may_be_repeated(world: World) -> None:
    await world.put_queue("mail/default")
    shop, mail = await world.enqueued(), await world.enqueued(namespace="mail")
    assert set(await ids(world, namespace=["shop", "mail"])) == {shop, mail}
    assert set(await ids(world, namespace=["shop", "shop"])) == {shop}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        pytest.param({"limit": 0}, "limit", id="limit-0"),
        pytest.param({"limit": 201}, "limit", id="limit-201"),
        pytest.param({"limit": "x"}, "limit", id="limit-x"),
        pytest.param({"state": "running"}, "state", id="state"),
        pytest.param({"namespace": "A B"}, "namespace[0]", id="namespace"),
        pytest.param({"queue": "*"}, "queue", id="queue"),
        pytest.param({"namespce": "shop"}, "namespce", id="misspelt"),
        pytest.param({"cls": "x"}, "cls", id="class-by-its-python-name"),
        pytest.param({"cursor": "x"}, "cursor", id="cursor"),
        pytest.param({"cursor": "MTIzLmFiYw"}, "cursor", id="cursor-without-an-id"),
        pytest.param({"cursor": "é"}, "cursor", id="cursor-not-ascii"),
        pytest.param({"cursor": ""}, "cursor", id="empty-cursor"),
    ],
)
async def test_a_wrong_query_is_named(world: World, query: dict[str, Any], field: str) -> None:
    response = await world.get("/api/v1/jobs", **query)
    assert (response.status_code, [error["field"] for error in response.json()["errors"]]) == (422, [field])


def test_cursors_come_back_as_they_were() -> None:
    row = (1_795_000_000_123, new_job_id())
    assert listing.read_cursor(listing.write_cursor(row)) == row


async def test_queues_with_their_load(world: World) -> None:
    await world.put_queue("shop/mail", paused=True, max_concurrent=3)
    await world.put_queue("mail/default")
    await world.put_queue("elsewhere/default")
    await world.launched()
    await world.enqueued()
    await world.enqueued(priority=1)
    queues = QueueList.model_validate_json((await world.get("/api/v1/queues")).content).items
    assert [(one.namespace, one.name, one.paused, one.max_concurrent, one.owned, one.queued) for one in queues] == [
        ("mail", "default", False, 10, 0, 0),
        ("shop", "default", False, 10, 1, 2),
        ("shop", "mail", True, 3, 0, 0),
    ]


async def test_queues_need_a_right_of_their_own(world: World) -> None:
    await world.put_queue("mail/default")
    world.access.deny("list", "backgroundjobqueues", "mail")
    assert [one["namespace"] for one in (await world.get("/api/v1/queues")).json()["items"]] == ["shop"]
    assert (await world.get("/api/v1/queues", namespace="mail")).status_code == 403
    world.access.deny("list", "backgroundjobqueues", "shop")
    response = await world.get("/api/v1/queues")
    assert response.status_code == 403
    assert "cannot list backgroundjobqueues" in response.json()["detail"]
