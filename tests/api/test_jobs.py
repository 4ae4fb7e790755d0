"""Reading and cancelling single jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bgjobs.ids import new_job_id
from bgjobs.job_spec import CompleteSpec
from bgjobs.vocabulary import Outcome, State
from bgjobs.wire import AttemptList, Job
from bgjobs_core.jobs.record import AskedJob, NewJob

if TYPE_CHECKING:
    from tests.api.world import World


async def test_a_job_from_queue_to_result(world: World) -> None:
    pod = await world.running(parameters={"day": "monday"})
    await pod.call("beat", attempt=1, progress={"done": 3, "total": 7, "message": "pages"})
    job = Job.model_validate_json((await world.get(f"/api/v1/jobs/{pod.job_id}")).content)
    assert (job.state, job.attempt, job.kube_uid, job.kube_job) == (
        State.LAUNCHED, 1, "uid-of-the-kubejob", f"bgjob-{pod.job_id}",
    )  # fmt: skip
    assert job.progress is not None
    assert (job.progress.done, job.progress.total, job.progress.message) == (3, 7, "pages")
    await pod.call("finish", attempt=1, outcome="succeeded", has_result=True, result={"pages": 7}, exit_code=0)
    job = Job.model_validate_json((await world.get(f"/api/v1/jobs/{pod.job_id}")).content)
    assert (job.state, job.outcome, job.has_result) == (State.SUCCEEDED, Outcome.SUCCEEDED, True)
    assert (await world.get(f"/api/v1/jobs/{pod.job_id}/result")).json() == {"value": {"pages": 7}}


async def test_the_job_of_a_request_is_found_by_its_derived_id(world: World) -> None:
    job_id = "6f0f2c36-5c6b-5c0e-9d7e-1d9b6c3f8a51"
    spec = CompleteSpec(cls="shop.jobs.Report", method="build", max_retries=3, timeout_seconds=60, image="shop:1")
    asked = AskedJob(job_id, "shop", spec, "[]", "ada", request_name="nightly", request_uid="u")
    await world.store.enqueue(NewJob(asked, spec, 600, 600))
    assert (await world.get(f"/api/v1/jobs/{job_id}")).json()["request"] == "nightly"


NOT_IDS = ["nonsense", new_job_id().upper(), "6f0f2c36-5c6b-4c0e-9d7e-1d9b6c3f8a51", "x:attempt:1", "%00", new_job_id()]
READS = ["", "/attempts", "/log", "/attempts/1/log", "/result"]


@pytest.mark.parametrize("job_id", NOT_IDS, ids=range(len(NOT_IDS)))
async def test_what_is_not_there_is_not_found(world: World, job_id: str) -> None:
    for path in READS:
        response = await world.get(f"/api/v1/jobs/{job_id}{path}")
        assert (response.status_code, response.json()["code"]) == (404, "job_not_found")
    assert (await world.call("POST", f"/api/v1/jobs/{job_id}/cancel")).status_code == 404
    assert world.access.asked == []


NEEDS = [
    pytest.param("GET", "", "get", "backgroundjobrequests", id="job"),
    pytest.param("GET", "/attempts", "get", "backgroundjobrequests", id="attempts"),
    pytest.param("GET", "/log", "get", "backgroundjobrequests/log", id="log"),
    pytest.param("GET", "/attempts/1/log", "get", "backgroundjobrequests/log", id="log-of-an-attempt"),
    pytest.param("GET", "/result", "get", "backgroundjobrequests/result", id="result"),
    pytest.param("POST", "/cancel", "create", "backgroundjobrequests/cancel", id="cancel"),
]


@pytest.mark.parametrize(("method", "path", "verb", "target"), NEEDS)
async def test_each_action_needs_its_own_right(world: World, method: str, path: str, verb: str, target: str) -> None:
    pod = await world.running()
    world.access.asked.clear()
    world.access.deny(verb, target, "shop")
    response = await world.call(method, f"/api/v1/jobs/{pod.job_id}{path}", token=world.token("other", "spy"))
    assert response.status_code == 403
    assert f"system:serviceaccount:other:spy cannot {verb} {target} of bgjobs.dev" in response.json()["detail"]
    assert world.access.asked == [("system:serviceaccount:other:spy", verb, target, "shop")]
    assert (await world.there(pod.job_id)).state == State.LAUNCHED


async def test_attempts_tell_how_each_ended(world: World) -> None:
    pod = await world.running()
    error = {"type": "ValueError", "message": "no such day", "traceback": "Traceback ..."}
    assert (await pod.call("finish", attempt=1, outcome="error", error=error, exit_code=1)).json() == {
        "action": "recorded", "state": "launched", "again": True,
    }  # fmt: skip
    second = world.pod(pod.job_id, "second")
    assert (await second.call("start")).json()["attempt"] == 2
    response = await world.get(f"/api/v1/jobs/{pod.job_id}/attempts")
    first, latest = AttemptList.model_validate_json(response.content).items
    assert (first.number, first.pod_name, first.outcome, first.exit_code) == (1, pod.name, Outcome.ERROR, 1)
    assert first.error is not None
    assert first.error.model_dump() == error
    assert (latest.number, latest.pod_name, latest.outcome, latest.ended_at) == (2, second.name, None, None)


async def test_a_waiting_job_is_cancelled_at_once(world: World) -> None:
    job_id = await world.enqueued()
    response = await world.call("POST", f"/api/v1/jobs/{job_id}/cancel", json={"note": "no longer wanted"})
    assert response.status_code == 202
    job = Job.model_validate_json(response.content)
    assert (job.state, job.note, job.stopped_by) == (
        State.CANCELLED, "no longer wanted", "system:serviceaccount:shop:web",
    )  # fmt: skip


async def test_a_running_job_is_stopping_until_it_is_gone(world: World) -> None:
    pod = await world.running()
    response = await world.call("POST", f"/api/v1/jobs/{pod.job_id}/cancel")
    assert (response.status_code, response.json()["state"]) == (202, "stopping")
    assert (await pod.call("beat", attempt=1)).json()["action"] == "stop"
    assert (await world.pod(pod.job_id, "other").call("start")).json()["action"] == "go_away"


async def test_cancelling_twice_is_cancelling_once(world: World) -> None:
    job_id = await world.enqueued()
    path = f"/api/v1/jobs/{job_id}/cancel"
    first = await world.call("POST", path, json={"note": "first"})
    again = await world.call("POST", path, json={"note": "second"})
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json()["note"] == "first"
    other = await world.call("POST", path, token=world.token("shop", "other"))
    assert (other.status_code, other.json()["code"]) == (409, "job_ended")


async def test_what_has_ended_cannot_be_cancelled(world: World) -> None:
    pod = await world.running()
    await pod.call("finish", attempt=1, outcome="succeeded")
    response = await world.call("POST", f"/api/v1/jobs/{pod.job_id}/cancel")
    assert response.status_code == 409
    assert response.json()["detail"] == "the job has ended already: it is succeeded"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b"{}", 202, id="empty-object"),
        pytest.param(b'{"note":null}', 202, id="no-note"),
        pytest.param(b'{"note":"%s"}' % (b"x" * 501), 422, id="long-note"),
        pytest.param(b'{"reason":"x"}', 422, id="unknown-field"),
        pytest.param(b"x", 400, id="no-json"),
    ],
)
async def test_the_body_of_a_cancel(world: World, body: bytes, status: int) -> None:
    job_id = await world.enqueued()
    assert (await world.call("POST", f"/api/v1/jobs/{job_id}/cancel", content=body)).status_code == status


async def test_there_is_no_result_before_success(world: World) -> None:
    pod = await world.running()
    response = await world.get(f"/api/v1/jobs/{pod.job_id}/result")
    assert (response.status_code, response.json()["code"]) == (409, "not_succeeded")
    assert "launched" in response.json()["detail"]
    await pod.call("finish", attempt=1, outcome="aborted", error={"type": "Abort"})
    assert "failed" in (await world.get(f"/api/v1/jobs/{pod.job_id}/result")).json()["detail"]


async def test_a_method_that_returned_nothing_has_no_result(world: World) -> None:
    pod = await world.running()
    await pod.call("finish", attempt=1, outcome="succeeded")
    response = await world.get(f"/api/v1/jobs/{pod.job_id}/result")
    assert (response.status_code, response.json()["code"]) == (404, "no_result")
