"""An API that is away, slow to come back, or says no."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from .fake_api import DROP

if TYPE_CHECKING:
    from .conftest import Pod


@pytest.mark.parametrize("reply", [503, 500, 429, DROP, {"action": "hold on"}, {"action": "run", "attempt": 1}])
def test_start_is_asked_again(pod: Pod, reply: Any) -> None:
    # What the models of the API do not know cannot be sent by it, but by something in front of it.
    pod.api.checks_replies = False
    pod.api.start.append(reply)
    pod.call("add", 1)

    code, _, err = pod.runs()

    assert code == 0
    assert len(pod.api.bodies("start")) == 2
    assert "bgjobs: " in err


@pytest.mark.parametrize("url", [None, "http://127.0.0.1:1", "http://no-such-host.invalid"])
def test_without_an_api_the_pod_is_given_back(pod: Pod, url: str | None) -> None:
    pod.api.start.append(503)
    if url:
        pod.environ["BGJOBS_URL"] = url
        (pod.folder / "token").write_text("secret", encoding="ascii")

    code, _, err = pod.runs(patience=0.6)

    assert code == 75
    assert "no luck for" in err


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422])
def test_a_refusal_of_the_start_is_final(pod: Pod, status: int) -> None:
    pod.api.start.append(status)

    code, _, err = pod.runs()

    assert code == 64
    assert f"start was refused with {status}" in err
    assert len(pod.api.bodies("start")) == 1


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
    assert err.count("tried again with the next beat") == 1
    assert pod.api.lines("o") == ["ready"]


@pytest.mark.parametrize("replies", [[503, DROP], [429]], ids=str)
def test_finish_is_said_again_in_the_same_words(pod: Pod, replies: list[Any]) -> None:
    pod.call("add", 1)
    pod.api.finish.extendleft(replies)

    code, _, _ = pod.runs()

    assert code == 0
    first, *others = pod.api.bodies("finish")
    assert others
    assert all(body == first for body in others)


@pytest.mark.parametrize(("method", "code", "outcome"), [("nothing", 0, "succeeded"), ("kill_itself", 1, "error")])
@pytest.mark.parametrize("status", [503, 404], ids=["away", "refused"])
def test_without_finish_the_pod_itself_says_how_it_ended(
    pod: Pod, method: str, code: int, outcome: str, status: int
) -> None:
    pod.call(method, *([9] if method == "kill_itself" else []))
    pod.api.finish.appendleft(status)
    pod.api.finish.pop()

    got, _, err = pod.runs(patience=0.6)

    assert got == code
    assert "the end" in err
    told = json.loads(pod.termination.read_bytes())
    assert (told["outcome"], told["attempt"]) == (outcome, 1)


def test_a_pod_that_is_told_to_end_does_not_try_for_ever(pod: Pod) -> None:
    pod.environ["BGJOBS_GRACE_SECONDS"] = "2"
    pod.call("nothing")
    pod.api.finish.appendleft(503)
    pod.api.finish.pop()
    pod.launch()
    pod.api.wait_for(lambda api: api.bodies("finish"))
    pod.terminate()

    code, _, err = pod.ends(timeout=10)

    assert code == 0
    assert "the end cannot be delivered" in err


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


def test_the_token_is_sent_and_read_again_after_401(pod: Pod) -> None:
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
