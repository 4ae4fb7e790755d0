"""Nothing is read of a body before it is known that the caller may do what it asks for: every route, by the table."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, cast

import pytest
from fastapi.routing import iter_route_contexts

from bgjobs.bulk import MAX_BULK_BYTES
from bgjobs.protocol import MAX_CHECKPOINT_BYTES, PROTOCOL_HEADER
from bgjobs_api.app import PUBLIC_PATHS
from bgjobs_api.http.bodies import MAX_BODY_BYTES, MAX_NOTE_BYTES
from bgjobs_api.routes.runner import MAX_REPORT_BYTES, MAX_STACKS_BYTES
from bgjobs_core.resources.models import QUEUES, REQUESTS, SCHEDULES
from tests.api.pages.conftest import pages_app, site

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI

    from tests.api.pages.site import Site

__all__ = ["pages_app", "site"]

# What a body may have at most in bytes, by the end of the path; pages have forms.
LIMITS: Final = {
    "/api/v1/jobs": MAX_BODY_BYTES,
    "/api/v1/jobs:batch": 8 * 1024 * 1024,
    "/beat": MAX_BODY_BYTES + 3 * MAX_CHECKPOINT_BYTES,
    "/finish": MAX_REPORT_BYTES,
    "/rerun": MAX_BODY_BYTES,
    "/runner/v1/jobs/{job_id}/stack": MAX_STACKS_BYTES,
    "/api/v1/bulk": MAX_BULK_BYTES,
    "/bulk/preview": MAX_BULK_BYTES,
}
# No body is read at all; nor is one of any DELETE.
WITHOUT_BODY: Final = {
    "/api/v1/schedules/{namespace}/{name}:pause",
    "/api/v1/schedules/{namespace}/{name}:resume",
    "/api/v1/batches/{batch_id}/close",
    "/api/v1/jobs/{job_id}/stack",
    "/api/v1/bulk/{namespace}/{bulk_id}/stop",
    "/bulk/{namespace}/{bulk_id}/stop",
}
BATCH: Final = "0192f0c1-2a3b-7c4d-8e5f-001122334455"
MIB: Final = 1024 * 1024


def changing(app: FastAPI) -> Iterator[tuple[str, str]]:
    """The methods and paths of all routes that may have a body."""
    for context in iter_route_contexts(app.routes):
        if context.path not in PUBLIC_PATHS:
            yield from ((method, str(context.path)) for method in (context.methods or {"GET"}) - {"GET", "HEAD"})


class Sent:
    """One request by ASGI, which counts what is read of its body."""

    def __init__(self, method: str, path: str, token: str, body: bytes) -> None:
        self.read, self.status, self.answer = 0, 0, b""
        self._parts = [body[start : start + 65536] for start in range(0, len(body), 65536)]
        headers = [
            (b"host", b"api"),
            (b"authorization", f"Bearer {token}".encode()),
            (PROTOCOL_HEADER.lower().encode(), b"1"),
            (b"content-type", b"application/json"),
        ]  # no Content-Length: by that alone a long body could be refused
        self.scope: dict[str, Any] = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
            "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": headers,
            "client": ("127.0.0.1", 1), "server": ("api", 80),
        }  # fmt: skip

    async def receive(self) -> dict[str, Any]:
        part = self._parts.pop(0)
        self.read += len(part)
        return {"type": "http.request", "body": part, "more_body": bool(self._parts)}

    async def send(self, message: dict[str, Any]) -> None:
        self.status = message.get("status", self.status)
        self.answer += message.get("body", b"")


async def send(app: FastAPI, method: str, path: str, job_id: str, token: str, body: bytes) -> Sent:
    known = {"job_id": job_id, "batch_id": BATCH, "hold_id": BATCH, "bulk_id": BATCH, "namespace": "shop"}
    sent = Sent(method, path.format(**known, name="default"), token, body)
    await app(sent.scope, cast("Any", sent.receive), cast("Any", sent.send))
    return sent


async def test_a_caller_without_rights_costs_no_body(site: Site, pages_app: FastAPI) -> None:
    body = json.dumps({"parameters": ["x" * MIB]}).encode()
    job_id = await site.world.enqueued(batch=BATCH)
    for verb, resource in (
        *(("create", f"{REQUESTS}{sub}") for sub in ("", "/cancel", "/pause")),
        *(("get", f"{REQUESTS}{sub}") for sub in ("", "/log", "/result", "/stack")),
        *((verb, one) for verb in ("update", "patch") for one in (QUEUES, f"{QUEUES}/pause", SCHEDULES)),
    ):
        site.world.access.deny(verb, resource, "shop", "mail")
    token = site.world.token("mail", "nobody")
    seen: set[str] = set()
    for method, path in changing(pages_app):
        sent = await send(pages_app, method, path, job_id, token, body)
        assert (path, sent.read, sent.status) == (path, 0, 403), sent.answer[:300]
        seen.add(path)
    assert len(seen) >= 15, seen


@pytest.mark.usefixtures("site")
async def test_nobody_costs_no_body(pages_app: FastAPI) -> None:
    for method, path in changing(pages_app):
        sent = await send(pages_app, method, path, "x", "nobody knows it", b"x" * MIB)
        assert (path, sent.read, sent.status) == (path, 0, 401)


async def test_each_route_has_a_limit(site: Site, pages_app: FastAPI) -> None:
    """Of a caller who may do everything, no more is read than the route can use."""
    job_id = await site.world.launched(batch=BATCH)
    for method, path in changing(pages_app):
        limit = next((most for end, most in LIMITS.items() if path.endswith(end)), MAX_NOTE_BYTES)
        token = site.world.pod(job_id).token if path.startswith("/runner") else site.world.token()
        sent = await send(pages_app, method, path, job_id, token, b" " * (limit + MIB))
        if path in WITHOUT_BODY or method == "DELETE":
            assert (path, sent.read) == (path, 0)
        else:
            assert (path, sent.status) == (path, 413), sent.answer[:300]
            assert sent.read <= limit + 2 * 65536, path


@pytest.mark.parametrize("many", [1, 100])
async def test_names_that_have_no_jobs_are_no_question(site: Site, many: int) -> None:
    await site.world.enqueued()
    site.world.access.asked.clear()
    for path in ("/api/v1/jobs", "/api/v1/queues", "/api/v1/schedules"):
        query = "&".join(f"namespace=n{number}" for number in range(many))
        answer = await site.get(f"{path}?{query}")
        assert (answer.status_code, answer.json()["items"]) == (200, [])
    for path in ("/jobs?ns=n1", "/queues?ns=n1"):
        assert (await site.get(path)).status_code == 404
    assert not [one for one in site.world.access.asked if one[3].startswith("n")]


async def test_a_job_for_such_a_name_is_no_question(site: Site) -> None:
    answer = await site.world.enqueue(namespace="elsewhere")
    assert (answer.status_code, answer.json()["code"]) == (422, "no_namespace_of_jobs")
    assert not [one for one in site.world.access.asked if one[3] == "elsewhere"]
