"""A batch as the clients hold it: what they ask for, and what they make of the answers."""

from __future__ import annotations

import asyncio
import json
import pickle
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from bgjobs import AsyncJobClient, Call, EnqueueManyError, InvalidJobError, JobClient, NotFoundError, new_job_id
from bgjobs.client.request import build_request
from bgjobs.vocabulary import TERMINAL, State
from tests.unit.client.conftest import URL, job, problem

if TYPE_CHECKING:
    from bgjobs.batches import BatchCancelled

TARGET = "shop.jobs.Mail"


class Api(httpx2.BaseTransport, httpx2.AsyncBaseTransport):
    """Keeps jobs and batches by the rules of a server. Each question about a batch ends one more of its jobs."""

    def __init__(self) -> None:
        self.jobs: dict[str, dict[str, Any]] = {}
        self.closed: list[str] = []
        self.asked: list[str] = []
        self.fails_at: int | None = None
        self.ends = "succeeded"

    def there(self, job_id: str, batch: str | None) -> None:
        """A job that had been asked for before."""
        self.jobs[job_id] = {"id": job_id, "batch": batch, "state": "queued"}

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path.removeprefix("/api/v1/")
        self.asked.append(f"{request.method} {path}")
        if path == "jobs:batch":
            return self._take(json.loads(request.content))
        if path == "jobs":
            return self._page(dict(request.url.params))
        if path.startswith("jobs/"):
            return httpx2.Response(200, json=job(id=path.partition("/")[2], state="succeeded"))
        if path == "batches":
            return self._list(dict(request.url.params))
        _, batch, *verb = path.split("/")
        if batch not in {one["batch"] for one in self.jobs.values()}:
            return problem(404, "there is no such batch", code="batch_not_found")
        return self._batch(batch, verb, json.loads(request.content) if request.content else {})

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        return self.handle_request(request)

    def _take(self, body: dict[str, Any]) -> httpx2.Response:
        if self.fails_at is not None and len(self.jobs) >= self.fails_at:
            return problem(422, "not approved", index=0)
        items: list[dict[str, Any]] = []
        for one in body["jobs"]:
            is_new = one["id"] not in self.jobs
            kept = self.jobs.setdefault(one["id"], {"id": one["id"], "batch": one["batch"], "state": "queued"})
            items.append({**kept, "is_new": is_new})
        self.closed += body.get("close", [])
        return httpx2.Response(201, json={"items": items})

    def _page(self, query: dict[str, str]) -> httpx2.Response:
        found = [one for one in self.jobs.values() if one["batch"] == query["batch"]]
        start = int(query.get("cursor", 0))
        items = [job(id=one["id"], state=one["state"]) for one in found[start : start + 2]]
        more = str(start + 2) if len(found) > start + 2 else None
        return httpx2.Response(200, json={"items": items, "next_cursor": more})

    def _list(self, query: dict[str, str]) -> httpx2.Response:
        ids = list(dict.fromkeys(one["batch"] for one in self.jobs.values()))[::-1]
        start, size = int(query.get("cursor", 0)), int(query.get("limit", 50))
        mine = [[job for job in self.jobs.values() if job["batch"] == one] for one in ids[start : start + size]]
        more = str(start + size) if len(ids) > start + size else None
        return httpx2.Response(
            200, json={"items": [self.shown(one[0]["batch"], one) for one in mine], "next_cursor": more}
        )

    def _batch(self, batch: str, verb: list[str], body: dict[str, Any]) -> httpx2.Response:
        mine = [one for one in self.jobs.values() if one["batch"] == batch]
        going = [one for one in mine if one["state"] not in TERMINAL]
        if verb == ["cancel"]:
            part = [one for one in mine if one["id"] > body.get("after", "")][:2]
            for one in part:
                one["state"] = "cancelled"
            more = part[-1]["id"] if part and part[-1] != mine[-1] else None
            shown = self.shown(batch, mine)
            return httpx2.Response(
                202, json={"batch": shown, "cancelled": len(part), "stopping": 0, "next_after": more}
            )
        if verb == ["close"]:
            self.closed.append(batch)
        elif going:
            going[0]["state"] = self.ends
        return httpx2.Response(200, json=self.shown(batch, mine))

    def shown(self, batch: str, mine: list[dict[str, Any]]) -> dict[str, Any]:
        counts = {state.value: sum(one["state"] == state for one in mine) for state in State}
        has_ended = batch in self.closed and all(one["state"] in TERMINAL for one in mine)
        state = "open" if batch not in self.closed else "running"
        if has_ended:
            state = "succeeded" if counts["succeeded"] == len(mine) else "failed"
        at = "2026-11-24T10:00:00Z"
        return {
            "id": batch, "namespace": "shop", "state": state, "jobs": len(mine), "counts": counts, "created_at": at,
            "created_by": "web", "latest_at": at, "closed_at": at, "ended_at": at if has_ended else None,
        }  # fmt: skip


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def client(api: Api) -> JobClient:
    return JobClient(URL, transport=api, environ={}, sleep=lambda _: None)


