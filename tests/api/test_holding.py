"""People pause, resume and hasten jobs that wait, and pause queues; who did what, when and why can be read."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from bgjobs.client.async_job_client import AsyncJobClient
from bgjobs.client.job_client import JobClient
from bgjobs.errors import ConflictError, InvalidJobError
from bgjobs_core.actions.queue_pause import KubeQueues, pause_queue
from bgjobs_core.jobs.queue import Held, QueueRecord
from bgjobs_core.jobs.record import MAX_SUSPENSIONS
from bgjobs_core.kube.errors import KubeRefusedError
from bgjobs_core.resources.models import QueueSpec
from tests.api.live import LiveApi
from tests.api.world import EPOCH, KUBE_UID, service_account

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI

    from tests.api.world import World

JOBS = "/api/v1/jobs"


async def job_in(world: World, state: str) -> str:
    """The id of a job in this state."""
    job_id = await world.enqueued(delay_seconds=60 if state in {"scheduled", "paused"} else 0)
    if state == "paused":
        await world.store.pause(job_id=job_id, by="ada", note="")
    if state in {"launching", "launched", "suspended"}:
        await world.store.lead(EPOCH)
        await world.store.claim(epoch=EPOCH, queue="shop/default", limit=5)
    if state in {"launched", "suspended"}:
        await world.store.bind(job_id=job_id, kube_uid=KUBE_UID)
    if state == "suspended":
        await world.store.suspend(job_id=job_id, by="ada", note="")
    if state == "cancelled":
        await world.call("POST", f"{JOBS}/{job_id}/cancel")
    return job_id


TABLE: dict[tuple[str, str], tuple[int, str]] = {
    # deed, state before: the status, and the state after or the code of the problem
    ("pause", "queued"): (202, "paused"), ("pause", "scheduled"): (202, "paused"), ("pause", "paused"): (202, "paused"),
    ("pause", "launching"): (409, "job_not_waiting"), ("pause", "cancelled"): (409, "job_ended"),
    ("pause", "launched"): (409, "job_not_waiting"), ("run-now", "launched"): (409, "job_not_waiting"),
    ("suspend", "launched"): (202, "launched"), ("suspend", "suspended"): (202, "launched"),
    ("suspend", "queued"): (409, "job_not_running"), ("suspend", "paused"): (409, "job_not_running"),
    ("suspend", "launching"): (409, "job_not_running"), ("suspend", "cancelled"): (409, "job_ended"),
    ("resume", "suspended"): (202, "launched"), ("resume", "launched"): (202, "launched"),
    ("resume", "queued"): (202, "queued"), ("resume", "paused"): (202, "scheduled"),
    ("resume", "launching"): (202, "launching"), ("resume", "cancelled"): (409, "job_ended"),
    ("run-now", "scheduled"): (202, "queued"), ("run-now", "queued"): (202, "queued"),
    ("run-now", "paused"): (409, "job_not_waiting"), ("run-now", "launching"): (409, "job_not_waiting"),
    ("run-now", "cancelled"): (409, "job_ended"),
    ("priority", "queued"): (202, "queued"), ("priority", "paused"): (202, "paused"),
    ("priority", "launching"): (409, "job_not_waiting"), ("priority", "cancelled"): (409, "job_ended"),
}  # fmt: skip


@pytest.mark.parametrize(("deed", "state"), TABLE)
async def test_what_a_deed_does_to_a_job(world: World, deed: str, state: str) -> None:
    job_id = await job_in(world, state)
    body = {"note": "why", **({"priority": 1} if deed == "priority" else {})}

    answer = await world.call("POST", f"{JOBS}/{job_id}/{deed}", json=body)

    shown = answer.json()
    assert (answer.status_code, shown.get("state", shown.get("code"))) == TABLE[deed, state]
    if deed == "priority" and answer.status_code == 202:
        assert shown["priority"] == 1


async def test_a_paused_job_says_by_whom_and_why_and_its_history_keeps_it(world: World) -> None:
    job_id = await job_in(world, "queued")
    shown = (await world.call("POST", f"{JOBS}/{job_id}/pause", json={"note": "month end"})).json()
    await world.call("POST", f"{JOBS}/{job_id}/resume")
    await world.call("POST", f"{JOBS}/{job_id}/cancel", json={"note": "not needed"})

    assert (shown["paused_by"], shown["note"]) == (shown["created_by"], "month end")
    items = (await world.get(f"{JOBS}/{job_id}/history")).json()["items"]
    assert [(one["what"], one["note"]) for one in items] == [
        ("pause", "month end"), ("resume", None), ("cancel", "not needed"),
    ]  # fmt: skip
    assert {one["by"] for one in items} == {shown["created_by"]}


async def test_a_suspended_job_says_by_whom_and_why_and_what_resumes_it(world: World) -> None:
    job_id = await job_in(world, "launched")
    shown = (await world.call("POST", f"{JOBS}/{job_id}/suspend", json={"note": "no mail"})).json()

    assert (shown["paused_by"], shown["note"]) == (shown["created_by"], "no mail")
    why = (await world.get(f"{JOBS}/{job_id}/why")).json()["why"]
    assert (why["code"], why["remedy"], why.get("fails_at")) == ("suspended", f"bgjobs resume {job_id} -n shop", None)
    shown = (await world.call("POST", f"{JOBS}/{job_id}/resume")).json()
    assert (shown.get("paused_by"), shown.get("note")) == (None, None)
    assert (await world.get(f"{JOBS}/{job_id}/why")).json()["why"]["code"] == "pod_pending"
    items = (await world.get(f"{JOBS}/{job_id}/history")).json()["items"]
    assert [(one["what"], one["note"]) for one in items] == [("suspend", "no mail"), ("resume", None)]


WORDS = {
    ("pause", "launched"): "it has started; to stop its pod and let its code start over later, suspend it",
    ("suspend", "queued"): "it has not started, and is queued; pause it",
    ("suspend", "paused"): "it is paused, and does not run",
    ("suspend", "launching"): "it is being launched; try again in a moment",
}


@pytest.mark.parametrize(("deed", "state"), WORDS)
async def test_a_refusal_names_what_to_do_instead(world: World, deed: str, state: str) -> None:
    job_id = await job_in(world, state)

    answer = await world.call("POST", f"{JOBS}/{job_id}/{deed}")

    assert WORDS[deed, state] in answer.json()["detail"]


async def test_a_job_that_was_suspended_too_often_is_refused(world: World) -> None:
    job_id = await job_in(world, "launched")
    for _ in range(MAX_SUSPENSIONS):
        await world.store.suspend(job_id=job_id, by="ada", note="")
        await world.store.resume(job_id=job_id, by="ada", note="")

    answer = await world.call("POST", f"{JOBS}/{job_id}/suspend")

    assert (answer.status_code, answer.json()["code"]) == (409, "job_not_running")
    assert f"it was suspended {MAX_SUSPENSIONS} times already" in answer.json()["detail"]


async def test_a_job_that_is_gone_cannot_be_suspended(world: World) -> None:
    answer = await world.call("POST", f"{JOBS}/0192f0c1-2a3b-7c4d-8e5f-0011223344aa/suspend")

    assert (answer.status_code, answer.json()["code"]) == (404, "job_not_found")


async def test_a_rerun_is_in_the_history_of_the_job_that_was_run_again(world: World) -> None:
    job_id = await job_in(world, "cancelled")
    new = "0192f0c1-2a3b-7c4d-8e5f-0011223344aa"

    for _ in range(2):
        assert (await world.call("POST", f"{JOBS}/{job_id}/rerun", json={"id": new})).status_code == 201

    items = (await world.get(f"{JOBS}/{job_id}/history")).json()["items"]
    assert [(one["what"], one["note"]) for one in items] == [("cancel", None), ("rerun", new)]


async def test_it_takes_the_right_to_pause(world: World) -> None:
    job_id = await job_in(world, "scheduled")
    world.access.deny("create", "backgroundjobrequests/pause", "shop")

    for deed in ("pause", "suspend", "resume", "run-now", "priority"):
        answer = await world.call("POST", f"{JOBS}/{job_id}/{deed}", json={"priority": 1} if deed == "priority" else {})
        assert (answer.status_code, answer.json()["resource"]) == (403, "backgroundjobrequests/pause")


async def test_a_job_says_when_it_expires(world: World) -> None:
    job = (await world.enqueue(expires_after_seconds=90)).json()

    assert job["expires_at"] is not None
    why = (await world.get(f"{JOBS}/{job['id']}")).json()["why"]
    assert why["fails_at"] == job["expires_at"]


async def test_a_job_that_would_expire_before_it_is_due_is_refused(world: World) -> None:
    answer = await world.enqueue(delay_seconds=60, expires_after_seconds=60)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "expires_after_seconds"


# ------------------------------------------------------------------------------ queues
@dataclass
class FakeKube:
    """Keeps what is sent; refuses with a status if it is told to."""

    status: int = 200
    sent: list[tuple[Any, ...]] = field(default_factory=list[tuple[Any, ...]])
    spec: dict[str, Any] = field(default_factory=dict[str, Any])

    async def request(self, *what: Any) -> dict[str, Any]:
        if self.status != 200:
            raise KubeRefusedError(self.status, "Forbidden", "no")
        self.sent.append(what)
        self.spec |= what[2].get("spec", {})
        return {"spec": self.spec}


async def test_a_queue_is_paused_in_its_object_with_who_and_why(world: World) -> None:
    kube = FakeKube()
    await world.store.put_queue("shop/default", QueueSpec(image="shop:1"), "uid-1")

    queue = await pause_queue(world.store, KubeQueues(kube), "shop/default", by="ada", note="the provider is down")

    assert (queue.spec.paused, queue.held and queue.held.by) == (True, "ada")
    method, path, body, query, kind = kube.sent[0]
    assert (method, path.rpartition("/")[2], query, kind) == (
        "PATCH", "default", {"fieldManager": "bgjobs-api"}, "application/merge-patch+json",
    )  # fmt: skip
    assert (body["metadata"]["uid"], body["spec"]) == ("uid-1", {"paused": True})
    assert Held.of_object(body["metadata"]["annotations"]) == queue.held


@pytest.mark.parametrize("is_paused", [True, False])
async def test_a_queue_is_paused_again_although_its_resumption_was_not_seen_yet(world: World, is_paused: bool) -> None:
    """The object tells; of one that is paused it stays who did it."""
    kube = FakeKube(spec={"paused": is_paused})
    await world.store.put_queue("shop/default", QueueSpec(paused=True), "uid-1", Held("ada", 1000, "old"))

    queue = await pause_queue(world.store, KubeQueues(kube), "shop/default", by="bo")

    assert kube.spec == {"paused": True}
    assert (len(kube.sent), queue.held and queue.held.by) == ((1, "ada") if is_paused else (2, "bo"))
    assert kube.sent[0][2] == {"metadata": {"uid": "uid-1"}}, "this changes nothing"


async def test_a_resumed_queue_forgets_who_had_paused_it() -> None:
    kube = FakeKube()

    assert await KubeQueues(kube).resume(QueueRecord("shop", "mail", QueueSpec(), "uid-1"))

    assert (kube.sent[0][2]["spec"], set(kube.sent[0][2]["metadata"]["annotations"].values())) == (
        {"paused": False}, {None},
    )  # fmt: skip


@pytest.mark.parametrize(("status", "answered", "code"), [(404, 404, "queue_not_found"), (403, 503, "queue_unchanged")])
async def test_what_kubernetes_says_to_it(world: World, app: FastAPI, status: int, answered: int, code: str) -> None:
    app.state.deps = replace(app.state.deps, queues=KubeQueues(FakeKube(status)))

    answer = await world.call("POST", "/api/v1/queues/shop/default/pause", json={"note": "why"})

    assert (answer.status_code, answer.json()["code"]) == (answered, code)


async def test_pausing_a_queue_takes_the_right_to_pause_it(world: World, app: FastAPI) -> None:
    app.state.deps = replace(app.state.deps, queues=KubeQueues(FakeKube()))
    paths = [f"/api/v1/queues/shop/{name}/{deed}" for name in ("default", "nobody") for deed in ("pause", "resume")]
    assert [(await world.call("POST", path)).status_code for path in paths] == [202, 202, 404, 404]

    world.access.deny("update", "backgroundjobqueues/pause", "shop")

    assert [(await world.call("POST", path)).status_code for path in paths] == [403] * 4


async def test_the_list_of_queues_says_who_has_paused_one(world: World) -> None:
    spec = QueueSpec(image="shop:1", paused=True)
    await world.store.put_queue("shop/default", spec, "", Held("ada", 1000, "the provider is down"))

    (one,) = (await world.get("/api/v1/queues")).json()["items"]

    assert (one["paused_by"], one["paused_at"], one["paused_note"]) == (
        "ada", "1970-01-01T00:00:01Z", "the provider is down",
    )  # fmt: skip
    await world.store.put_queue("shop/default", replace_paused(spec), "", Held("ada", 1000, "old"))
    (one,) = (await world.get("/api/v1/queues")).json()["items"]
    assert (one["paused"], one["paused_by"]) == (False, None), "what is left of an earlier pause is not told"


def replace_paused(spec: QueueSpec) -> QueueSpec:
    """The same queue, open."""
    return spec.model_copy(update={"paused": False})


# ------------------------------------------------------------------------------ clients
@pytest.fixture(scope="module")
def api() -> Iterator[LiveApi]:
    live = LiveApi()
    live.put_queue(approved_classes=["shop.jobs.*"])
    live.authenticator.tokens["program"] = service_account("shop", "web")
    yield live
    live.close()


def test_the_client_and_its_handle(api: LiveApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with JobClient(api.url, "program", "shop", retry_seconds=0) as client:
        handle = client.enqueue("shop.jobs.Report", "build", delay=60, expires_after_seconds=600)
        assert (handle.pause("month end").state, handle.job.note, handle.state) == ("paused", "month end", "paused")
        with pytest.raises(ConflictError, match="it is paused; resume it first"):
            handle.run_now()
        assert (handle.resume().state, handle.set_priority(1).priority) == ("scheduled", 1)
        assert handle.run_now("now").state == "queued"
        found = [one.what for one in client.history(handle.id)]
        assert found == ["pause", "resume", "priority high", "run_now"]


def test_a_handle_suspends_its_job(api: LiveApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with JobClient(api.url, "program", "shop", retry_seconds=0) as client:
        handle = client.enqueue("shop.jobs.Report", "build")
        with pytest.raises(ConflictError, match="pause it"):
            handle.suspend()
        api.launch(handle.id, "uid-of-the-kubejob")
        with pytest.raises(ConflictError, match="suspend it"):
            handle.pause()
        assert (handle.suspend("no mail").paused_by, handle.job.note) == (handle.job.created_by, "no mail")
        assert handle.resume().paused_by is None
        assert [one.what for one in client.history(handle.id)] == ["suspend", "resume"]


async def test_the_async_client_and_its_handle(api: LiveApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    async with AsyncJobClient(api.url, "program", "shop", retry_seconds=0) as client:
        handle = await client.enqueue("shop.jobs.Report", "build", delay=60)
        assert (await handle.pause("month end")).state == "paused"
        assert (await handle.resume()).state == "scheduled"
        assert (await handle.set_priority(1)).priority == 1
        assert (await handle.run_now()).state == "queued"
        assert [one.note for one in await client.history(handle.id)] == ["month end", None, None, None]
        with pytest.raises(InvalidJobError, match="priority"):
            await handle.set_priority(2)
        with pytest.raises(ConflictError, match="pause it"):
            await handle.suspend()
