"""A pod that goes on with the next attempt, as the API hears of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.api.world import World

RETRY: dict[str, Any] = {"attempt": 1, "outcome": "error", "error": {"type": "Retry", "message": "rate limited"}}


async def test_a_pod_goes_on_after_the_pause_of_its_code(world: World) -> None:
    pod = await world.running(max_retries=2)
    assert (await pod.call("start")).json()["retries_in_pod"] is True

    finished = await pod.call("finish", **RETRY, retry_after_seconds=1.5)
    assert finished.json() == {"action": "recorded", "state": "launched", "again": True}
    why = (await world.get(f"/api/v1/jobs/{pod.job_id}/why")).json()["why"]
    assert (why["code"], why["next_try_at"] is not None) == ("back_off", True)
    assert "the pause is over that its code has asked for" in why["message"]

    started = (await pod.call("start", after=1)).json()
    assert (started["action"], started["attempt"], started["retries_in_pod"]) == ("run", 2, True)
    attempts = (await world.get(f"/api/v1/jobs/{pod.job_id}/attempts")).json()["items"]
    assert [(one["number"], one["pod_name"], one["outcome"]) for one in attempts] == [
        (1, pod.name, "error"),
        (2, pod.name, None),
    ]


async def test_the_last_one_ends_the_job(world: World) -> None:
    pod = await world.running(max_retries=1)
    await pod.call("finish", **RETRY, retry_after_seconds=0)
    await pod.call("start", after=1)

    second: dict[str, Any] = {**RETRY, "attempt": 2}
    finished = await pod.call("finish", **second, retry_after_seconds=0)

    assert finished.json() == {"action": "recorded", "state": "failed", "again": False}
    job = (await world.get(f"/api/v1/jobs/{pod.job_id}")).json()
    assert (job["outcome"], job["error"]["message"]) == ("error", "rate limited")


@pytest.mark.parametrize("seconds", [-1, 86_401, "soon", [1]], ids=str)
async def test_a_pause_that_cannot_be_is_refused(world: World, seconds: Any) -> None:
    pod = await world.running()

    response = await pod.call("finish", **RETRY, retry_after_seconds=seconds)

    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, "retry_after_seconds")
    assert (await world.there(pod.job_id)).phase == "running"


@pytest.mark.parametrize("after", [0, -1, "x", 1.5])
async def test_the_attempt_after_which_it_asks_is_a_number(world: World, after: Any) -> None:
    pod = await world.running()
    response = await pod.call("start", after=after)
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, "after")
