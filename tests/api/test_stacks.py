"""What a running job does: who may ask, how the wish gets to its pod, and what comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bgjobs.protocol import MAX_STACK_BYTES
from bgjobs_core.store import keys
from tests.api.world import chunk, lines

if TYPE_CHECKING:
    from tests.api.world import Pod, World

TEXT = 'Main thread (the innermost call last):\n  File "/app/shop/jobs.py", line 41, in Invoices.render\n'


def path(pod: Pod) -> str:
    return f"/api/v1/jobs/{pod.job_id}/stack"


async def told(pod: Pod) -> tuple[float, int | None]:
    """When the next beat is wanted, and which wish it is to hear of."""
    reply = (await pod.call("beat", attempt=1)).json()
    return reply["beat_seconds"], reply.get("stack")


async def answers(pod: Pod, number: int = 1, text: str = TEXT, **more: Any) -> Any:
    body: dict[str, Any] = {"attempt": 1, "number": number, "text": text, **more}
    response = await pod.call("stack", **body)
    assert response.status_code == 200, response.text
    return response.json()["action"]


async def test_the_wish_goes_to_the_pod_and_the_answer_comes_back(world: World) -> None:
    pod = await world.running()
    assert await told(pod) == (10.0, None)

    asked = await world.call("POST", path(pod))

    assert (asked.status_code, asked.json()) == (202, {"number": 1})
    assert (await world.call("POST", path(pod))).json() == {"number": 1}, "the same wish"
    shown = (await world.get(path(pod))).json()
    assert (shown["state"], shown["attempt"], shown["text"], shown["taken_at"]) == ("asked", 1, None, None)
    assert await told(pod) == (1.0, 1)

    assert await answers(pod) == "recorded"

    shown = (await world.get(path(pod))).json()
    assert (shown["number"], shown["state"], shown["text"]) == (1, "taken", TEXT)
    assert shown["asked_at"] <= shown["taken_at"]
    assert (await told(pod))[1] is None


async def test_who_waits_keeps_the_pod_awake(world: World) -> None:
    pod = await world.running()
    await world.call("POST", path(pod))
    await world.store._ask("DEL", keys.watched(pod.job_id))  # pyright: ignore[reportPrivateUsage] - as after 15 s
    assert await told(pod) == (10.0, None)

    await world.get(path(pod))

    assert await told(pod) == (1.0, 1)


async def test_nobody_has_asked(world: World) -> None:
    pod = await world.running()

    response = await world.get(path(pod))

    assert (response.status_code, response.json()["code"]) == (404, "no_stack")


async def test_a_job_that_does_not_run_cannot_be_asked(world: World) -> None:
    job_id = await world.enqueued()

    response = await world.call("POST", f"/api/v1/jobs/{job_id}/stack")

    assert (response.status_code, response.json()["code"]) == (409, "job_not_running")
    assert response.json()["detail"] == "the job has no stacks to show: its code does not run; it is queued"
    missing = await world.call("POST", "/api/v1/jobs/0192f0c1-2a3b-7c4d-8e5f-001122334455/stack")
    assert (missing.status_code, missing.json()["code"]) == (404, "job_not_found")


async def test_an_attempt_that_ends_first_is_missed(world: World) -> None:
    pod = await world.running()
    await world.call("POST", path(pod))
    await pod.call("finish", attempt=1, outcome="succeeded")

    assert (await world.get(path(pod))).json()["state"] == "missed"
    assert await answers(pod) == "go_away"
    again = await world.call("POST", path(pod))
    assert again.status_code == 409
    assert "it has ended, and is succeeded" in again.json()["detail"]


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_it_is_a_right_of_its_own(world: World, method: str) -> None:
    pod = await world.running()
    world.access.deny("get", "backgroundjobrequests/stack", "shop")

    response = await world.call(method, path(pod))

    assert response.status_code == 403
    assert response.json()["resource"] == "backgroundjobrequests/stack"
    assert "--clusterrole bgjobs-submitter" in response.json()["remedy"]
    assert await told(pod) == (10.0, None)


async def test_another_pod_cannot_answer(world: World) -> None:
    pod = await world.running()
    await world.call("POST", path(pod))

    assert await answers(world.pod(pod.job_id, "stray")) == "go_away"
    stranger = world.pod(pod.job_id, namespace="mail")
    assert (await stranger.call("stack", attempt=1, number=1, text=TEXT)).status_code == 403

    assert (await world.get(path(pod))).json()["state"] == "asked"


async def test_text_is_cut_and_comes_back_as_it_is(world: World) -> None:
    pod = await world.running()
    await world.call("POST", path(pod))

    await answers(pod, text="\x1b<script>é" + "é" * MAX_STACK_BYTES)

    text = (await world.get(path(pod))).json()["text"]
    assert text.startswith("\x1b<script>é")
    assert MAX_STACK_BYTES - 2 <= len(text.encode()) <= MAX_STACK_BYTES


@pytest.mark.parametrize(
    ("change", "field"),
    [({"number": 0}, "number"), ({"number": 2**53}, "number"), ({"text": None}, "text"), ({"more": 1}, "more")],
)
async def test_what_a_runner_may_not_say(world: World, change: dict[str, Any], field: str) -> None:
    pod = await world.running()

    body: dict[str, Any] = {"attempt": 1, "number": 1, "text": TEXT, **change}
    response = await pod.call("stack", **body)

    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == [field]


async def test_who_follows_a_log_asks_for_no_stacks(world: World) -> None:
    pod = await world.running()
    await pod.call("beat", attempt=1, chunk=chunk(0, lines("hello")))
    await world.get(f"/api/v1/jobs/{pod.job_id}/log")

    assert await told(pod) == (1.0, None)
