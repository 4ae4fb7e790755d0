"""/runner/v1: who may speak for a job, and what becomes of what it says."""

from __future__ import annotations

import json
import zlib
from base64 import b64encode
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from bgjobs.ids import new_job_id
from bgjobs.protocol import MAX_CHUNK_BYTES, MAX_ERROR_BYTES, MAX_JSON_BYTES
from bgjobs.runner_wire import FinishRequest, LogChunk, StartReply
from bgjobs.vocabulary import State
from bgjobs_api.http.problems import ProblemError
from bgjobs_api.routes import runner_statements
from bgjobs_core.redis.errors import StoreUnavailableError
from tests.api.world import chunk, lines, service_account

if TYPE_CHECKING:
    from tests.api.world import World

BODIES: dict[str, dict[str, Any]] = {
    "start": {},
    "beat": {"attempt": 1},
    "finish": {"attempt": 1, "outcome": "succeeded"},
}
VERBS = list(BODIES)


async def test_start_gives_all_that_an_attempt_needs(world: World) -> None:
    """The first beat comes soon; its reply says how to go on."""
    job_id = await world.launched(parameters={"day": 1}, max_retries=2, timeout_seconds=90)
    response = await world.pod(job_id).call("start")
    assert StartReply.model_validate_json(response.content).model_dump(by_alias=True) == {
        "action": "run", "reason": None, "attempt": 1, "max_retries": 2, "class": "shop.jobs.Report",
        "method": "build", "parameters": {"day": 1}, "approved_classes": ["shop.jobs.*"], "timeout_seconds": 90.0,
        "beat_seconds": 1.0, "parents": None, "traceparent": None, "checkpoint": None, "retries_in_pod": True,
        "retry": None,
    }  # fmt: skip


async def test_start_gives_the_rules_that_the_call_has(world: World) -> None:
    """Of a call without rules there is not a word of them."""
    rules = {"retry_on": ["ConnectionError"], "abort_on": ["shop.errors.Gone"], "backoff_seconds": 0.0}
    ruled, plain = await world.launched(**rules), await world.launched()

    assert (await world.pod(ruled).call("start")).json()["retry"] == rules | {"backoff_cap_seconds": None}
    assert (await world.pod(plain).call("start")).json().get("retry") is None
    shown = (await world.call("GET", f"/api/v1/jobs/{ruled}")).json()
    assert rules.items() <= shown.items()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("retry_on", ["no name"]),
        ("retry_on", ["OSError"] * 21),
        ("abort_on", "KeyError"),
        ("backoff_seconds", -1),
        ("backoff_cap_seconds", 86_401),
    ],
)
async def test_rules_that_are_none(world: World, field: str, value: object) -> None:
    response = await world.enqueue(**{field: value})

    assert response.status_code == 422
    assert response.json()["errors"][0]["field"].startswith(field)


async def test_the_same_pod_gets_the_same_answer(world: World) -> None:
    pod = world.pod(await world.launched())
    assert (await pod.call("start")).content == (await pod.call("start")).content
    assert (await world.there(pod.job_id)).attempt == 1


async def test_a_finished_job_is_done(world: World) -> None:
    pod = await world.running()
    await pod.call("finish", attempt=1, outcome="succeeded")
    reply = (await world.pod(pod.job_id, "late").call("start")).json()
    assert (reply["action"], reply["reason"]) == ("done", "the job has succeeded already")


async def test_the_pod_of_another_kube_job_is_sent_away(world: World) -> None:
    reply = (await world.pod(await world.launched()).call("start", kube_uid="another")).json()
    assert (reply["action"], reply["reason"]) == ("go_away", "another KubeJob runs this job")


@pytest.mark.parametrize("delay", [None, 3600], ids=["due", "due in an hour"])
async def test_a_pod_that_somebody_made_for_a_job_that_waits_learns_nothing(world: World, delay: int | None) -> None:
    """Its label and its name fit, but the job was never claimed: no KubeJob of it can be there."""
    job_id = await world.enqueued(parameters={"secret": 7}, delay_seconds=delay)
    before = await world.there(job_id)
    response = await world.pod(job_id).call("start")
    reply = response.json()
    assert (reply["action"], reply["reason"], reply["parameters"]) == ("wait", "the job was never launched", None)
    assert b"secret" not in response.content
    finished = await world.pod(job_id).call("finish", attempt=1, outcome="succeeded", has_result=True, result=7)
    assert finished.json()["action"] == "go_away"
    assert await world.there(job_id) == before