def calls(number: int, **options: Any) -> list[Call]:
    return [Call(TARGET, "send", [index], **options) for index in range(number)]


def test_all_jobs_are_of_one_batch_which_is_closed_with_the_last(client: JobClient, api: Api) -> None:
    batch = client.enqueue_many(calls(1001))
    assert [one.id for one in batch] == list(api.jobs)
    assert {one["batch"] for one in api.jobs.values()} == {batch.id}
    assert api.closed == [batch.id]
    assert api.asked == ["POST jobs:batch"] * 2
    assert (batch[0].id, [one.id for one in batch[-2:]]) == (next(iter(api.jobs)), [*api.jobs][-2:])
    assert repr(batch) == f"<EnqueuedBatch {batch.id} of 1,001 jobs>"


def test_it_is_counted_and_waited_for(client: JobClient) -> None:
    batch = client.enqueue_many(calls(3))
    assert batch.counts()[State.QUEUED] == 2
    assert batch.counts()["succeeded"] == 2  # pyright: ignore[reportArgumentType] - a state is its word
    ended = batch.wait(timeout=100)
    assert (ended.state, ended.jobs, ended.ended) == ("succeeded", 3, 3)
    assert client.batch(batch.id).refresh() == ended


def test_batches_are_listed_page_by_page(client: JobClient) -> None:
    made = [client.enqueue_many(calls(1)).id for _ in range(3)]
    first = client.list_batches(limit=2)
    assert [one.id for one in first.items] == [made[2], made[1]]
    rest = client.list_batches("shop", limit=2, cursor=first.next_cursor)
    assert ([one.id for one in rest.items], rest.next_cursor) == ([made[0]], None)


async def test_the_async_client_lists_them_too(api: Api) -> None:
    async with AsyncJobClient(URL, transport=api, environ={}) as client:
        batch = await client.enqueue_many(calls(1))
        (found,) = (await client.list_batches("shop", limit=1)).items
        assert found.id == batch.id


def test_who_waits_for_too_long_is_told_how_far_it_is(api: Api) -> None:
    now = [0.0]
    client = JobClient(URL, transport=api, environ={}, sleep=lambda _: now.__setitem__(0, now[0] + 30))
    handle = client.batch(client.enqueue_many(calls(5)).id)
    handle._clock = lambda: now[0]  # pyright: ignore[reportPrivateUsage] - time passes in the test alone
    with pytest.raises(TimeoutError, match=rf"of batch {handle.id} 3 of 5 jobs have ended after 60 s"):
        handle.wait(timeout=60)


def test_it_is_cancelled_part_by_part_with_progress(client: JobClient, api: Api) -> None:
    batch = client.enqueue_many(calls(5))
    seen: list[int] = []

    def told(part: BatchCancelled) -> None:
        seen.append(part.cancelled)

    assert batch.cancel("wrong list", told).state == "failed"
    assert seen == [2, 2, 1]
    assert {one["state"] for one in api.jobs.values()} == {"cancelled"}


def test_its_jobs_are_read_page_by_page(client: JobClient, api: Api) -> None:
    batch = client.enqueue_many(calls(5))
    assert [one.id for one in client.batch(batch.id).jobs()] == list(api.jobs)
    assert api.asked[-3:] == ["GET jobs"] * 3


