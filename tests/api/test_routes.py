"""What holds for all routes at once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import pytest
from fastapi.routing import APIRoute, iter_route_contexts

from bgjobs.protocol import PROTOCOL_HEADER
from bgjobs_api.app import OPENAPI_PATH, PUBLIC_PATHS, create_app, openapi_text
from bgjobs_api.http.callers import identify

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI
    from fastapi.dependencies.models import Dependant

    from bgjobs_api.app import Deps
    from tests.api.world import World

EXPECTED = {
    "GET /api/openapi.json",
    "DELETE /api/v1/holds/{namespace}/{hold_id}",
    "GET /api/v1/batches",
    "DELETE /api/v1/queues/{namespace}/{name}/limits",
    "GET /api/v1/batches/{batch_id}",
    "GET /api/v1/holds",
    "GET /api/v1/bulk/{namespace}",
    "GET /api/v1/bulk/{namespace}/{bulk_id}",
    "GET /api/v1/jobs",
    "GET /api/v1/jobs/{job_id}",
    "GET /api/v1/jobs/{job_id}/attempts",
    "GET /api/v1/jobs/{job_id}/attempts/{number}/log",
    "GET /api/v1/jobs/{job_id}/history",
    "GET /api/v1/jobs/{job_id}/log",
    "GET /api/v1/jobs/{job_id}/result",
    "GET /api/v1/jobs/{job_id}/stack",
    "GET /api/v1/jobs/{job_id}/why",
    "GET /api/v1/queues",
    "GET /api/v1/schedules",
    "GET /healthz",
    "GET /readyz",
    "POST /api/v1/batches/{batch_id}/cancel",
    "POST /api/v1/batches/{batch_id}/close",
    "POST /api/v1/holds",
    "POST /api/v1/bulk",
    "POST /api/v1/bulk/preview",
    "POST /api/v1/bulk/{namespace}/{bulk_id}/stop",
    "POST /api/v1/jobs",
    "POST /api/v1/jobs:batch",
    "POST /api/v1/jobs/{job_id}/cancel",
    "POST /api/v1/jobs/{job_id}/pause",
    "POST /api/v1/jobs/{job_id}/priority",
    "POST /api/v1/jobs/{job_id}/rerun",
    "POST /api/v1/jobs/{job_id}/resume",
    "POST /api/v1/jobs/{job_id}/run-now",
    "POST /api/v1/jobs/{job_id}/stack",
    "POST /api/v1/jobs/{job_id}/suspend",
    "POST /api/v1/queues/{namespace}/{name}/limits",
    "POST /api/v1/queues/{namespace}/{name}/pause",
    "POST /api/v1/queues/{namespace}/{name}/resume",
    "POST /api/v1/schedules/{namespace}/{name}:pause",
    "POST /api/v1/schedules/{namespace}/{name}:resume",
    "POST /api/v1/schedules/{namespace}/{name}:run",
    "POST /runner/v1/jobs/{job_id}/beat",
    "POST /runner/v1/jobs/{job_id}/stack",
    "POST /runner/v1/jobs/{job_id}/finish",
    "POST /runner/v1/jobs/{job_id}/parent",
    "POST /runner/v1/jobs/{job_id}/parent-batch",
    "POST /runner/v1/jobs/{job_id}/start",
}


def dependencies(dependant: Dependant) -> Iterator[object]:
    for one in dependant.dependencies:
        yield one.call
        yield from dependencies(one)


def application() -> FastAPI:
    return create_app(cast("Deps", None))


def without_identity(app: FastAPI) -> set[str]:
    """Paths of routes that do not ask who calls; a route of an unknown kind does not."""
    found: set[str] = set()
    for context in iter_route_contexts(app.routes):
        asks = isinstance(context.original_route, APIRoute) and identify in dependencies(context.dependant)
        if not asks:
            found.add(str(context.path))
    return found


def test_every_route_asks_who_calls_but_for_those_listed() -> None:
    assert without_identity(application()) == PUBLIC_PATHS


def test_a_route_that_does_not_ask_is_found() -> None:
    """The test above would see it, however it was put in."""
    app = application()

    async def bare() -> None:
        """Nothing."""

    app.add_api_route("/api/v1/bare", bare)
    app.mount("/mounted", application())
    app.add_route("/plain", cast("Any", bare))
    assert without_identity(app) - PUBLIC_PATHS == {"/api/v1/bare", "/mounted", "/plain"}


def test_these_are_the_routes() -> None:
    found = {
        f"{method} {context.path}"
        for context in iter_route_contexts(application().routes)
        for method in (context.methods or set()) - {"HEAD"}
    }
    assert found == EXPECTED


@pytest.mark.parametrize("route", sorted(EXPECTED))
async def test_nobody_gets_in_without_a_token(world: World, route: str) -> None:
    """The same again, from outside."""
    method, path = route.split(" ")
    response = await world.http.request(
        method,
        path.format(job_id="x", batch_id="x", hold_id="x", bulk_id="x", number=1, namespace="shop", name="nightly"),
        headers={PROTOCOL_HEADER: "1"},
        content=b"{}" * (method == "POST"),
    )
    assert response.status_code == (200 if path in PUBLIC_PATHS else 401)


@pytest.mark.parametrize("route", sorted(one for one in EXPECTED if one.startswith("GET ")))
async def test_head_is_get_without_the_body(world: World, route: str) -> None:
    path = route.removeprefix("GET ").format(job_id="x", batch_id="x", bulk_id="x", number=1, namespace="shop")

    got, headed = await world.http.get(path), await world.http.head(path)

    assert (headed.status_code, headed.content) == (got.status_code, b"")
    assert headed.headers["Content-Length"] == got.headers["Content-Length"] != "0"
    assert headed.headers["Content-Type"] == got.headers["Content-Type"]


async def test_head_of_what_can_only_be_posted(world: World) -> None:
    assert (await world.http.head("/api/v1/jobs:batch")).status_code == 405


async def test_the_openapi_document_is_served(world: World) -> None:
    response = await world.http.get(OPENAPI_PATH)
    assert response.json() == json.loads(openapi_text())


def test_the_openapi_document_is_stable_and_complete() -> None:
    text = openapi_text()
    assert text == openapi_text()
    document = json.loads(text)
    assert json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n" == text
    schemas = document["components"]["schemas"]
    references = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert references <= set(schemas)
    assert "HTTPValidationError" not in schemas
    tags = {tag["name"] for tag in document["tags"]}
    for path, methods in document["paths"].items():
        for operation in methods.values():
            assert set(operation["tags"]) <= tags
            assert operation["summary"]
            assert operation["description"]
            assert bool(operation.get("security")) is (path not in PUBLIC_PATHS)
            for status, answer in operation["responses"].items():
                if int(status) >= 400 and path not in PUBLIC_PATHS:
                    assert list(answer["content"]) == ["application/problem+json"]


def test_the_openapi_document_says_what_bodies_are_read() -> None:
    paths = json.loads(openapi_text())["paths"]
    bodies = {
        path.removeprefix("/api/v1/") if "batches" in path else path.rpartition("/")[2]: operation["requestBody"][
            "content"
        ]["application/json"]["schema"]["$ref"]
        for path, methods in paths.items()
        for operation in methods.values()
        if "requestBody" in operation
    }
    assert bodies == {
        "jobs": "#/components/schemas/EnqueueRequest",
        "jobs:batch": "#/components/schemas/BatchRequest",
        "batches/{batch_id}/cancel": "#/components/schemas/CancelBatchRequest",
        "holds": "#/components/schemas/PutHoldRequest",
        "bulk": "#/components/schemas/BulkStartRequest",
        "preview": "#/components/schemas/BulkPreviewRequest",
        "cancel": "#/components/schemas/CancelRequest",
        "rerun": "#/components/schemas/RerunRequest",
        "limits": "#/components/schemas/QueueLimitsRequest",
        "pause": "#/components/schemas/HoldRequest",
        "suspend": "#/components/schemas/HoldRequest",
        "resume": "#/components/schemas/HoldRequest",
        "run-now": "#/components/schemas/HoldRequest",
        "priority": "#/components/schemas/PriorityRequest",
        "{name}:run": "#/components/schemas/RunScheduleRequest",
        "start": "#/components/schemas/StartRequest",
        "beat": "#/components/schemas/BeatRequest",
        "stack": "#/components/schemas/StackRequest",
        "finish": "#/components/schemas/FinishRequest",
        "parent": "#/components/schemas/ParentRequest",
        "parent-batch": "#/components/schemas/ParentBatchRequest",
    }
