"""The trace of a job: in the body, or in the header of whoever asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bgjobs.ids import new_job_id

if TYPE_CHECKING:
    from tests.api.world import World

HERE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
THERE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"


def body(**more: object) -> dict[str, object]:
    call = {"id": new_job_id(), "namespace": "shop", "class": "shop.jobs.Report", "method": "build"}
    return call | more


async def test_it_reaches_the_runner(world: World) -> None:
    job_id = await world.launched(traceparent=HERE)
    assert (await world.call("GET", f"/api/v1/jobs/{job_id}")).json()["traceparent"] == HERE
    assert (await world.pod(job_id).call("start")).json()["traceparent"] == HERE


@pytest.mark.parametrize(
    ("header", "said", "kept"),
    [(HERE, {}, HERE), (HERE, {"traceparent": THERE}, THERE), ("00-odd", {}, None), (None, {}, None)],
    ids=["header", "both", "odd header", "none"],
)
async def test_the_header_counts_for_jobs_that_name_none(
    world: World, header: str | None, said: dict[str, object], kept: str | None
) -> None:
    headers = {"traceparent": header} if header else {}
    alone = await world.call("POST", "/api/v1/jobs", json=body(**said), headers=headers)
    assert (alone.status_code, alone.json()["traceparent"]) == (201, kept)
    many = await world.call("POST", "/api/v1/jobs:batch", json={"jobs": [body(**said)]}, headers=headers)
    job_id = many.json()["items"][0]["id"]
    assert (await world.call("GET", f"/api/v1/jobs/{job_id}")).json()["traceparent"] == kept


async def test_a_bad_one_is_refused_with_its_field(world: World) -> None:
    response = await world.enqueue(traceparent="00-odd")
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == "traceparent"


async def test_asking_again_from_another_place_is_the_same_job(world: World) -> None:
    asked = body()
    first = await world.call("POST", "/api/v1/jobs", json=asked, headers={"traceparent": HERE})
    again = await world.call("POST", "/api/v1/jobs", json=asked, headers={"traceparent": THERE})
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["traceparent"] == HERE


async def test_a_job_that_runs_again_is_in_no_trace(world: World) -> None:
    pod = await world.running(traceparent=HERE)
    await pod.call("finish", attempt=1, outcome="succeeded")
    again = await world.call("POST", f"/api/v1/jobs/{pod.job_id}/rerun", json={"id": new_job_id()})
    assert (again.status_code, again.json()["traceparent"]) == (201, None)
