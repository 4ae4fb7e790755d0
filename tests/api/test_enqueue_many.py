"""POST /api/v1/jobs:batch."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bgjobs.batches import EnqueuedList
from bgjobs.ids import new_job_id
from bgjobs.vocabulary import State
from bgjobs.wire import Problem
from bgjobs_core.redis.errors import StoreFullError, StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx2

    from bgjobs_core.store.replies import EnqueueReply
    from tests.api.world import World

PATH = "/api/v1/jobs:batch"


def one(**changes: Any) -> dict[str, Any]:
    body = {"id": new_job_id(), "class": "shop.jobs.Report", "method": "build", **changes}
    return {name: value for name, value in body.items() if value is not None}


async def send(world: World, *jobs: Any, **more: Any) -> httpx2.Response:
    return await world.call("POST", PATH, json={"jobs": list(jobs)}, **more)


async def stored(world: World, jobs: list[dict[str, Any]]) -> list[str]:
    return [job.id for job in await world.store.jobs([one["id"] for one in jobs])]


async def refused(world: World, jobs: list[dict[str, Any]], status: int, index: int | None) -> Problem:
    """The problem that a batch is answered with, of which nothing is stored."""
    response = await send(world, *jobs)
    assert response.status_code == status, response.text
    assert await stored(world, jobs) == []
    problem = Problem.model_validate_json(response.content)
    assert problem.index == index
    return problem


async def test_all_are_stored_and_answered_in_order(world: World) -> None:
    await world.put_queue("shop/slow")
    await world.put_queue("mail/default")
    jobs = [
        one(parameters=[1]),
        one(parameters={"a": 2}, delay_seconds=60),
        one(queue="slow", priority=1),
        one(namespace="mail", labels={"team": "billing"}),
    ]
    response = await send(world, *jobs)
    assert response.status_code == 201, response.text
    found = EnqueuedList.model_validate_json(response.content).items
    assert [one.id for one in found] == [one["id"] for one in jobs]
    assert [one.state for one in found] == [State.QUEUED, State.SCHEDULED, State.QUEUED, State.QUEUED]
    assert all(one.is_new for one in found)
    records = [await world.there(job["id"]) for job in jobs]
    assert [record.queue_key for record in records] == ["shop/default", "shop/default", "shop/slow", "mail/default"]
    assert [record.parameters for record in records] == [b"[1]", b'{"a":2}', b"[]", b"[]"]
    assert {record.created_by for record in records} == {"system:serviceaccount:shop:web"}
    # Asked once a namespace, and before the body was read.
    assert [asked[1:] for asked in world.access.asked] == [
        ("create", "backgroundjobrequests", "shop"),
        ("create", "backgroundjobrequests", "shop"),
        ("create", "backgroundjobrequests", "mail"),
    ]


async def test_a_job_of_a_batch_is_the_same_as_alone(world: World) -> None:
    job = one(parameters=[1.10, {"z": 1, "a": "é"}], delay_seconds=0.5)
    assert (await send(world, job)).status_code == 201
    assert (await world.call("POST", "/api/v1/jobs", json=job)).status_code == 200
    other = one(parameters=[1])
    assert (await world.call("POST", "/api/v1/jobs", json=other)).status_code == 201
    found = (await send(world, other)).json()["items"]
    assert found == [{"id": other["id"], "state": "queued", "is_new": False}]


async def test_the_same_batch_again_is_the_same_jobs(world: World) -> None:
    jobs = [one(parameters=[number]) for number in range(50)]
    assert (await send(world, *jobs)).status_code == 201
    again = await send(world, *jobs)
    assert again.status_code == 200
    assert not any(job["is_new"] for job in again.json()["items"])
    more = one()
    half = await send(world, *jobs, more)
    assert half.status_code == 201
    assert [job["id"] for job in half.json()["items"] if job["is_new"]] == [more["id"]]


async def test_a_repeat_finds_its_jobs_though_new_ones_would_be_refused(world: World) -> None:
    jobs = [one(parameters=[number]) for number in range(3)]
    await send(world, *jobs)
    world.redis.used, world.redis.limit, world.clock.now = 90, 100, world.clock.now + 1
    assert (await send(world, *jobs)).status_code == 200
    response = await send(world, *jobs, one())
    assert (response.status_code, response.json()["code"]) == (507, "store_full")
    assert "index" not in response.json()
    world.redis.used, world.clock.now = 0, world.clock.now + 1
    await world.put_queue(approved_classes=["other.*"])
    assert (await send(world, *jobs)).status_code == 200
    changed = await send(world, *jobs[:2], {**jobs[2], "parameters": [9]})
    assert (changed.status_code, changed.json()["index"], changed.json()["code"]) == (409, 2, "id_taken")


REFUSED = [
    pytest.param({"queue": "nope"}, "queue", "queue_not_found", id="queue"),
    pytest.param({"class": "os.system.Thing"}, "class", "class_not_approved", id="class"),
    pytest.param({"image": "evil:1"}, "image", "image_not_allowed", id="image"),
    pytest.param({"id": "nonsense"}, "id", "invalid", id="id"),
    pytest.param({"class": None}, "class", "invalid", id="no-class"),
    pytest.param({"priority": True}, "priority", "invalid", id="boolean"),
    pytest.param({"delay": 1}, "delay", "invalid", id="unknown-field"),
    pytest.param({"labels": {"my team": "x"}}, "labels", "invalid", id="label"),
    pytest.param({"parameters": [2**63]}, "parameters", "invalid", id="65-bits"),
    pytest.param({"parameters": ["x" * 256 * 1024]}, "parameters", "invalid", id="too-long"),
]


@pytest.mark.parametrize(("changes", "field", "code"), REFUSED)
async def test_one_that_is_refused_refuses_all(world: World, changes: dict[str, Any], field: str, code: str) -> None:
    jobs = [one() for _ in range(20)]
    jobs[17] = one(**changes)
    response = await send(world, *jobs, one(**changes))
    assert response.status_code == 422, response.text
    problem = Problem.model_validate_json(response.content)
    assert (problem.code, problem.index) == (code, 17)
    assert [error.field for error in problem.errors] == [f"jobs.17.{field}"]
    assert problem.detail.startswith("job 17: ")
    assert await stored(world, [job for job in jobs if "id" in job]) == []


async def test_a_conflict_refuses_all(world: World) -> None:
    taken = await world.enqueued(parameters=[1])
    jobs = [one() for _ in range(3)]
    response = await send(world, *jobs, one(id=taken))
    assert (response.status_code, response.json()["code"], response.json()["index"]) == (409, "id_taken", 3)
    assert await stored(world, jobs) == []


async def test_no_permission_in_one_namespace_refuses_all(world: World) -> None:
    await world.put_queue("mail/default")
    world.access.deny("create", "backgroundjobrequests", "mail")
    problem = await refused(world, [one(), one(), one(namespace="mail"), one(namespace="mail")], 403, 2)
    assert (problem.code, problem.namespace) == ("forbidden", "mail")
    assert problem.remedy
    assert problem.remedy.startswith("kubectl create rolebinding")


async def test_who_may_enqueue_nowhere_is_refused_before_the_body_is_looked_at(world: World) -> None:
    world.access.deny("create", "backgroundjobrequests", "shop", "mail")
    response = await world.call("POST", PATH, content=b"x" * 100)
    assert response.status_code == 403
    assert (await world.http.post(PATH, content=b"x")).status_code == 401


async def test_who_may_enqueue_in_another_namespace_alone(world: World) -> None:
    await world.put_queue("mail/default")
    world.access.deny("create", "backgroundjobrequests", "shop")
    assert (await send(world, one(namespace="mail"))).status_code == 201
    await refused(world, [one(namespace="mail"), one()], 403, 1)


async def test_no_id_comes_twice(world: World) -> None:
    job = one()
    problem = await refused(world, [job, one(), job], 422, 2)
    assert [error.field for error in problem.errors] == ["jobs.2.id"]
    assert "that of job 0" in problem.detail


@pytest.mark.parametrize(
    ("body", "status", "field", "index"),
    [
        pytest.param(b"", 400, None, None, id="nothing"),
        pytest.param(b"[]", 400, None, None, id="list"),
        pytest.param(b"{}", 422, "jobs", None, id="no-jobs"),
        pytest.param(b'{"jobs": []}', 422, "jobs", None, id="empty"),
        pytest.param(b'{"jobs": {}}', 422, "jobs", None, id="object"),
        pytest.param(b'{"jobs": [], "jobs": []}', 422, "jobs", None, id="twice"),
        pytest.param(b'{"jobs": [[]]}', 422, "jobs.0", 0, id="list-in-list"),
        pytest.param(b'{"jobs": [ ], "x": NaN}', 422, "x", None, id="not-a-number-beside"),
        pytest.param(b'{"jobs": [1e999, 1]}', 422, "jobs.0", 0, id="infinite"),
        pytest.param(b'{"jobs": [{"x": NaN}]}', 422, "jobs.0.x", 0, id="not-a-number"),
        pytest.param(b'{"jobs": [{}, {"a": 1, "a": 2}]}', 422, "jobs.1.a", 1, id="name-twice"),
        pytest.param(b'{"jobs": [{"parameters": {"b": 1, "b": 2}}]}', 422, "jobs.0.parameters", 0, id="key-twice"),
        pytest.param(b'{"jobs": [{"a": "\\ud800"}]}', 422, "jobs.0.a", 0, id="surrogate"),
        pytest.param(b'{"jobs": [' + b"[" * 70 + b"]" * 70 + b"]}", 422, "jobs.0", 0, id="deep"),
        pytest.param(b'{"jobs": ' + b"[" * 100_000, 422, "jobs", None, id="very-deep"),
        pytest.param(b'{"jobs": [{"a": ' + b"[" * 100_000, 422, "jobs", None, id="very-deep-in-a-job"),
        pytest.param(b'{"jobs": [{"id": 1,}]}', 400, None, None, id="comma"),
    ],
)
async def test_bodies_that_are_wrong(
    world: World, body: bytes, status: int, field: str | None, index: int | None
) -> None:
    response = await world.call("POST", PATH, content=body)
    assert response.status_code == status, response.text
    problem = Problem.model_validate_json(response.content)
    assert problem.index == index
    assert [error.field for error in problem.errors] == ([] if field is None else [field])


async def test_64_levels_of_parameters_fit(world: World) -> None:
    deep: Any = []
    for _ in range(63):
        deep = [deep]
    assert (await send(world, one(parameters=deep))).status_code == 201
    await refused(world, [one(), one(parameters=[deep])], 422, 1)


async def test_a_thousand_fit_and_no_more(world: World) -> None:
    jobs = [one(parameters=[number]) for number in range(1001)]
    response = await send(world, *jobs)
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, "jobs")
    assert await stored(world, jobs) == []
    response = await send(world, *jobs[:1000])
    assert response.status_code == 201
    assert len(response.json()["items"]) == 1000
    assert len(await stored(world, jobs)) == 1000


async def test_eight_mib_fit_and_no_more(world: World) -> None:
    jobs = [one(parameters=["x" * 250 * 1024]) for _ in range(33)]
    most = json.dumps({"jobs": jobs[:32]}).encode()
    padded = most + b" " * (8 * 1024 * 1024 - len(most))
    assert (await world.call("POST", PATH, content=padded)).status_code == 201
    response = await world.call("POST", PATH, content=padded + b" ")
    assert (response.status_code, response.json()["code"]) == (413, "body_too_large")
    response = await send(world, *jobs)
    assert response.status_code == 413


async def test_many_errors_are_told_of_the_first_job_alone(world: World) -> None:
    """So that the answer to a bad batch is not longer than the batch."""
    response = await send(world, *[{"x": 1, "y": 2}] * 1000)
    assert response.json()["index"] == 0
    assert len(response.content) < 2000


@pytest.mark.parametrize(
    ("where", "count", "words"),
    [
        ("batch", 20_000, "more than 100 fields"),
        ("job", 20_000, "more than 100 fields"),
        ("labels", 20_000, "more than 100 fields"),
        ("batch", 200_000, "must come first"),
        ("job", 200_000, "takes more than 524,288 characters"),
        ("labels", 200_000, "takes more than 524,288 characters"),
    ],
)
async def test_far_too_many_fields_are_one_error(world: World, where: str, count: int, words: str) -> None:
    """Each would become an error of its own, and all together more than the memory of a pod."""
    many = {f"x{number}": "" for number in range(count)}
    body = {"batch": {"jobs": [one()], **many}, "job": {"jobs": [one(), one(**many)]},
            "labels": {"jobs": [one(labels=many)]}}[where]  # fmt: skip
    response = await world.call("POST", PATH, content=json.dumps(body).encode())
    assert response.status_code == 422
    assert len(response.content) < 1000
    assert words in response.text


LARGE: list[tuple[Callable[[str], str], int, str]] = [
    (lambda text: text, 201, "items"),
    (lambda text: text[:-1] + ',"close":[]}', 201, "items"),
    (lambda text: text[:-1] + ',"close":["x"]}', 422, "must name batches of these jobs"),
    (lambda text: text[:-1] + ',"close":[],"close":[]}', 422, "given twice"),
    (lambda text: text[:-1] + ',"close":7}', 422, "close"),
    (lambda text: text[:-1] + ',"close":[]', 400, "expected"),
    (lambda text: text[:-1], 400, "expected }"),
    (lambda text: text[:-2], 400, "expected"),
    (lambda text: text + "x", 400, "something follows"),
    (lambda text: text.replace("[{", "[7,{", 1), 422, "jobs.0"),
    (lambda text: text.replace("},{", "},7,{", 1), 422, "jobs.1"),
    (lambda text: text.replace("},{", "},,{", 1), 422, "jobs.1"),
    (lambda text: text.replace("},{", "} {", 1), 400, "expected"),
    (lambda text: text.replace('"jobs"', '"job"', 1), 422, "must come first"),
    (lambda text: text[:-1] + ',"jobs":[]}', 422, "must come first"),
    (lambda text: text.replace('"build"', '"build","method":"x"', 1), 422, "jobs.0.method"),
    (lambda text: text.replace('"build"', "{}", 1), 422, "jobs.0.method"),
    (lambda text: "[" * len(text), 400, "expected {"),
    (lambda text: '{"jobs":[' + '{"a":' * (len(text) // 6), 422, "nested too deeply"),
    (lambda text: '{"jobs":[]' + " " * len(text) + "}", 422, "at least one job"),
]


@pytest.mark.parametrize(
    ("change", "status", "words"),
    LARGE,
    ids=[
        "good",
        "batches to close",
        "no batch of these",
        "close twice",
        "close a number",
        "not closed behind close",
        "not closed",
        "list not closed",
        "more behind it",
        "a number first",
        "a number",
        "two commas",
        "no comma",
        "another name",
        "two lists",
        "a name twice",
        "another type",
        "deep",
        "deep inside",
        "no job",
    ],
)
async def test_a_large_batch_is_read_job_by_job(
    world: World, change: Callable[[str], str], status: int, words: str
) -> None:
    text = json.dumps({"jobs": [one(parameters=["x" * 200_000]) for _ in range(4)]}, separators=(",", ":"))
    response = await world.call("POST", PATH, content=change(text).encode())
    assert response.status_code == status, response.text[:300]
    assert words in response.text


async def test_redis_fails_in_the_middle(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = [one(parameters=[number]) for number in range(50)]
    script = world.store._enqueue  # pyright: ignore[reportPrivateUsage]
    left = [2]

    async def fail(**batch: Any) -> EnqueueReply:
        left[0] -= 1
        if left[0] < 0:
            raise StoreUnavailableError("gone")
        return await script(**batch)

    monkeypatch.setattr(world.store, "_enqueue", fail)
    response = await send(world, *jobs)
    assert (response.status_code, response.json()["code"]) == (503, "store_unavailable")
    assert response.headers["Retry-After"]
    monkeypatch.undo()
    again = await send(world, *jobs)
    assert again.status_code == 201
    assert [job["id"] for job in again.json()["items"]] == [job["id"] for job in jobs]
    assert await stored(world, jobs) == [job["id"] for job in jobs]


async def test_redis_is_full(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(**_: Any) -> EnqueueReply:
        raise StoreFullError("full")

    monkeypatch.setattr(world.store, "_enqueue", fail)
    response = await send(world, one(), one())
    assert (response.status_code, response.json()["code"]) == (507, "store_full")


async def test_a_queue_is_read_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    queue = world.store.queue

    async def count(key: str) -> Any:
        read.append(key)
        return await queue(key)

    monkeypatch.setattr(world.store, "queue", count)
    assert (await send(world, *[one() for _ in range(30)])).status_code == 201
    assert read == ["shop/default"]
