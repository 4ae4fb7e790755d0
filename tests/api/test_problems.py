"""Every error has one shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bgjobs.wire import Problem
from bgjobs_api.http.bodies import MAX_BODY_BYTES
from bgjobs_api.routes.runner import MAX_BEAT_BYTES, MAX_REPORT_BYTES
from bgjobs_core.redis.errors import StoreError, StoreFullError, StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    import httpx2

    from tests.api.world import World


def problem_of(response: httpx2.Response) -> Problem:
    assert response.headers["Content-Type"] == "application/problem+json"
    problem = Problem.model_validate_json(response.content)
    assert problem.status == response.status_code
    assert problem.title
    assert problem.detail
    return problem


async def test_no_such_path(world: World) -> None:
    for path in ("/", "/api/v1/nothing", "/api/v1/jobs/", "/docs", "/redoc"):
        response = await world.get(path)
        assert (response.status_code, problem_of(response).code) == (404, "not_found")


async def test_no_such_method(world: World) -> None:
    response = await world.call("DELETE", "/api/v1/jobs")
    assert (response.status_code, problem_of(response).code) == (405, "method_not_allowed")
    assert set(response.headers["Allow"].split(", ")) <= {"GET", "POST", "HEAD"}


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (StoreUnavailableError("secret host"), 503, "store_unavailable"),
        (StoreFullError("secret"), 507, "store_full"),
        (StoreError("secret"), 500, "internal"),
        (ZeroDivisionError("secret"), 500, "internal"),
        (RecursionError("secret"), 500, "internal"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
async def test_what_goes_wrong_inside(
    world: World, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, code: str
) -> None:
    async def fail(*_: object) -> None:
        raise error

    job_id = await world.enqueued()
    monkeypatch.setattr(world.store, "full_job", fail)
    monkeypatch.setattr(world.store, "enqueue", fail)
    for response in (await world.get(f"/api/v1/jobs/{job_id}"), await world.enqueue()):
        assert (response.status_code, problem_of(response).code) == (status, code)
        assert "secret" not in response.text
        assert response.headers.get("Retry-After") == ("2" if status == 503 else None)


async def counted(total: int, sent: list[int]) -> AsyncGenerator[bytes]:
    for _ in range(total // 1024):
        sent.append(1024)
        yield b" " * 1024


async def test_a_body_that_is_too_large_is_not_read_to_its_end(world: World) -> None:
    sent: list[int] = []
    response = await world.call("POST", "/api/v1/jobs", content=counted(100 * MAX_BODY_BYTES, sent))
    assert (response.status_code, problem_of(response).code) == (413, "body_too_large")
    assert "524,288 bytes" in response.json()["detail"]
    assert sum(sent) <= MAX_BODY_BYTES + 2048


async def test_a_body_that_says_it_is_too_large_is_not_read_at_all(world: World) -> None:
    sent: list[int] = []
    for length in (str(MAX_BODY_BYTES + 1), "9" * 5000):
        response = await world.call(
            "POST", "/api/v1/jobs", content=counted(MAX_BODY_BYTES, sent), headers={"Content-Length": length}
        )
        assert response.status_code == 413
    assert sent == []


async def test_a_report_may_be_larger(world: World) -> None:
    pod = await world.running()
    path = f"/runner/v1/jobs/{pod.job_id}"
    more: dict[str, Any] = {"token": pod.token, "headers": {"Bgjobs-Protocol": "1"}}
    assert (await world.call("POST", f"{path}/beat", content=b" " * (MAX_BEAT_BYTES + 1), **more)).status_code == 413
    assert (await world.call("POST", f"{path}/finish", content=b" " * MAX_REPORT_BYTES, **more)).status_code == 400
    assert (
        await world.call("POST", f"{path}/finish", content=b" " * (MAX_REPORT_BYTES + 1), **more)
    ).status_code == 413
