"""What holds for all pages at once: who may see them, what a browser may do with them, and what templates may not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fastapi.routing import APIRoute, iter_route_contexts

from bgjobs.ids import new_job_id
from bgjobs_api import pages
from bgjobs_api.app import PUBLIC_PATHS, openapi_text
from bgjobs_api.http.callers import identify
from bgjobs_api.pages.shared import rendering
from tests.api.pages.site import FORM
from tests.api.test_routes import dependencies
from tests.api.world import chunk, lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI

    from tests.api.pages.site import Site

TEMPLATES = sorted((Path(pages.__file__).parent / "templates").glob("*.html"))
STATIC = "/static/{digest}/{path:path}"
SIGNED_OUT = "/signed-out"


def routes(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Methods and paths of pages."""
    for context in iter_route_contexts(app.routes):
        path = str(context.path)
        if not path.startswith(("/api/", "/runner/", "/healthz", "/readyz", "/static/")):
            yield from ((method, path) for method in sorted(context.methods or ()))


def test_these_are_the_pages(pages_app: FastAPI) -> None:
    assert {f"{method} {path}" for method, path in routes(pages_app)} == {
        "GET /",
        "GET /bulk/preview",
        "GET /bulk/start",
        "POST /bulk/start",
        "GET /bulk/{namespace}/{bulk_id}",
        "GET /bulk/{namespace}/{bulk_id}/stop",
        "POST /bulk/{namespace}/{bulk_id}/stop",
        "GET /jobs",
        "GET /jobs/{job_id}",
        "GET /jobs/{job_id}/attempts/{number}/log",
        "GET /jobs/{job_id}/cancel",
        "GET /jobs/{job_id}/pause",
        "POST /jobs/{job_id}/pause",
        "GET /jobs/{job_id}/suspend",
        "POST /jobs/{job_id}/suspend",
        "GET /jobs/{job_id}/resume",
        "POST /jobs/{job_id}/resume",
        "GET /jobs/{job_id}/run-now",
        "POST /jobs/{job_id}/run-now",
        "GET /jobs/{job_id}/rerun",
        "GET /queues",
        "GET /holds/{namespace}/{hold_id}/release",
        "POST /holds/{namespace}/{hold_id}/release",
        "GET /batches",
        "GET /schedules",
        "GET /schedules/{namespace}/{name}",
        "GET /schedules/{namespace}/{name}/run",
        "POST /schedules/{namespace}/{name}/run",
        "GET /schedules/{namespace}/{name}/pause",
        "POST /schedules/{namespace}/{name}/pause",
        "GET /schedules/{namespace}/{name}/resume",
        "POST /schedules/{namespace}/{name}/resume",
        "GET /jobs/{job_id}/stack",
        "POST /jobs/{job_id}/stack",
        f"GET {SIGNED_OUT}",
        "POST /jobs/{job_id}/cancel",
        "POST /jobs/{job_id}/rerun",
    }


def test_every_page_asks_who_looks(pages_app: FastAPI) -> None:
    open_to_all = {
        str(context.path)
        for context in iter_route_contexts(pages_app.routes)
        if not (isinstance(context.original_route, APIRoute) and identify in dependencies(context.dependant))
    }
    assert open_to_all == PUBLIC_PATHS | {STATIC, SIGNED_OUT}


def test_pages_are_no_part_of_the_api(pages_app: FastAPI) -> None:
    assert not any(path in openapi_text() for path in ('"/jobs"', '"/queues"', '"/"', "/static/"))
    assert set(pages_app.openapi()["paths"]) == set(re.findall(r'^    "(/[^"]*)": \{$', openapi_text(), re.MULTILINE))


async def _answers(site: Site, app: FastAPI, token: str | None) -> list[tuple[str, int, dict[str, str]]]:
    job_id = (await site.world.running()).job_id
    found: list[tuple[str, int, dict[str, str]]] = []
    for method, path in routes(app):
        for one in (job_id, new_job_id()):
            headers = FORM | ({"Authorization": f"Bearer {token}"} if token else {})
            known = {"job_id": one, "hold_id": one, "bulk_id": one, "number": 1, "namespace": "shop", "name": "x"}
            response = await site.world.http.request(method, path.format(**known), headers=headers)
            found.append((f"{method} {path}", response.status_code, dict(response.headers)))
    return found


@pytest.mark.parametrize("known", [True, False])
async def test_every_answer_has_the_headers_of_a_page(site: Site, pages_app: FastAPI, known: bool) -> None:
    """Good ones and errors alike."""
    for route, status, headers in await _answers(site, pages_app, site.world.token() if known else None):
        assert (status == 401) is not (known or route == f"GET {SIGNED_OUT}"), route
        assert status < 500, route
        assert {name: headers.get(name.lower()) for name in rendering.HEADERS} == rendering.HEADERS, route


