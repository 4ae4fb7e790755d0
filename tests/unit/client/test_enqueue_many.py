"""Many jobs by one call of the client, in pieces."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

import bgjobs
from bgjobs import AsyncJobClient, Call, EnqueueManyError, InvalidJobError, JobClient
from bgjobs.errors import ConflictError, ForbiddenError, UnreachableError
from bgjobs.ids import new_job_id
from bgjobs.testing import eager
from tests.unit.client.conftest import URL, problem

if TYPE_CHECKING:
    from collections.abc import Callable

TARGET = "shop.jobs.Mail"


class Api(httpx2.BaseTransport, httpx2.AsyncBaseTransport):
    """Stores what it is asked for; keeps the number of jobs of each call."""

    def __init__(self, answer: Callable[[int, list[dict[str, Any]]], httpx2.Response | None] | None = None) -> None:
        self.jobs: list[dict[str, Any]] = []
        self.calls: list[int] = []
        self._answer = answer

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        assert (request.method, request.url.path) == ("POST", "/api/v1/jobs:batch")
        assert len(request.content) <= 8 * 1024 * 1024
        jobs: list[dict[str, Any]] = json.loads(request.content)["jobs"]
        self.calls.append(len(jobs))
        if self._answer is not None and (answer := self._answer(len(self.calls), jobs)) is not None:
            return answer
        self.jobs += jobs
        return httpx2.Response(
            201, json={"items": [{"id": one["id"], "state": "queued", "is_new": True} for one in jobs]}
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        return self.handle_request(request)


def client(api: Api, **more: Any) -> JobClient:
    return JobClient(URL, transport=api, environ={}, sleep=lambda _: None, **more)


def calls(number: int) -> list[Call]:
    return [Call(TARGET, "send", [index]) for index in range(number)]


def test_they_go_in_pieces_of_a_thousand_and_keep_their_order() -> None:
    api = Api()
    handles = client(api, namespace="shop").enqueue_many(calls(2500), queue="mail", priority=1)
    assert api.calls == [1000, 1000, 500]
    assert [one.id for one in handles] == [job["id"] for job in api.jobs]
    assert [job["parameters"] for job in api.jobs] == [[index] for index in range(2500)]
    assert {(job["queue"], job["priority"], job["namespace"], job["class"]) for job in api.jobs} == {
        ("mail", 1, "shop", TARGET)
    }


async def test_the_async_client_does_the_same() -> None:
    api = Api()
    async with AsyncJobClient(URL, transport=api, environ={}) as asking:
        handles = await asking.enqueue_many(calls(1001))
    assert api.calls == [1000, 1]
    assert [one.id for one in handles] == [job["id"] for job in api.jobs]


def test_a_piece_is_not_too_long_either() -> None:
    api = Api()
    client(api).enqueue_many([Call(TARGET, "send", ["x" * 250_000]) for _ in range(40)])
    assert sum(api.calls) == 40
    assert max(api.calls) == 16


def test_a_call_says_more_than_what_is_said_for_all() -> None:
    api = Api()
    job_id = new_job_id()
    own = Call(TARGET, "send", priority=0, delay=5, queue="slow", id=job_id, labels={"a": "b"})
    client(api).enqueue_many([own, Call(TARGET, "send", {"a": 1})], queue="mail", priority=1, delay=1, max_retries=2)
    first, second = api.jobs
    assert (first["id"], first["priority"], first["delay_seconds"], first["queue"]) == (job_id, 0, 5, "slow")
    assert (second["priority"], second["delay_seconds"], second["queue"]) == (1, 1, "mail")
    assert [job["max_retries"] for job in api.jobs] == [2, 2]


def test_none_at_all() -> None:
    api = Api()
    batch = client(api).enqueue_many([])
    assert (len(batch), batch.parent_ids, batch.wait().state) == (0, (), "succeeded")
    assert sum(batch.counts().values()) == 0
    assert batch.cancel().jobs == 0
    assert api.calls == []


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        pytest.param(Call(TARGET, "_send"), "method", id="method"),
        pytest.param(Call(TARGET, "send", [object()]), "parameters", id="parameters"),
        pytest.param(Call(TARGET, "send", priority=2), "priority", id="priority"),
        pytest.param(Call("Mail", "send"), "class", id="class"),
    ],
)
def test_the_first_wrong_one_is_named_and_nothing_is_sent(wrong: Call, field: str) -> None:
    api = Api()
    with pytest.raises(InvalidJobError, match=r"^job 1200: ") as raised:
        client(api).enqueue_many([*calls(1200), wrong, wrong])
    assert (raised.value.field, raised.value.index) == (f"jobs.1200.{field}", 1200)
    assert api.calls == []


def test_what_cannot_be_asked_for_together() -> None:
    api = Api()
    job_id = new_job_id()
    with pytest.raises(InvalidJobError, match="10,000"):
        client(api).enqueue_many(calls(10_001))
    with pytest.raises(InvalidJobError, match="its Call"):
        client(api).enqueue_many(calls(2), id=job_id)
    with pytest.raises(InvalidJobError, match="job 1: its id is that of job 0"):
        client(api).enqueue_many([Call(TARGET, "send", id=job_id)] * 2)
    with pytest.raises(InvalidJobError, match="did you mean queue"):
        client(api).enqueue_many(calls(2), qeue="mail")  # pyright: ignore[reportCallIssue]
    assert api.calls == []


REFUSALS = [
    pytest.param(422, InvalidJobError, id="invalid"),
    pytest.param(403, ForbiddenError, id="forbidden"),
    pytest.param(409, ConflictError, id="conflict"),
]


@pytest.mark.parametrize(("status", "cause"), REFUSALS)
def test_a_piece_that_is_refused(status: int, cause: type[Exception]) -> None:
    refusal = problem(status, "job 17: not approved", index=17)
    api = Api(lambda number, _: refusal if number == 2 else None)
    with pytest.raises(EnqueueManyError, match=r"1,000 of 2,500 jobs are stored.*job 1,017: not approved") as raised:
        client(api).enqueue_many(calls(2500))
    error = raised.value
    assert isinstance(error.__cause__, cause)
    assert error.index == 1017
    assert (len(error.stored), len(error.unknown), len(error.not_stored), len(error.rest)) == (1000, 0, 1500, 1500)
    assert list(error.stored) == [job["id"] for job in api.jobs]
    assert api.calls == [1000, 1000]


def test_a_piece_without_an_answer_can_be_asked_for_again() -> None:
    away = [True]

    def answer(number: int, _: list[dict[str, Any]]) -> httpx2.Response | None:
        return problem(503, "Redis does not answer") if number > 1 and away[0] else None

    api = Api(answer)
    asking = client(api, retry_seconds=0)
    with pytest.raises(EnqueueManyError, match="of 1,000 more it is unknown, and the other 500") as raised:
        asking.enqueue_many(calls(2500))
    error = raised.value
    assert isinstance(error.__cause__, UnreachableError)
    assert (len(error.stored), len(error.unknown), len(error.not_stored)) == (1000, 1000, 500)
    away[0] = False
    again = asking.send_many(error.rest)
    assert [one.id for one in again] == [*error.unknown, *error.not_stored]
    assert [job["parameters"] for job in api.jobs] == [[index] for index in range(2500)]


def test_a_retry_is_the_same_batch() -> None:
    seen: list[list[str]] = []

    def answer(number: int, jobs: list[dict[str, Any]]) -> httpx2.Response | None:
        seen.append([job["id"] for job in jobs])
        return problem(503) if number == 1 else None

    client(Api(answer)).enqueue_many(calls(3))
    assert seen[0] == seen[1]


def test_a_server_that_answers_something_else() -> None:
    api = Api(lambda _number, _jobs: httpx2.Response(201, json={"items": []}))
    with pytest.raises(EnqueueManyError, match="other jobs") as raised:
        client(api).enqueue_many(calls(2))
    assert len(raised.value.unknown) == 2


def test_the_helper_asks_the_server_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    api = Api()
    monkeypatch.setattr("bgjobs.client.helper.default_client", lambda: client(api))
    assert len(bgjobs.run_background_jobs(calls(3), delay=1)) == 3
    assert [job["delay_seconds"] for job in api.jobs] == [1, 1, 1]


def test_in_a_test_they_run_in_place() -> None:
    with eager() as jobs:
        handles = bgjobs.run_background_jobs(
            [Call("bgjobs.examples.Hello", "greet", [name]) for name in ("Ada", "Bob")], queue="mail"
        )
    assert [one.result() for one in handles] == ["Ada was greeted", "Bob was greeted"]
    assert [job.queue for job in jobs] == ["mail", "mail"]


async def test_in_a_test_of_an_asyncio_program() -> None:
    with eager():
        handles = await bgjobs.run_background_jobs_async([Call("bgjobs.examples.Hello", "greet", ["Ada"])])
        assert [await one.result() for one in handles] == ["Ada was greeted"]


def test_in_a_test_all_are_recorded_or_none() -> None:
    job_id = new_job_id()
    with eager(run=False) as jobs:
        bgjobs.run_background_job(TARGET, "send", [0], id=job_id)
        with pytest.raises(EnqueueManyError, match="job 2: ") as raised:
            bgjobs.run_background_jobs([*calls(2), Call(TARGET, "send", [1], id=job_id)])
        assert isinstance(raised.value.__cause__, ConflictError)
        assert len(jobs) == 1
        bgjobs.run_background_jobs([*calls(2), Call(TARGET, "send", [0], id=job_id)])
        assert len(jobs) == 3
