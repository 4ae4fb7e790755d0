"""JSON to the letter on the way in, and the stored bytes on the way out."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from pydantic import BaseModel, ConfigDict

from bgjobs.ids import new_job_id
from bgjobs_api.http.bodies import parse
from bgjobs_api.http.problems import ProblemError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from fastapi import FastAPI

    from tests.api.world import World


def body(parameters: str, job_id: str | None = None) -> bytes:
    """A request with these parameters, letter by letter."""
    start = f'{{"id":"{job_id or new_job_id()}","class":"shop.jobs.Report","method":"build","parameters":'
    return start.encode() + parameters.encode("utf-8", "surrogatepass") + b"}"


async def post(world: World, content: bytes) -> tuple[int, bytes]:
    response = await world.call("POST", "/api/v1/jobs", content=content)
    return response.status_code, response.content


EXACT = [
    pytest.param("[9223372036854775807,-9223372036854775808]", id="64-bit-integers"),
    pytest.param("[9007199254740993]", id="beyond-2-to-the-53"),
    pytest.param("[1.0,0.1,1e-07,1.7976931348623157e+308]", id="floats"),
    pytest.param('["\u2028\u2029é😀\\u0000\\"\\\\/"]', id="text"),
    pytest.param("[]", id="empty-list"),
    pytest.param("{}", id="empty-object"),
    pytest.param('[[],{},[{}],{"a":[]}]', id="lists-and-objects"),
    pytest.param('{"z":1,"a":2,"10":3,"9":4}', id="order-of-keys"),
    pytest.param("[" * 64 + "]" * 64, id="64-levels"),
    pytest.param('[null,true,false,"",0,-0.0]', id="small-things"),
]


@pytest.mark.parametrize("parameters", EXACT)
async def test_parameters_go_through_unchanged(world: World, parameters: str) -> None:
    """To Redis, back to a client, into a list, and to the runner: the same bytes."""
    job_id = new_job_id()
    status, answer = await post(world, body(parameters, job_id))
    assert status == 201, answer
    wanted = b'"parameters":' + parameters.encode() + b","
    assert (await world.there(job_id)).parameters == parameters.encode()
    assert wanted in answer
    assert wanted in (await world.get(f"/api/v1/jobs/{job_id}")).content
    assert wanted in (await world.get("/api/v1/jobs")).content
    await world.store.lead("e")
    await world.store.claim(epoch="e", queue="shop/default", limit=1)
    started = await world.pod(job_id).call("start")
    assert wanted in started.content
    assert started.json()["action"] == "run"


async def test_a_number_is_written_as_it_was_stored(world: World) -> None:
    """1.10 is 1.1: what is written once is not written differently again."""
    job_id = new_job_id()
    await post(world, body("[1.10, 1E2]", job_id))
    assert (await world.there(job_id)).parameters == b"[1.1,100.0]"
    assert b'"parameters":[1.1,100.0],' in (await world.get(f"/api/v1/jobs/{job_id}")).content


async def test_nobody_encodes_stored_parameters_again(world: World) -> None:
    """Even spelling that our own encoder would never write comes out as it lies there."""
    job_id = await world.enqueued()
    client = world.store._client  # pyright: ignore[reportPrivateUsage]
    await client.set(f"{{bgjobs}}:payload:{job_id}", b'[ 1.10, "\\u00e9",1E400 ]')
    assert b'"parameters":[ 1.10, "\\u00e9",1E400 ]' in (await world.get(f"/api/v1/jobs/{job_id}")).content


@pytest.mark.parametrize(
    "value", ["null", "0", '""', "[]", "{}", "9223372036854775807", '"\u2028"', '{"b":1,"a":[1.5]}', "[[[]]]"]
)
async def test_a_result_goes_through_unchanged(world: World, value: str) -> None:
    pod = await world.running()
    finished = await pod.call("finish", attempt=1, outcome="succeeded", has_result=True, result=json.loads(value))
    assert finished.json() == {"action": "recorded", "state": "succeeded", "again": False}
    response = await world.get(f"/api/v1/jobs/{pod.job_id}/result")
    assert response.content == b'{"value":' + value.encode() + b"}"


REFUSED = [
    pytest.param("[NaN]", "NaN", id="nan"),
    pytest.param("[-Infinity]", "Infinity", id="infinity"),
    pytest.param("[1e400]", "JSON cannot carry", id="1e400"),
    pytest.param("[9223372036854775808]", "beyond 64 bits", id="2-to-the-63"),
    pytest.param("[" + "9" * 5000 + "]", "", id="5000-digits"),
    pytest.param('[{"a":1,"a":2}]', "appears twice", id="duplicate-key"),
    pytest.param('[{"a":1,"\\u0061":2}]', "appears twice", id="duplicate-key-in-disguise"),
    pytest.param('["\\ud800"]', "lone surrogate", id="lone-surrogate"),
    pytest.param('[{"\\udc00":1}]', "lone surrogate", id="lone-surrogate-in-a-key"),
    pytest.param("[" * 65 + "]" * 65, "deeper than 64", id="65-levels"),
    pytest.param("[" * 50_000 + "]" * 50_000, "deeper than 64", id="50000-levels"),
    pytest.param('{"a":' * 50_000 + "1" + "}" * 50_000, "deeper than 64", id="50000-objects"),
]


@pytest.mark.parametrize(("parameters", "words"), REFUSED)
async def test_what_is_not_json_is_refused_with_its_field(world: World, parameters: str, words: str) -> None:
    status, answer = await post(world, body(parameters))
    problem = json.loads(answer)
    assert status == 422, problem
    assert [error["field"] for error in problem["errors"]] == ["parameters"]
    assert words in problem["detail"]


NO_OBJECT = [
    pytest.param(b"", id="empty"),
    pytest.param(b"   ", id="blank"),
    pytest.param(b"[]", id="list"),
    pytest.param(b"null", id="null"),
    pytest.param(b'"x"', id="text"),
    pytest.param(b"{", id="open"),
    pytest.param(b'{"id"', id="cut-off"),
    pytest.param(b'{"id":}', id="no-value"),
    pytest.param(b'{"id":1,}', id="trailing-comma"),
    pytest.param(b'{"id":1 "x":2}', id="no-comma"),
    pytest.param(b"{1:2}", id="number-as-name"),
    pytest.param(b"{'id':1}", id="single-quotes"),
    pytest.param(b'{"id":1}x', id="something-behind"),
    pytest.param(b'{"id":1}{}', id="two-objects"),
    pytest.param(b'{"id":undefined}', id="undefined"),
    pytest.param(b'{"id":01}', id="leading-zero"),
    pytest.param(b'{"id":"\x01"}', id="control-character"),
    pytest.param(b'{"id":"\xff"}', id="not-utf-8"),
    pytest.param('{"id":1}'.encode("utf-16"), id="utf-16"),
    pytest.param(b'\xef\xbb\xbf{"id":1}', id="byte-order-mark"),
    pytest.param(b'{"\\ud800":1}', id="lone-surrogate-as-name"),
    pytest.param(b"id=1", id="form"),
]


@pytest.mark.parametrize("content", NO_OBJECT)
async def test_what_is_no_json_object_is_a_bad_request(world: World, content: bytes) -> None:
    status, answer = await post(world, content)
    problem = json.loads(answer)
    assert (status, problem["code"]) == (400, "not_json"), problem


async def test_a_field_that_stands_twice_is_refused(world: World) -> None:
    status, answer = await post(world, b'{"id":"a","method":"x","\\u0069d":"b"}')
    assert (status, json.loads(answer)["errors"]) == (422, [{"field": "id", "message": "is given twice in one object"}])


class Loose(BaseModel):
    model_config = ConfigDict(extra="allow")


GOOD_OBJECTS = [
    pytest.param("{}", id="empty"),
    pytest.param(" { } \n", id="space"),
    pytest.param('\t{ "a" : [ 1 , 2 ] , "b":{"c":"}"} }\r\n', id="space-everywhere"),
    pytest.param('{"a":"\\",\\"b\\":1}"}', id="quotes-within-text"),
    pytest.param('{"":1}', id="empty-name"),
]


@pytest.mark.parametrize("text", GOOD_OBJECTS)
def test_every_json_object_is_read(text: str) -> None:
    assert parse(Loose, text.encode()).model_dump() == json.loads(text)


def test_a_problem_of_a_deep_field_names_its_place() -> None:
    class Inner(BaseModel):
        amounts: list[int]

    class Outer(BaseModel):
        inner: Inner

    with pytest.raises(ProblemError) as caught:
        parse(Outer, b'{"inner":{"amounts":[1,"x"]}}')
    assert [error.field for error in caught.value.errors] == ["inner.amounts[1]"]


@pytest.mark.parametrize("path", ["/api/v1/jobs", "/healthz"])
async def test_a_query_with_thousands_of_fields_is_refused_before_it_is_read(world: World, path: str) -> None:
    """Each would be an error of its own, and all others wait for them."""
    response = await world.call("GET", f"{path}?{'&'.join(f'x{number}' for number in range(501))}")
    assert response.status_code == 422
    assert response.json()["detail"] == "the query has more than 500 fields"
    assert len(response.content) < 500


async def test_a_list_may_name_a_hundred_namespaces(world: World) -> None:
    query = "&".join(["namespace=shop"] * 100)
    assert (await world.call("GET", f"/api/v1/jobs?{query}")).status_code == 200


async def test_large_bodies_of_one_caller_wait_unread(app: FastAPI, world: World) -> None:
    """Nothing is made of one while another large one is read, and hundreds of them would take all memory."""
    begun: list[int] = []

    async def body(number: int) -> AsyncGenerator[bytes]:
        begun.append(number)
        asked = {"id": new_job_id(), "class": "shop.jobs.Report", "method": "build", "parameters": ["x" * 100_000]}
        yield json.dumps(asked).encode()

    async def batch(number: int) -> AsyncGenerator[bytes]:
        begun.append(number)
        yield json.dumps({"jobs": [{"id": new_job_id(), "class": "shop.jobs.Report", "method": "build"}]}).encode()

    deps = app.state.deps
    for path, made, lock, most in (
        ("/api/v1/jobs", body, deps.large_bodies, 16),
        ("/api/v1/jobs:batch", batch, deps.batches, 2),
    ):
        begun.clear()
        async with lock:
            calls = [asyncio.create_task(world.call("POST", path, content=made(number))) for number in range(40)]
            for _ in range(500):
                await asyncio.sleep(0)
            assert len(begun) == most
        assert {answer.status_code for answer in await asyncio.gather(*calls)} == {201}
        assert len(begun) == 40