async def test_errors_are_pages_too(site: Site) -> None:
    for path, status, words in (
        ("/nothing", 404, "Not Found"),
        (f"/jobs/{new_job_id()}", 404, "there is no job"),
        ("/jobs/nonsense", 404, "there is no job nonsense"),
        ("/jobs?state=nope", 422, "must be one of"),
        ("/jobs?staet=failed", 422, "there is no such field"),
        ("/jobs?cursor=x", 422, "is not one that a page gave"),
        ("/jobs?ns=UPPER", 422, "ns"),
        ("/queues?queue=x", 422, "there is no such field"),
        ("/schedules?x=x", 422, "there is no such field"),
        ("/schedules/shop/nothing", 404, "there is no BackgroundJobSchedule"),
        ("/batches?cursor=x", 422, "is not one that a page gave"),
    ):
        response = await site.get(path)
        assert (response.status_code, response.headers["Content-Type"]) == (status, "text/html; charset=utf-8"), path
        assert words in response.text, path
        assert response.headers["Content-Security-Policy"] == rendering.CSP


async def test_programs_go_on_getting_problems(site: Site) -> None:
    for path in (
        "/api/v1/jobs/x",
        "/api/nothing",
        "/api/v1/jobs?state=nope",
        "/runner/v1/nothing",
        "/static/x/nothing",
    ):
        response = await site.get(path)
        assert response.headers["Content-Type"] == "application/problem+json", path
    assert (await site.get("/healthz")).status_code == 200


async def test_without_an_answer_from_kubernetes_the_page_says_so(site: Site) -> None:
    site.world.access.away = True
    response = await site.get("/jobs")
    assert response.status_code == 503
    assert "Kubernetes does not say whether this is allowed" in response.text


async def test_a_defect_tells_nothing_of_itself(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken() -> int:
        raise RuntimeError("a secret")

    monkeypatch.setattr(site.world.store, "now_ms", broken)
    response = await site.get("/jobs")
    assert response.status_code == 500
    assert "a secret" not in response.text
    assert "the server&#39;s log says what" in response.text


async def test_writes_from_other_sites_are_refused(site: Site) -> None:
    job_id = await site.world.enqueued()
    for verb in ("cancel", "rerun", "pause", "suspend", "resume", "run-now"):
        response = await site.world.call("POST", f"/jobs/{job_id}/{verb}", headers={"Sec-Fetch-Site": "cross-site"})
        assert response.status_code == 403
    assert (await site.world.there(job_id)).state == "queued"
    for verb in ("run", "pause", "resume"):
        headers = {"Sec-Fetch-Site": "cross-site"}
        assert (await site.world.call("POST", f"/schedules/shop/x/{verb}", headers=headers)).status_code == 403


HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>'


async def test_what_jobs_say_is_text(site: Site) -> None:

    pod = await site.world.running(parameters={HOSTILE: HOSTILE}, max_retries=0)
    await pod.call("beat", attempt=1, chunk=chunk(0, lines(HOSTILE)))
    await pod.call("beat", attempt=1, progress={"done": 1, "total": 2, "message": HOSTILE})
    running = [await site.get(path) for path in ("/jobs", f"/jobs/{pod.job_id}")]
    error = {"type": HOSTILE, "message": HOSTILE, "traceback": f'  File "{HOSTILE}"\n    {HOSTILE}\n{HOSTILE}'}
    await pod.call("finish", attempt=1, outcome="aborted", error=error, exit_code=1)
    await site.set(pod.job_id, note=HOSTILE, stopped_by=HOSTILE, created_by=HOSTILE, reason=HOSTILE)
    failed = [await site.get(path) for path in ("/jobs", f"/jobs/{pod.job_id}")]
    for response in (*running, *failed):
        assert response.status_code == 200
        assert "alert(1)" in response.text
        assert "<script>" not in response.text
        assert "<img" not in response.text


async def test_a_query_is_text(site: Site) -> None:
    for path in ("/jobs?class=", "/jobs?state=", "/jobs?x="):
        response = await site.get(path + "%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E")
        assert "<script>alert" not in response.text


async def test_a_log_as_text_is_never_a_page(site: Site) -> None:

    pod = await site.world.running()
    await pod.call("beat", attempt=1, chunk=chunk(0, lines("<html>", "\x1b[31mred")))
    response = await site.get(f"/jobs/{pod.job_id}/attempts/1/log")
    assert response.text == "<html>\n\x1b[31mred\n"
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert "Content-Disposition" not in response.headers
    response = await site.get(f"/jobs/{pod.job_id}/attempts/1/log?download=1")
    name = f"shop.jobs.Report.build-{pod.job_id}-1.log"
    assert response.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    assert (await site.get(f"/jobs/{pod.job_id}/attempts/2/log")).status_code == 404


BANNED = {
    "an inline script": r"<script(?![^>]*\bsrc=)",
    "an inline style": r"<style|\sstyle\s*=",
    "a handler": r"\son\w+\s*=",
    "code in an attribute": r"hx-on|hx-vals|\bjs:|javascript:",
    "a filter in a trigger": r'hx-trigger="[^"]*\[',
    "something from elsewhere": r"(?:src|href|action)\s*=\s*\"(?:https?:)?//",
}


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_templates_have_nothing_that_the_policy_forbids(template: Path) -> None:
    text = template.read_text()
    assert [what for what, pattern in BANNED.items() if re.search(pattern, text, re.IGNORECASE)] == []


def test_there_are_templates() -> None:
    assert len(TEMPLATES) > 8
    assert re.search(BANNED["a handler"], '<a onclick="x">')
    assert re.search(BANNED["an inline script"], "<script>x</script>")