def test_one_that_was_left_open_is_closed(client: JobClient, api: Api) -> None:
    api.fails_at = 1000
    with pytest.raises(EnqueueManyError) as raised:
        client.enqueue_many(calls(1500))
    error = raised.value
    assert error.batch is not None
    assert api.closed == []
    api.fails_at = None
    client.send_many(error.rest)
    assert {one["batch"] for one in api.jobs.values()} == {error.batch}
    assert api.closed == [error.batch]
    client.batch(error.batch).close()
    assert api.closed == [error.batch] * 2
    with pytest.raises(NotFoundError):
        client.batch(new_job_id()).refresh()


def test_jobs_that_were_there_before_are_waited_for_too(client: JobClient, api: Api) -> None:
    other, alone, in_other = new_job_id(), new_job_id(), new_job_id()
    api.there(alone, None)
    api.there(in_other, other)
    api.closed.append(other)
    batch = client.enqueue_many([*calls(1), Call(TARGET, "send", id=alone), Call(TARGET, "send", id=in_other)])
    assert batch.parent_ids == (batch.id, other, alone)
    assert batch.counts()[State.QUEUED] == 0
    assert batch.wait().jobs == 2
    assert api.asked[-1] == f"GET jobs/{alone}"
    batch.cancel()
    assert api.jobs[in_other]["state"] == "succeeded", "it is not ours"


def test_asking_for_the_same_jobs_again_finds_their_batch(client: JobClient) -> None:
    some = [Call(TARGET, "send", id=new_job_id()) for _ in range(3)]
    first = client.enqueue_many(some)
    again = client.enqueue_many(some)
    assert (again.id, again.parent_ids) == (first.id, (first.id,))


def test_a_job_needs_it_as_a_whole(client: JobClient) -> None:
    batch = client.enqueue_many(calls(150))
    for needs in ([batch], batch, [client.batch(batch.id)], [batch.id]):
        assert build_request(TARGET, "collect", needs=needs).needs == [batch.id]
    job_id = new_job_id()
    assert build_request(TARGET, "collect", needs=[job_id, batch, batch.id]).needs == [job_id, batch.id]
    assert build_request(TARGET, "collect", needs=[client.enqueue_many([])]).needs == []
    with pytest.raises(InvalidJobError, match="neither the id"):
        build_request(TARGET, "collect", needs=[object()])  # pyright: ignore[reportArgumentType]


def test_a_batch_is_of_one_namespace(client: JobClient, api: Api) -> None:
    client.enqueue_many([*calls(2, namespace="shop"), *calls(1, namespace="mail")])
    assert len({one["batch"] for one in api.jobs.values()}) == 2
    assert len(api.closed) == 2


def test_each_is_closed_in_the_piece_with_its_last_job(client: JobClient, api: Api) -> None:
    batch = client.enqueue_many([*calls(1, namespace="mail"), *calls(1500, namespace="shop")])
    assert len(set(api.closed)) == 2
    assert batch.refresh().jobs == 1501


def test_it_can_be_pickled(client: JobClient) -> None:
    batch = client.enqueue_many(calls(2))
    again = pickle.loads(pickle.dumps(batch))
    assert (again.id, [one.id for one in again]) == (batch.id, [one.id for one in batch])


async def test_the_async_client_does_the_same(api: Api) -> None:
    async def no_sleep(_: float) -> None:
        await asyncio.sleep(0)

    async with AsyncJobClient(URL, transport=api, environ={}, sleep=no_sleep) as client:
        batch = await client.enqueue_many(calls(3))
        assert (len(batch), batch[0].id, [one.id for one in batch[1:]]) == (3, next(iter(api.jobs)), [*api.jobs][1:])
        assert (await batch.counts())[State.QUEUED] == 2
        assert (await batch.wait(timeout=100)).state == "succeeded"
        handle = client.batch(batch.id)
        assert [one.id async for one in handle.jobs()] == [one.id for one in batch]
        assert build_request(TARGET, "collect", needs=[batch]).needs == [batch.id]
        other = await client.enqueue_many(calls(3))
        seen: list[int] = []
        assert (await other.cancel(told=lambda part: seen.append(part.cancelled))).state == "failed"
        assert seen == [2, 1]
        assert (await handle.close()).id == batch.id
        assert (await (await client.enqueue_many([])).wait()).jobs == 0
        await (await client.enqueue_many([])).cancel()
