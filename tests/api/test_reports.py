"""The bodies of `finish`: whatever a runner may write is read, and what cannot be kept costs nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bgjobs import strict_json
from bgjobs.protocol import MAX_JSON_BYTES, PROTOCOL_HEADER
from bgjobs.runner_wire import FinishRequest
from bgjobs_api.http import bodies
from bgjobs_api.routes.runner import MAX_REPORT_BYTES, MOST_OF_A_REPORT
from tests.api.world import KUBE_UID

if TYPE_CHECKING:
    import httpx2

    from tests.api.world import World


async def _reported(world: World, result: str, **more: Any) -> httpx2.Response:
    """What is answered to a report with this result, as JSON; more: of its fields."""
    pod = await world.running()
    said = {"kube_uid": KUBE_UID, "pod_uid": pod.uid, "pod_name": pod.name, "attempt": 1, "outcome": "succeeded",
            "has_result": True} | more  # fmt: skip
    content = f'{json.dumps(said)[:-1]}, "result": {result}}}'.encode()
    answer = await world.call(
        "POST",
        f"/runner/v1/jobs/{pod.job_id}/finish",
        token=pod.token,
        content=content,
        headers={PROTOCOL_HEADER: "1"},
    )
    if answer.status_code == 200 and not more:
        assert (await world.get(f"/api/v1/jobs/{pod.job_id}/result")).json() == {"value": json.loads(result)}
    return answer


@pytest.mark.parametrize(
    ("value", "times"),
    [
        ("é" * ((MAX_JSON_BYTES - 2) // 2), 3),
        ("\U0001f600" * ((MAX_JSON_BYTES - 2) // 4), 3),
        ("\x7f" * (MAX_JSON_BYTES - 2), 6),
        (["\x7f" * 3] * (MAX_JSON_BYTES // 7), 3),
        ({f"é{number:07}": "\x7f,[{" for number in range(MAX_JSON_BYTES // 20)}, 1.5),
        (["\\é\x7f"] * (MAX_JSON_BYTES // 9), 2),
    ],
    ids=["an accent", "a picture", "DEL", "a list", "an object", "backslashes"],
)
async def test_a_result_may_be_written_in_ascii(world: World, value: Any, times: float) -> None:
    """As the runner writes it: up to six times as many bytes as are stored."""
    strict_json.dumps(value)
    assert len(text := json.dumps(value)) >= times * 0.95 * MAX_JSON_BYTES
    assert (await _reported(world, text)).status_code == 200


async def test_a_result_may_be_written_with_spaces(world: World) -> None:
    text = json.dumps(list(range(30_000)), indent=20)
    assert len(text) > MOST_OF_A_REPORT
    assert (await _reported(world, text)).status_code == 200


async def test_a_long_error_is_cut_and_not_refused(world: World) -> None:
    error = {"type": "E", "message": "m", "traceback": "File, line\n" * 70_000}
    answer = await _reported(world, "null", outcome="aborted", has_result=False, error=error)
    assert answer.status_code == 413  # it has many commas, and so could have many parts; no runner sends as much
    error["traceback"] = "File line\n" * 70_000
    assert (await _reported(world, "null", outcome="aborted", has_result=False, error=error)).status_code == 200


@pytest.mark.parametrize(
    "result",
    [
        json.dumps({f"k{number:07}": 0 for number in range(40_000)}),
        f"[{'[],' * 200_000}[]]",
        json.dumps([*[[]] * 100_000, "\\u" * 100_000]),  # a backslash and a letter, which is no escape
        json.dumps([*[[]] * 20_000, "\\/" * 150_000]),
    ],
    ids=["an object", "a list", "like escapes", "like an escaped slash"],
)
async def test_a_result_of_more_parts_than_fit_is_refused_before_it_is_read(
    world: World, monkeypatch: pytest.MonkeyPatch, result: str
) -> None:
    read = bodies.parse

    def parse(model: type[Any], body: bytes) -> Any:
        assert model is not FinishRequest, "it is read"
        return read(model, body)

    assert MOST_OF_A_REPORT < len(result) < MAX_REPORT_BYTES
    monkeypatch.setattr(bodies, "parse", parse)
    answer = await _reported(world, result)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert "many parts" in answer.json()["detail"]
