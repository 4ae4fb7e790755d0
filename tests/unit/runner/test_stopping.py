"""Signals, timeouts, orders of the API, and what a job leaves behind."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING

import pytest

from .conftest import is_alive, wait_until_dead

if TYPE_CHECKING:
    from .conftest import Pod


def child_pid(pod: Pod) -> int:
    pod.api.wait_for(lambda api: "waiting" in api.log)
    return int(pod.api.log.split("waiting ")[1].split()[0])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_child_and_is_a_disruption(pod: Pod, number: signal.Signals) -> None:
    pod.call("wait")
    pod.launch()
    pid = child_pid(pod)
    assert pod.process
    pod.process.send_signal(number)

    code, _, err = pod.ends()

    assert code == 75, err
    finish = pod.finished()
    assert (finish["outcome"], finish["exit_code"]) == ("disrupted", -signal.SIGTERM)
    assert "bgjobs: the attempt is told to stop: SIGTERM" in pod.api.log
    assert json.loads(pod.termination.read_bytes())["outcome"] == "disrupted"
    assert not is_alive(pid)


def test_a_child_that_ignores_sigterm_is_killed_before_the_grace_is_over(pod: Pod) -> None:
    pod.environ["BGJOBS_GRACE_SECONDS"] = "1"
    pod.call("ignore_sigterm")
    pod.launch()
    child_pid(pod)
    pod.terminate()

    code, _, _ = pod.ends()

    assert code == 75
    assert (pod.finished()["outcome"], pod.finished()["exit_code"]) == ("disrupted", -signal.SIGKILL)


def test_a_child_that_returns_in_its_grace_has_succeeded(pod: Pod) -> None:
    pod.call("finish_on_sigterm")
    pod.launch()
    pod.api.wait_for(lambda api: "ready" in api.log)
    pod.terminate()

    code, _, _ = pod.ends()

    assert code == 0
    assert (pod.finished()["outcome"], pod.finished()["result"]) == ("succeeded", "finished in time")


def test_a_child_that_raises_in_its_grace_was_disrupted(pod: Pod) -> None:
    pod.call("raise_on_sigterm")
    pod.launch()
    pod.api.wait_for(lambda api: "ready" in api.log)
    pod.terminate()

    code, _, _ = pod.ends()

    assert code == 75
    assert pod.finished()["outcome"] == "disrupted"


@pytest.mark.parametrize(("method", "exit_code"), [("wait", -signal.SIGTERM), ("ignore_sigterm", -signal.SIGKILL)])
def test_time_is_up(pod: Pod, method: str, exit_code: int) -> None:
    pod.call(method, timeout_seconds=0.5)

    code, _, _ = pod.runs(timeout_grace=0.3)

    assert code == 1
    finish = pod.finished()
    assert (finish["outcome"], finish["exit_code"]) == ("timed_out", exit_code)
    assert finish["error"]["message"] == "the attempt took longer than its timeout of 0.5 s"
    assert "bgjobs: the attempt has reached its timeout: SIGTERM" in pod.api.log


def test_a_beat_may_say_stop(pod: Pod) -> None:
    pod.call("wait")
    pod.launch()
    pid = child_pid(pod)
    pod.api.beat.append({"action": "stop"})

    code, _, _ = pod.ends()

    assert code == 75
    assert pod.finished()["outcome"] == "disrupted"
    assert not is_alive(pid)


def test_a_beat_may_say_go_away(pod: Pod) -> None:
    pod.call("ignore_sigterm")
    pod.launch()
    pid = child_pid(pod)
    pod.api.beat.append({"action": "go_away"})

    code, _, err = pod.ends()

    assert code == 64
    assert "not the job's current one" in err
    assert pod.api.bodies("finish") == []
    assert not is_alive(pid)


def test_the_answer_to_finish_may_say_go_away(pod: Pod) -> None:
    pod.call("add", 1)
    pod.api.finish.append({"action": "go_away"})
    pod.api.finish.popleft()

    code, _, _ = pod.runs()

    assert code == 64


@pytest.mark.parametrize("escape", [False, True], ids=["same session", "session of its own"])
def test_daemons_end_with_the_job(pod: Pod, escape: bool) -> None:
    pod.call("start_daemon", escape)

    code, out, _ = pod.runs()

    assert code == 0
    pid = int(out.split("daemon ")[1].split()[0])
    assert not is_alive(pid)


def test_the_child_ends_with_a_supervisor_that_is_killed(pod: Pod) -> None:
    pod.call("ignore_sigterm")
    pod.launch()
    pid = child_pid(pod)
    assert pod.process
    pod.process.kill()

    pod.ends()

    assert wait_until_dead(pid)


@pytest.mark.parametrize("reply", [{"action": "wait", "reason": "paused"}, 503])
def test_a_signal_before_the_start_leaves_at_once(pod: Pod, reply: dict[str, str] | int) -> None:
    pod.api.start.append(reply)
    pod.launch(wait_poll=60)
    pod.api.wait_for(lambda api: api.bodies("start"))
    pod.terminate()

    code, _, err = pod.ends(timeout=10)

    assert code == 75
    assert "before the job's code had started" in err
    assert pod.api.bodies("finish") == []


def test_a_signal_while_start_is_under_way_leaves_at_once(pod: Pod) -> None:
    pod.call("wait")
    pod.api.on["start"] = lambda: os.kill(pod.process.pid, signal.SIGTERM) if pod.process else None
    pod.launch()

    code, _, _ = pod.ends(timeout=10)

    assert code == 75
    assert all(body["outcome"] == "disrupted" for body in pod.api.bodies("finish"))
