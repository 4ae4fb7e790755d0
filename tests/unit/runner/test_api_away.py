"""An API that is away, slow to come back, or says no."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from .fake_api import DROP, problem

if TYPE_CHECKING:
    from .conftest import Pod


SPOKEN = ["to stdout", "ends without a line end"]
# What decides nothing: a proxy, a replica whose clock is wrong or that is of another version, another program.
NOT_NOW: list[Any] = [
    503, 500, 429, 401, 403, 404, 400, 302, DROP, {}, {"action": "hold on"}, {"detail": "Not Found"},
    problem(401, "unauthenticated"), problem(400, "protocol_not_supported"), problem(422, "invalid"),
    {"status": 403, "code": 7, "detail": "of a proxy"},
]  # fmt: skip


@pytest.mark.parametrize("reply", [*NOT_NOW, {"action": "run", "attempt": 1}], ids=str)
def test_start_is_asked_again(pod: Pod, reply: Any) -> None:
    # What the models of the API do not know cannot be sent by it, but by something in front of it.
    pod.api.checks_replies = False
    pod.api.start.append(reply)
    pod.call("add", 1)

    code, _, err = pod.runs()

    assert code == 0
    assert len(pod.api.bodies("start")) == 2
    assert pod.finished()["result"] == 2
    assert "bgjobs: " in err


@pytest.mark.parametrize("reply", NOT_NOW, ids=str)
def test_finish_is_said_again_in_the_same_words(pod: Pod, reply: Any) -> None:
    pod.api.checks_replies = False
    pod.call("add", 1)
    pod.api.finish.extendleft([reply, reply])

    code, _, _ = pod.runs()

    assert code == 0
    first, *others = pod.api.bodies("finish")
    assert others == [first, first]
    assert pod.api.connections > 2, "another connection may lead to another replica"
    assert json.loads(pod.termination.read_bytes())["outcome"] == "succeeded"


@pytest.mark.parametrize("reply", NOT_NOW, ids=str)
def test_a_beat_is_sent_again(pod: Pod, reply: Any) -> None:
    pod.api.checks_replies = False
    pod.call("write", 200, "a line\n")
    pod.api.beat.extendleft([reply, reply])

    code, _, err = pod.runs()

    assert code == 0, err
    assert pod.api.lines("o") == ["a line"] * 200


@pytest.mark.parametrize("url", [None, "http://127.0.0.1:1", "http://no-such-host.invalid"])
def test_without_an_api_the_pod_is_given_back(pod: Pod, url: str | None) -> None:
    pod.api.start.append(503)
    if url:
        pod.environ["BGJOBS_URL"] = url
        (pod.folder / "token").write_text("secret", encoding="ascii")

    code, _, err = pod.runs(patience=0.6)

    assert code == 75
    assert "there was no usable answer for" in err


def test_that_it_is_no_pod_of_the_job_is_final(pod: Pod) -> None:
    pod.api.start.append(problem(403, "foreign_pod"))

    code, _, err = pod.runs()

    assert code == 64
    assert "start was refused with 403: scripted foreign_pod" in err
    assert len(pod.api.bodies("start")) == 1


@pytest.mark.parametrize(
    ("reply", "code"), [(401, 75), (403, 75), (problem(401, "unauthenticated"), 75), (problem(422, "invalid"), 64)],
    ids=str,
)  # fmt: skip
def test_an_image_that_no_replica_understands_is_told_apart_from_an_api_that_is_away(
    pod: Pod, reply: Any, code: int
) -> None:
    pod.api.start.append(reply)

    got, _, err = pod.runs(patience=0.6)

    assert got == code
    assert "there was no usable answer for" in err


@pytest.mark.parametrize(
    ("replies", "code", "words", "calls"),
    [
        ([{"action": "done", "reason": "by pod-0"}], 0, "already done: by pod-0", 1),
        ([{"action": "go_away", "reason": "cancelled"}], 64, "must not run the job: cancelled", 1),
        ([{"action": "wait"}, {"action": "wait"}, {"action": "done"}], 0, "told to wait", 3),
        ([503, {"action": "wait", "reason": "paused"}, {"action": "go_away"}], 64, "told to wait: paused", 3),
    ],
    ids=["done", "go away", "wait", "away, then wait"],
)
def test_what_start_may_answer(pod: Pod, replies: list[Any], code: int, words: str, calls: int) -> None:
    pod.api.start.extend(replies)

    got, _, err = pod.runs(wait_poll=0.05)

    assert got == code
    assert words in err
    assert len(pod.api.bodies("start")) == calls
    assert pod.api.bodies("finish") == []


def test_a_pod_that_waits_too_long_is_given_back(pod: Pod) -> None:
    pod.api.start.append({"action": "wait", "reason": "paused"})

    code, _, err = pod.runs(wait=0.3, wait_poll=0.05)

    assert code == 75
    assert len(pod.api.bodies("start")) > 2
    assert err.count("told to wait") == 2, "said once, not at each question"


def test_nothing_of_the_log_is_lost_while_beats_fail(pod: Pod) -> None:
    pod.call("write", 200, "a line\n")
    pod.api.beat.extendleft([503, DROP, {"action": "continue", "next_offset": 0}, DROP])

    code, _, err = pod.runs()

    assert code == 0, err
    assert pod.api.lines("o") == ["a line"] * 200


def test_beats_that_fail_in_mid_run_are_made_up_for(pod: Pod) -> None:
    pod.call("finish_on_sigterm")
    pod.api.beat.extendleft([503, DROP])
    pod.launch()
    pod.api.wait_for(lambda api: "ready" in api.log)
    pod.terminate()

    code, _, err = pod.ends()

    assert code == 0
    assert err.count("sent again with the next beat") == 1
    assert pod.api.lines("o") == ["ready"]


@pytest.mark.parametrize(("method", "code", "outcome"), [("nothing", 0, "succeeded"), ("kill_itself", 1, "error")])
@pytest.mark.parametrize("reply", [503, 404, 401], ids=str)
def test_without_finish_the_pod_itself_says_how_it_ended(
    pod: Pod, method: str, code: int, outcome: str, reply: int
) -> None:
    pod.call(method, *([9] if method == "kill_itself" else []))
    pod.never_hears(reply)

    got, _, err = pod.runs(patience=0.6)

    assert got == code
    assert "the attempt's outcome cannot be delivered" in err
    told = json.loads(pod.termination.read_bytes())
    assert (told["outcome"], told["attempt"]) == (outcome, 1)


@pytest.mark.parametrize(
    ("reply", "patience"),
    [(503, {"result_patience": 0.6}), (401, {"result_patience": 0.6}), (problem(422, "invalid"), {"patience": 0.6})],
    ids=str,
)
def test_a_success_whose_result_nobody_has_is_none(pod: Pod, reply: Any, patience: dict[str, float]) -> None:
    """With exit code 0 the job would have succeeded, and its result would be gone without a word."""
    pod.call("add", 1)
    pod.never_hears(reply)

    code, _, _ = pod.runs(**patience)

    assert code == 1
    told = json.loads(pod.termination.read_bytes())
    assert (told["outcome"], told["error"]["type"]) == ("error", "ResultNotDelivered")
    assert "its result could not be delivered" in told["error"]["message"]


def test_a_result_and_the_log_before_it_wait_for_an_api_that_is_away_for_longer(pod: Pod) -> None:
    pod.call("speak_and_return")
    pod.api.beats_after = 3
    pod.api.finish.extendleft([503] * 3)

    code, _, err = pod.runs(patience=0.4)

    assert code == 0
    assert "the rest of the log cannot be delivered" in err, "it is tried again with the outcome"
    assert pod.finished_with()["outcome"] == "succeeded"
    assert pod.api.lines("o") == SPOKEN


def test_a_pod_that_is_told_to_end_gives_its_result_up_as_disrupted(pod: Pod) -> None:
    pod.environ["BGJOBS_GRACE_SECONDS"] = "2"
    pod.call("add", 1)
    pod.never_hears(503)
    pod.launch()
    pod.api.wait_for(lambda api: api.bodies("finish"))
    pod.terminate()

    code, _, _ = pod.ends(timeout=10)

    assert code == 75
    told = json.loads(pod.termination.read_bytes())
    assert (told["outcome"], told["error"]["type"]) == ("disrupted", "Stopped")


@pytest.mark.parametrize("method", ["nothing", "kill_itself"])
def test_a_pod_that_is_killed_before_it_could_report_leaves_no_word_of_success(pod: Pod, method: str) -> None:
    pod.call(method, *([9] if method == "kill_itself" else []))
    pod.never_hears(503)
    pod.launch()
    pod.api.wait_for(lambda api: api.bodies("finish"))
    pod.close()

    told = json.loads(pod.termination.read_bytes())
    assert (told["outcome"], told["error"]["type"]) == (
        "error",
        "NotReported" if method == "nothing" else "KilledBySignal",
    )


def test_a_full_store_gets_log_and_progress_later(pod: Pod) -> None:
    pod.call("speak")
    pod.api.beat.extendleft([{"action": "continue", "kept": False}] * 3)

    code, _, err = pod.runs()

    assert code == 0
    assert "the store of bgjobs is full" in err
    assert pod.api.lines("o") == SPOKEN
    assert pod.finished()["outcome"] == "succeeded"


def test_the_order_to_stop_is_heard_from_a_full_store(pod: Pod) -> None:
    pod.call("wait")
    pod.api.beat[0] = {"action": "stop", "kept": False}

    code, _, _ = pod.runs(patience=0.6)

    assert code == 75
    assert pod.finished_with()["outcome"] == "disrupted"


def test_a_pod_that_is_told_to_end_does_not_try_for_ever(pod: Pod) -> None:
    pod.environ["BGJOBS_GRACE_SECONDS"] = "2"
    pod.call("nothing")
    pod.never_hears(503)
    pod.launch()
    pod.api.wait_for(lambda api: api.bodies("finish"))
    pod.terminate()

    code, _, err = pod.ends(timeout=10)

    assert code == 0
    assert "the attempt's outcome cannot be delivered" in err


def test_what_the_api_does_not_take_of_the_log_does_not_hold_up_the_end(pod: Pod) -> None:
    pod.call("speak")
    pod.api.beat[0] = {"action": "continue", "next_offset": 0}

    code, _, _ = pod.runs()

    assert code == 0
    assert pod.finished()["outcome"] == "succeeded"


def test_a_hanging_beat_does_not_hold_up_the_end(pod: Pod) -> None:
    pod.call("wait")
    begun, released = pod.hang_first_beat()
    pod.launch(reserve=0.6)
    assert begun.wait(10)
    pod.terminate()
    pod.api.wait_for(lambda api: api.bodies("finish"))
    released.set()

    code, _, _ = pod.ends()

    assert code == 75
    assert "told to stop" in pod.api.log


def test_the_token_is_read_again_for_each_call(pod: Pod) -> None:
    token = pod.folder / "token"
    token.write_text("old\n", encoding="ascii")
    pod.api.start.append(401)

    def replace() -> None:
        token.write_text("new\n", encoding="ascii")

    pod.api.on["start"] = replace
    pod.call("nothing")

    code, _, _ = pod.runs()

    assert code == 0
    sent = [headers["Authorization"] for headers in pod.api.headers]
    assert sent[:2] == ["Bearer old", "Bearer new"]
    assert set(sent[2:]) == {"Bearer new"}


def test_one_connection_serves_all_calls(pod: Pod) -> None:
    pod.call("speak")

    pod.runs()

    assert len(pod.api.requests) > 2
    assert pod.api.connections == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"BGJOBS_URL": ""}, "BGJOBS_URL not set"),
        ({"BGJOBS_JOB_ID": "", "BGJOBS_POD_UID": ""}, "BGJOBS_JOB_ID, BGJOBS_POD_UID not set"),
        ({"BGJOBS_URL": "http://api.example"}, "token file"),
        ({"BGJOBS_URL": "ftp://api.example"}, "must look like http"),
        ({"BGJOBS_GRACE_SECONDS": "long"}, "not a number of seconds"),
    ],
)
def test_a_launcher_that_forgot_something_is_told(pod: Pod, changes: dict[str, str], words: str) -> None:
    pod.environ |= changes

    code, _, err = pod.runs()

    assert code == 64
    assert words in err
