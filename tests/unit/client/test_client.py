"""The client against scripted answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from bgjobs import (
    BgjobsError,
    ConflictError,
    ForbiddenError,
    InvalidJobError,
    JobClient,
    NotFoundError,
    RefusedError,
    UnreachableError,
)
from bgjobs.ids import is_job_id

from .conftest import JOB_ID, URL, job, problem

if TYPE_CHECKING:
    from .conftest import FakeServer


OTHER = "0192f0c1-2a3b-7c4d-8e5f-001122334466"


def test_enqueue_sends_what_was_said_and_no_more(server: FakeServer, client: JobClient) -> None:
    server.reply(job(), status=201)

    handle = client.enqueue("shop.jobs.Mail", "send", ["a@example.com"], id=JOB_ID)

    (request,) = server.requests
    assert (request.method, str(request.url)) == ("POST", f"{URL}/api/v1/jobs")
    assert server.body() == {
        "id": JOB_ID,
        "class": "shop.jobs.Mail",
        "method": "send",
        "parameters": ["a@example.com"],
        "priority": 0,
        "delay_seconds": 0.0,
    }
    assert (handle.id, handle.state) == (JOB_ID, "queued")
    assert repr(handle) == f"<JobHandle {JOB_ID} shop.jobs.Mail.send queued>"


def test_the_clients_namespace_is_the_default(server: FakeServer) -> None:
    server.reply(job())
    with server.client(namespace="team-b") as client:
        client.enqueue("shop.jobs.Mail", "send")
        client.enqueue("shop.jobs.Mail", "send", namespace="team-c")

    assert [server.body(number)["namespace"] for number in (0, 1)] == ["team-b", "team-c"]


def test_nothing_is_sent_that_is_wrong(server: FakeServer, client: JobClient) -> None:
    with pytest.raises(InvalidJobError):
        client.enqueue("shop.jobs.Mail", "send", priority=3)

    assert server.requests == []


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_not_now_is_asked_again_with_the_same_id(server: FakeServer, client: JobClient, status: int) -> None:
    server.answers.extend([problem(status), httpx2.ConnectError("refused"), httpx2.ReadTimeout("slow")])
    server.reply(job())

    client.enqueue("shop.jobs.Mail", "send")

    assert len(server.requests) == 4
    assert len({server.body(number)["id"] for number in range(4)}) == 1
    assert 0.125 <= server.slept[0] <= 0.25
    assert 0.25 <= server.slept[1] <= 0.5


def test_retry_after_is_heard(server: FakeServer, client: JobClient) -> None:
    server.answers.append(httpx2.Response(429, headers={"Retry-After": "7"}))
    server.reply(job())

    client.get(JOB_ID)

    assert server.slept == [7]


def test_a_wait_beyond_the_patience_is_not_begun(server: FakeServer, client: JobClient) -> None:
    server.answers.append(httpx2.Response(429, headers={"Retry-After": "3600"}))

    with pytest.raises(UnreachableError, match=r"could not be reached \("):
        client.get(JOB_ID)

    assert server.slept == []


@pytest.mark.parametrize("answer", [httpx2.ConnectError("refused"), httpx2.Response(503, text="try later")])
def test_an_api_that_stays_away_is_named_with_the_id(server: FakeServer, answer: httpx2.Response | Exception) -> None:
    server.answers.append(answer)
    with server.client(retry_seconds=0) as client, pytest.raises(UnreachableError) as caught:
        client.enqueue("shop.jobs.Mail", "send", id=JOB_ID)

    assert URL in str(caught.value)
    assert f'id="{JOB_ID}"' in str(caught.value)


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (401, ForbiddenError, "the words"),
        (403, ForbiddenError, "the words"),
        (404, NotFoundError, "the words"),
        (409, ConflictError, "the words"),
        (507, RefusedError, "the words"),
        (500, RefusedError, "answered 500: the words"),
        (400, RefusedError, "answered 400: the words"),
        (302, RefusedError, "answered 302"),
    ],
)
def test_refusals(server: FakeServer, client: JobClient, status: int, kind: type[RefusedError], words: str) -> None:
    server.answers.append(problem(status, "the words"))

    with pytest.raises(kind) as caught:
        client.get(JOB_ID)

    assert type(caught.value) is kind
    assert caught.value.status == status
    assert words in str(caught.value)
    assert len(server.requests) == 1


def test_a_refusal_carries_what_the_body_says(server: FakeServer, client: JobClient) -> None:
    fields = {"user": "ann", "verb": "get", "resource": "backgroundjobrequests", "namespace": "shop"}
    server.answers.append(problem(403, "ann cannot", code="forbidden", remedy="kubectl create rolebinding", **fields))

    with pytest.raises(ForbiddenError) as caught:
        client.get(JOB_ID)

    found = caught.value
    assert {name: getattr(found, name) for name in fields} == fields
    assert (found.code, found.detail, found.remedy) == ("forbidden", "ann cannot", "kubectl create rolebinding")
    assert str(found) == "ann cannot; an administrator can allow it with `kubectl create rolebinding`"


def test_a_refusal_of_an_older_server_has_its_sentence_alone(server: FakeServer, client: JobClient) -> None:
    server.answers.append(problem(403, "ann cannot; ask for `kubectl create rolebinding`"))

    with pytest.raises(ForbiddenError) as caught:
        client.get(JOB_ID)

    found = caught.value
    assert (found.user, found.verb, found.resource, found.namespace, found.remedy) == ("", "", "", "", "")
    assert str(found) == "ann cannot; ask for `kubectl create rolebinding`"


def test_422_names_the_field(server: FakeServer, client: JobClient) -> None:
    errors = [{"field": "class", "message": "is not approved by queue default"}]
    server.answers.append(problem(422, "class: is not approved by queue default", errors=errors))

    with pytest.raises(InvalidJobError, match="class: is not approved") as caught:
        client.enqueue("shop.jobs.Mail", "send")

    assert caught.value.field == "class"


@pytest.mark.parametrize(
    "answer",
    [httpx2.Response(200, text="<html>Welcome to nginx!</html>"), httpx2.Response(200, json={"id": 1})],
    ids=["a page", "something else"],
)
def test_another_server_under_the_url_is_noticed(
    server: FakeServer, client: JobClient, answer: httpx2.Response
) -> None:
    server.answers.append(answer)

    with pytest.raises(RefusedError, match="does the URL lead to it"):
        client.get(JOB_ID)


def test_an_error_without_a_problem_document_is_shown(server: FakeServer, client: JobClient) -> None:
    server.answers.append(httpx2.Response(404, text="404 page not found\n"))

    with pytest.raises(NotFoundError, match="404 page not found"):
        client.get(JOB_ID)


@pytest.mark.parametrize(
    ("method", "arguments", "verb", "target", "answer"),
    [
        ("get", {"job_id": "a/b"}, "GET", "/api/v1/jobs/a%2Fb", job()),
        ("cancel", {"job_id": JOB_ID}, "POST", f"/api/v1/jobs/{JOB_ID}/cancel", job(state="cancelled")),
        ("rerun", {"job_id": JOB_ID}, "POST", f"/api/v1/jobs/{JOB_ID}/rerun", job()),
        ("attempts", {"job_id": JOB_ID}, "GET", f"/api/v1/jobs/{JOB_ID}/attempts", {"items": []}),
        ("result", {"job_id": JOB_ID}, "GET", f"/api/v1/jobs/{JOB_ID}/result", {"value": 7}),
        ("list", {}, "GET", "/api/v1/jobs", {"items": []}),
        (
            "list",
            {"namespace": "a", "state": "failed", "queue": "q", "class_": "a.B", "limit": 5, "cursor": "x/="},
            "GET",
            "/api/v1/jobs?namespace=a&state=failed&queue=q&class=a.B&limit=5&cursor=x%2F%3D",
            {"items": [job()], "next_cursor": "y"},
        ),
    ],
    ids=["get", "cancel", "rerun", "attempts", "result", "list all", "list some"],
)
def test_routes(
    server: FakeServer, client: JobClient, method: str, arguments: dict[str, Any], verb: str, target: str, answer: Any
) -> None:
    server.reply(answer)

    getattr(client, method)(**arguments)

    (request,) = server.requests
    assert (request.method, request.url.raw_path.decode()) == (verb, target)


def test_what_comes_back(server: FakeServer, client: JobClient) -> None:
    attempt = {"number": 1, "pod_name": "p", "started_at": "2026-11-24T10:00:00Z", "outcome": "error"}
    server.reply({"value": [1]}, {"items": [attempt]}, {"items": [job()], "next_cursor": "y"}, job(state="cancelled"))

    assert client.result(JOB_ID) == [1]
    assert client.attempts(JOB_ID)[0].outcome == "error"
    page = client.list()
    assert (page.items[0].cls, page.next_cursor) == ("shop.jobs.Mail", "y")
    assert client.cancel(JOB_ID, "by mistake").state == "cancelled"
    assert server.body() == {"note": "by mistake"}


def test_a_job_is_run_again_under_an_id_that_is_sent_again(server: FakeServer, client: JobClient) -> None:
    server.answers.append(problem(503))
    server.reply(job(id="new", rerun_of=JOB_ID))

    handle = client.handle(JOB_ID).rerun()

    assert (handle.id, handle.job.rerun_of) == ("new", JOB_ID)
    assert server.body(0) == server.body(1)
    assert is_job_id(server.body()["id"])


def test_a_job_is_run_again_with_changes(server: FakeServer, client: JobClient) -> None:
    server.reply(job(id="new", rerun_of=JOB_ID))

    client.handle(JOB_ID).rerun(set={1: 12}, priority=1, delay=60, labels={"team": "a"})
    client.rerun(JOB_ID, OTHER, parameters=(1, None), queue="slow", timeout_seconds=5, max_retries=0)

    first, second = ({name: value for name, value in server.body(n).items() if name != "id"} for n in (0, 1))
    assert first == {"set": {"1": 12}, "priority": 1, "delay_seconds": 60, "labels": {"team": "a"}}
    assert second == {"parameters": [1, None], "queue": "slow", "timeout_seconds": 5, "max_retries": 0}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"set": [1]}, "set"),
        ({"set": {1.5: 2}}, "set"),
        ({"set": {"a": {1}}}, "set"),
        ({"parameters": "abc"}, "parameters"),
        ({"priority": 2}, "priority"),
        ({"priority": True}, "priority"),
        ({"delay": -1}, "delay_seconds"),
        ({"timeout_seconds": "7"}, "timeout_seconds"),
        ({"max_retries": 1.0}, "max_retries"),
        ({"queue": "My Queue"}, "queue"),
        ({"labels": {"a b": "c"}}, "labels"),
        ({"image": "shop:2"}, "image"),
        ({"key": "a"}, "key"),
    ],
)
def test_wrong_changes_are_not_sent(server: FakeServer, client: JobClient, changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidJobError) as caught:
        client.rerun(JOB_ID, **changes)
    assert caught.value.field == field
    assert server.requests == []


def test_a_rerun_that_is_lost_names_its_id(server: FakeServer) -> None:
    server.answers.append(httpx2.ConnectError("refused"))
    with (
        server.client(retry_seconds=0) as client,
        pytest.raises(UnreachableError, match=f'ask again with id="{OTHER}"'),
    ):
        client.rerun(JOB_ID, OTHER)


def test_a_log_comes_in_as_many_parts_as_it_takes(server: FakeServer, client: JobClient) -> None:
    euro = "€".encode()
    server.answers.extend(
        [
            httpx2.Response(200, content=b"one " + euro[:1], headers={"Bgjobs-Log-Complete": "false"}),
            httpx2.Response(200, content=euro[1:] + b" two", headers={"Bgjobs-Log-Complete": "true"}),
        ]
    )

    assert client.logs(JOB_ID, 2) == "one € two"
    assert [request.url.raw_path.decode() for request in server.requests] == [
        f"/api/v1/jobs/{JOB_ID}/attempts/2/log?offset=0",
        f"/api/v1/jobs/{JOB_ID}/attempts/2/log?offset=5",
    ]


def test_a_log_that_goes_on_is_given_as_far_as_it_is(server: FakeServer, client: JobClient) -> None:
    server.answers.extend([httpx2.Response(200, content=b"so far"), httpx2.Response(200, content=b"")])

    assert client.logs(JOB_ID) == "so far"
    assert server.requests[0].url.path == f"/api/v1/jobs/{JOB_ID}/log"


def test_a_token_is_sent(server: FakeServer) -> None:
    server.reply(job())
    with server.client(url="https://jobs.example/base/", token="secret") as client:
        client.get(JOB_ID)

    (request,) = server.requests
    assert request.headers["Authorization"] == "Bearer secret"
    assert str(request.url) == f"https://jobs.example/base/api/v1/jobs/{JOB_ID}"


def test_no_token_to_a_local_server(server: FakeServer, client: JobClient) -> None:
    server.reply(job())

    client.get(JOB_ID)

    assert "Authorization" not in server.requests[0].headers


def test_a_closed_client_opens_again(server: FakeServer, client: JobClient) -> None:
    server.reply(job())
    client.get(JOB_ID)
    client.close()

    assert client.get(JOB_ID).id == JOB_ID
    assert repr(client) == f"<JobClient {URL}>"


def test_every_error_is_one_of_ours() -> None:
    assert issubclass(InvalidJobError, (BgjobsError, ValueError))
    assert issubclass(ConflictError, RefusedError)
