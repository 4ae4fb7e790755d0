"""Progress as a runner sends it: whatever it says, what is stored and returned is finite and bounded."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import pytest

from bgjobs.protocol import PROTOCOL_HEADER
from bgjobs.wire import Progress
from bgjobs_api.routes import runner_statements
from tests.api.world import KUBE_UID

if TYPE_CHECKING:
    from tests.api.world import World

MOST = 1e15


@pytest.mark.parametrize(
    ("done", "total", "shown"),
    [
        (1e308, 1, (MOST, 1)),
        (-1e308, 1, (-MOST, 1)),
        (1, 1e308, (1, MOST)),
        (1, -1e308, (1, -MOST)),
        (1e308, 1e308, (MOST, MOST)),
        (MOST * 1.01, None, (MOST, None)),
        (MOST, -MOST, (MOST, -MOST)),
        (0.5, 5e-324, (0.5, 5e-324)),
    ],
)
async def test_what_is_beyond_all_use_is_bounded(
    world: World, done: float, total: float | None, shown: tuple[float, float | None]
) -> None:
    pod = await world.running()
    sent = {"done": done, "total": total, "message": "rows"}
    assert (await pod.call("beat", attempt=1, progress=sent)).status_code == 200
    stored = json.loads((await world.there(pod.job_id)).progress)
    assert (stored["done"], stored.get("total")) == shown
    for found in (
        (await world.get(f"/api/v1/jobs/{pod.job_id}")).json(),
        (await world.get("/api/v1/jobs?namespace=shop")).json()["items"][0],
    ):
        assert found["progress"] == {"done": shown[0], "total": shown[1], "message": "rows"}


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", "Infinity"])
@pytest.mark.parametrize("field", ["done", "total"])
async def test_what_is_no_number_is_refused_and_what_was_said_before_stays(
    world: World, field: str, number: str
) -> None:
    pod = await world.running()
    before = {"done": 1, "total": 2}
    await pod.call("beat", attempt=1, progress=before)
    said = {"kube_uid": KUBE_UID, "pod_uid": pod.uid, "pod_name": pod.name, "attempt": 1}
    content = json.dumps(said | {"progress": before | {field: "?"}}).replace('"?"', number).encode()
    path, headers = f"/runner/v1/jobs/{pod.job_id}/beat", {PROTOCOL_HEADER: "1"}
    answer = await world.call("POST", path, token=pod.token, content=content, headers=headers)
    assert answer.status_code == 422, answer.text
    assert (await world.get(f"/api/v1/jobs/{pod.job_id}")).json()["progress"] == before | {"message": None}


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
def test_what_is_not_finite_is_never_stored(number: float) -> None:
    """JSON cannot carry it; a later reader of bodies might let it in."""
    stored = json.loads(runner_statements.progress_of(Progress.model_construct(done=number, total=number)))
    assert stored == {"done": 0, "total": 0}