async def test_a_job_that_is_gone_sends_its_pods_away(world: World) -> None:
    pod = world.pod(new_job_id())
    for verb in VERBS:
        response = await pod.call(verb, **BODIES[verb])
        assert (response.status_code, response.json()["action"]) == (200, "go_away")


@pytest.mark.parametrize("verb", VERBS)
async def test_a_record_that_this_replica_cannot_read_is_not_gone(
    world: World, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A newer version may have written it: the runner asks again, and another replica answers."""
    pod = await world.running()

    async def left_out(_: str) -> None:
        """As the store does with what it cannot read."""

    monkeypatch.setattr(world.store, "job", left_out)

    response = await pod.call(verb, **BODIES[verb])

    assert (response.status_code, response.json()["code"]) == (503, "record_not_readable")


async def test_the_jobs_of_a_queue_that_is_gone_wait(world: World) -> None:
    pod = world.pod(await world.launched())
    await world.store.drop_queue(queue="shop/default")
    reply = (await pod.call("start")).json()
    assert reply["action"] == "wait"
    assert "no BackgroundJobQueue 'default'" in reply["reason"]
    assert (await world.there(pod.job_id)).attempt == 0
    await world.put_queue()
    assert (await pod.call("start")).json()["action"] == "run"


async def test_a_cancelled_job_is_sent_away_though_its_queue_is_gone(world: World) -> None:
    pod = world.pod(await world.launched())
    await world.call("POST", f"/api/v1/jobs/{pod.job_id}/cancel")
    await world.store.drop_queue(queue="shop/default")
    assert (await pod.call("start")).json()["action"] == "go_away"


@pytest.mark.parametrize("protocol", ["2", "-1", "", "x", "01", None], ids=str)
@pytest.mark.parametrize("verb", VERBS)
async def test_other_protocols_are_refused(world: World, verb: str, protocol: str | None) -> None:
    pod = world.pod(await world.launched())
    response = await pod.call(verb, protocol, **BODIES[verb])
    assert (response.status_code, response.json()["code"]) == (400, "protocol_not_supported")
    assert "0 and 1" in response.json()["detail"]


async def test_this_protocol_and_the_one_before_are_spoken(world: World) -> None:
    pod = world.pod(await world.launched())
    for protocol in ("1", "0"):
        assert (await pod.call("start", protocol)).json()["action"] == "run"


FOREIGN = [
    pytest.param({"namespace": "mail", "user": "system:serviceaccount:mail:default"}, "namespace", id="namespace"),
    pytest.param({"pod_uid": "another"}, "names another", id="uid"),
    pytest.param({"pod_name": "bgjob-other-x7k2p"}, "does not belong", id="name"),
    pytest.param({"pod_name": None, "pod_uid": None}, "not bound to a pod", id="not-bound"),
    pytest.param({"pod_uid": None}, "not bound to a pod", id="bound-without-uid"),
]


@pytest.mark.parametrize(("changes", "words"), FOREIGN)
@pytest.mark.parametrize("verb", VERBS)
async def test_a_token_speaks_only_for_its_own_pod(
    world: World, verb: str, changes: dict[str, Any], words: str
) -> None:
    pod = await world.running()
    world.authenticator.tokens[pod.token] = replace(world.authenticator.tokens[pod.token], **changes)
    response = await pod.call(verb, **BODIES[verb])
    assert (response.status_code, response.json()["code"]) == (403, "foreign_pod")
    assert words in response.json()["detail"]
    assert (await world.there(pod.job_id)).state == State.LAUNCHED


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    "name", ["web-7d9", "bgjob-", "xbgjob-{id}-a", "bgjob-{other}-a", "bgjob-{id}", "bgjob-{id}x-a"]
)
async def test_a_pod_of_something_else_may_not_speak_for_the_job(world: World, verb: str, name: str) -> None:
    pod = await world.running()
    name = name.format(id=pod.job_id, other=new_job_id())
    world.authenticator.tokens["foreign"] = service_account("shop", "default", name, "uid")
    foreign = replace(pod, name=name, uid="uid", token="foreign")
    response = await foreign.call(verb, **BODIES[verb])
    assert (response.status_code, response.json()["code"]) == (403, "foreign_pod")


async def test_another_pod_of_the_same_job_cannot_speak_for_the_current_one(world: World) -> None:
    pod = await world.running()
    sibling = world.pod(pod.job_id, "sibling")
    assert (await sibling.call("beat", attempt=1)).json()["action"] == "go_away"
    assert (await sibling.call("finish", attempt=1, outcome="succeeded")).json()["action"] == "go_away"
    assert (await sibling.call("beat", attempt=1, pod_uid=pod.uid)).status_code == 403
    assert (await world.there(pod.job_id)).state == State.LAUNCHED


async def test_a_program_cannot_speak_for_a_pod(world: World) -> None:
    pod = await world.running()
    response = await replace(pod, token=world.token()).call("start")
    assert response.status_code == 403


@pytest.mark.parametrize("verb", VERBS)
async def test_who_is_nobody_is_told_nothing(world: World, verb: str) -> None:
    pod = replace(await world.running(), token="unknown")
    response = await pod.call(verb, "99", nonsense=True)
    assert response.status_code == 401


@pytest.mark.parametrize("job_id", ["nonsense", "6f0f2c36-5c6b-4c0e-9d7e-1d9b6c3f8a51"])
async def test_what_is_no_id_is_not_found(world: World, job_id: str) -> None:
    assert (await world.pod(job_id).call("start")).status_code == 404


async def test_if_redis_is_away_a_runner_may_ask_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    pod = world.pod(await world.launched())

    async def away(*_: object) -> None:
        raise StoreUnavailableError("gone")

    for name in ("job", "queue"):
        with monkeypatch.context() as patch:
            patch.setattr(world.store, name, away)
            assert (await pod.call("start")).status_code == 503
        assert (await world.there(pod.job_id)).attempt == 0
    assert (await pod.call("start")).json()["attempt"] == 1


# --- beat


async def test_a_beat_is_answered_with_what_has_arrived(world: World) -> None:
    pod = await world.running()
    records = lines("a", "b")
    reply = (await pod.call("beat", attempt=1, chunk=chunk(0, records))).json()
    assert reply == {"action": "continue", "beat_seconds": 10.0, "next_offset": len(records), "kept": True}
    again = (await pod.call("beat", attempt=1, chunk=chunk(0, records))).json()
    assert again["next_offset"] == len(records)
    assert len(await world.store.log_chunks(pod.job_id, 1)) == 1


async def test_logs_are_kept_as_long_as_the_queue_says(world: World) -> None:
    await world.put_queue(retention={"logs_seconds": 100})
    pod = await world.running()
    await pod.call("beat", attempt=1, chunk=chunk(0, lines("a")))
    client = world.store._client  # pyright: ignore[reportPrivateUsage]
    assert 90 < await client.ttl(f"{{bgjobs}}:log:{pod.job_id}:1:head") <= 100


BAD_CHUNKS = [
    pytest.param({"offset": 0, "data": "?"}, "chunk.data", id="not-base64"),
    pytest.param({"offset": 0, "data": "eA"}, "chunk.data", id="base64-without-padding"),
    pytest.param({"offset": 0, "data": "eHh4"}, "chunk.data", id="not-zlib"),
    pytest.param({"offset": 0, "data": ""}, "chunk.data", id="empty"),
    pytest.param(chunk(0, b"x" * (MAX_CHUNK_BYTES + 1)), "chunk.data", id="too-large"),
    pytest.param(chunk(0, b"\0" * 50_000_000), "chunk.data", id="bomb"),
    pytest.param({"offset": 0, "data": b64encode(zlib.compress(b"1 o x\n")[:-2]).decode()}, "chunk.data", id="cut-off"),
    pytest.param(
        {"offset": 0, "data": b64encode(zlib.compress(b"1 o x\n") + b"x").decode()}, "chunk.data", id="appended"
    ),
    pytest.param(
        {"offset": 0, "data": b64encode(b"x\x01" + b"\x00\x00\x00\xff\xff" * 1000).decode()}, "chunk.data", id="padded"
    ),
    pytest.param({"offset": -1, "data": ""}, "chunk.offset", id="negative"),
    pytest.param(chunk(2**53, b"1 o x\n"), "chunk.offset", id="beyond"),
    pytest.param({"offset": 0}, "chunk.data", id="no-data"),
    pytest.param({"offset": 0, "data": "", "x": 1}, "chunk.x", id="unknown-field"),
]


@pytest.mark.parametrize(("sent", "field"), BAD_CHUNKS)
async def test_what_is_no_chunk_is_refused(world: World, sent: dict[str, Any], field: str) -> None:
    pod = await world.running()
    response = await pod.call("beat", attempt=1, chunk=sent)
    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == [field]
    assert await world.store.log_chunks(pod.job_id, 1) == []


def test_a_chunk_that_takes_more_room_than_it_holds_is_refused() -> None:
    """Empty blocks of zlib cost room that the log's budget does not count."""
    packed = zlib.compress(b"1 o x\n")
    bloated = packed[:2] + b"\x00\x00\x00\xff\xff" * 2000 + packed[2:]
    assert zlib.decompress(bloated) == b"1 o x\n"
    with pytest.raises(ProblemError, match="more room"):
        runner_statements.chunk_of(LogChunk(offset=0, data=b64encode(bloated).decode()))


async def test_progress_is_shown_and_kept_short(world: World) -> None:
    pod = await world.running()
    await pod.call("beat", attempt=1, progress={"done": 1.5, "message": "x" * 10_000})
    progress = (await world.get(f"/api/v1/jobs/{pod.job_id}")).json()["progress"]
    assert progress == {"done": 1.5, "total": None, "message": "x" * 500}
    await pod.call("beat", attempt=1)
    assert (await world.get(f"/api/v1/jobs/{pod.job_id}")).json()["progress"]["done"] == 1.5


# --- finish


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        ("succeeded", "succeeded"),
        ("rejected", "failed"),
        ("aborted", "failed"),
        ("error", "launched"),
        ("timed_out", "launched"),
        ("disrupted", "launched"),
    ],
)
async def test_only_some_outcomes_end_the_job(world: World, outcome: str, state: str) -> None:
    """After the others, whether there is another attempt is Kubernetes' decision."""
    pod = await world.running()
    error = None if outcome == "succeeded" else {"type": "E", "message": "m"}
    body: dict[str, Any] = {"attempt": 1, "outcome": outcome, "error": error, "exit_code": -9}
    reply = await pod.call("finish", **body)
    assert reply.json() == {"action": "recorded", "state": state, "again": state == "launched"}
    assert (await pod.call("finish", **body)).json() == reply.json()
    attempt = (await world.get(f"/api/v1/jobs/{pod.job_id}/attempts")).json()["items"][0]
    assert (attempt["outcome"], attempt["exit_code"]) == (outcome, -9)


