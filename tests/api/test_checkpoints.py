"""Where the next attempt of a job goes on: what pods say of it, what they get, and who may see it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bgjobs.ids import new_job_id
from bgjobs.protocol import MAX_CHECKPOINT_BYTES
from tests.api.world import EPOCH, KUBE_UID

if TYPE_CHECKING:
    from tests.api.world import Pod, World

ROW = {"row": 41_000, "é": [1.5, None, 2**63 - 1]}


async def shown(world: World, pod: Pod) -> tuple[bool, Any]:
    job = (await world.get(f"/api/v1/jobs/{pod.job_id}")).json()
    return job["has_checkpoint"], job["checkpoint"]


async def test_the_next_pod_gets_what_the_last_one_said(world: World) -> None:
    pod = await world.running()
    assert (await pod.call("start")).json()["checkpoint"] is None
    await pod.call("beat", attempt=1, checkpoint={"row": 1})
    await pod.call("beat", attempt=1)
    await pod.call("beat", attempt=1, checkpoint=ROW)

    started = (await world.pod(pod.job_id, "second").call("start")).json()

    assert (started["action"], started["attempt"], started["checkpoint"]) == ("run", 2, ROW)
    assert await shown(world, pod) == (True, ROW)


async def test_it_may_come_with_the_end_and_be_taken_back(world: World) -> None:
    pod = await world.running()
    await pod.call("beat", attempt=1, checkpoint={"row": 1})
    await pod.call("finish", attempt=1, outcome="error", checkpoint={"row": 2})
    second = world.pod(pod.job_id, "second")
    assert (await second.call("start")).json()["checkpoint"] == {"row": 2}

    await second.call("beat", attempt=2, checkpoint=None)

    assert (await second.call("start")).json()["checkpoint"] is None
    assert await shown(world, pod) == (False, None)


async def test_who_may_not_run_the_job_does_not_get_it(world: World) -> None:
    pod = await world.running()
    await pod.call("beat", attempt=1, checkpoint=ROW)

    reply = (await world.pod(pod.job_id, "stray").call("start", kube_uid="another")).json()

    assert (reply["action"], reply["checkpoint"]) == ("go_away", None)


@pytest.mark.parametrize("verb", ["beat", "finish"])
@pytest.mark.parametrize(
    "checkpoint",
    ["x" * (MAX_CHECKPOINT_BYTES - 1), {"a": {"b": 2**64}}, json.loads("[" * 65 + "]" * 65)],
    ids=["large", "number", "deep"],
)
async def test_one_that_cannot_be_kept_is_refused(world: World, verb: str, checkpoint: Any) -> None:
    pod = await world.running()
    outcome = {"outcome": "error"} if verb == "finish" else {}

    response = await pod.call(verb, attempt=1, checkpoint=checkpoint, **outcome)

    assert response.status_code in {400, 422}
    if response.status_code == 422:
        assert [error["field"].partition(".")[0] for error in response.json()["errors"]] == ["checkpoint"]
    assert await shown(world, pod) == (False, None)
    assert (await world.there(pod.job_id)).phase == "running"


async def test_the_largest_comes_with_a_beat_as_a_runner_writes_it(world: World) -> None:
    """In ASCII, in which it takes three times as many bytes."""
    pod = await world.running()
    most = "é" * ((MAX_CHECKPOINT_BYTES - 2) // 2)

    assert (await pod.call("beat", attempt=1, checkpoint=most)).status_code == 200

    assert await shown(world, pod) == (True, most)


async def test_who_may_not_read_results_hears_only_that_there_is_one(world: World) -> None:
    pod = await world.running()
    await pod.call("beat", attempt=1, checkpoint=ROW)
    world.access.deny("get", "backgroundjobrequests/result", "shop")

    assert await shown(world, pod) == (True, None)


async def test_lists_have_none(world: World) -> None:
    """They would be read for each row."""
    pod = await world.running()
    await pod.call("beat", attempt=1, checkpoint=ROW)

    (job,) = (await world.get("/api/v1/jobs")).json()["items"]

    assert (job["has_checkpoint"], job["checkpoint"]) == (False, None)


async def test_a_rerun_begins_without_one(world: World) -> None:
    pod = await world.running(max_retries=0)
    await pod.call("finish", attempt=1, outcome="aborted", checkpoint=ROW)
    assert await shown(world, pod) == (True, ROW), "it is there to be looked at"

    again = new_job_id()
    assert (await world.call("POST", f"/api/v1/jobs/{pod.job_id}/rerun", json={"id": again})).status_code == 201
    assert again in (await world.store.claim(epoch=EPOCH, queue="shop/default", limit=10)).ids
    await world.store.bind(job_id=again, kube_uid=KUBE_UID)

    started = (await world.pod(again).call("start")).json()

    assert (started["action"], started["checkpoint"]) == ("run", None)