async def test_a_result_of_256_kib_is_kept_and_no_more(world: World) -> None:
    pod = await world.running()
    most = MAX_JSON_BYTES - len('""')
    body: dict[str, Any] = {"attempt": 1, "outcome": "succeeded", "has_result": True}
    refused = await pod.call("finish", result="x" * (most + 1), **body)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "result")
    assert (await world.there(pod.job_id)).state == State.LAUNCHED
    assert (await pod.call("finish", result="x" * most, **body)).status_code == 200


async def test_only_success_has_a_result(world: World) -> None:
    pod = await world.running()
    await pod.call("finish", attempt=1, outcome="aborted", has_result=True, result=1)
    assert not await world.store.result(pod.job_id)
    pod = await world.running()
    await pod.call("finish", attempt=1, outcome="succeeded", result=1)
    assert not await world.store.result(pod.job_id)


LONG_ERRORS = [
    pytest.param("x", "y" * 300_000, id="traceback"),
    pytest.param("x" * 100_000, "y" * 300_000, id="message-and-traceback"),
    pytest.param("\x01" * 20_000, "\x01" * 60_000, id="control-characters"),
    pytest.param("😀" * 20_000, "😀" * 60_000 + "end", id="emoji"),
    pytest.param("x" * 100_000, None, id="message-alone"),
]


@pytest.mark.parametrize(("message", "traceback"), LONG_ERRORS)
def test_a_long_error_is_cut_to_64_kib(message: str, traceback: str | None) -> None:
    said = FinishRequest.model_validate({
        "kube_uid": "k", "pod_uid": "u", "pod_name": "n", "attempt": 1, "outcome": "error",
        "error": {"type": "T" * 5000, "message": message, "traceback": traceback},
    })  # fmt: skip
    text = runner_statements.error_of(said)
    assert len(text.encode()) <= MAX_ERROR_BYTES
    kept = json.loads(text)
    assert kept["type"] == "T" * 200
    assert message.startswith(kept["message"])
    if traceback is not None:
        assert kept["traceback"].startswith("... (cut) ...\n")
        assert traceback.endswith(kept["traceback"].removeprefix("... (cut) ...\n"))


def test_an_error_that_fits_is_kept_whole() -> None:
    said = FinishRequest.model_validate({
        "kube_uid": "k", "pod_uid": "u", "pod_name": "n", "attempt": 1, "outcome": "error",
        "error": {"type": "T", "message": "m", "traceback": "t" * 60_000},
    })  # fmt: skip
    assert json.loads(runner_statements.error_of(said))["traceback"] == "t" * 60_000
