"""What a running job does is shown while it does it, and nothing of that can fail a job or hang it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bgjobs.protocol import MAX_STACK_BYTES

if TYPE_CHECKING:
    from .conftest import Pod
    from .fake_api import FakeApi

# A line of a stack that is the runner's own.
OWN = "/bgjobs/runner/"


def launch(pod: Pod, method: str, *parameters: object, **more: Any) -> None:
    pod.call(method, *parameters, **{"class": "stack_jobs.Shown", "approved_classes": ["stack_jobs.*"], **more})
    pod.launch()
    pod.api.wait_for(lambda api: "ready" in api.log)


def ask(api: FakeApi, number: int = 1) -> str:
    """Somebody wants to see the stacks; the text that the pod has sent."""
    api.beat.append({"action": "continue", "stack": number})
    api.beat.popleft()
    api.wait_for(lambda fake: [body for body in fake.bodies("stack") if body["number"] == number])
    body = api.bodies("stack")[-1]
    assert (body["attempt"], body["number"]) == (1, number)
    text: str = body["text"]
    assert len(text.encode()) <= MAX_STACK_BYTES
    assert not [one for one in text if not one.isprintable() and one != "\n"]
    assert "hidden" not in text
    return text


def ask_until(api: FakeApi, says: str) -> str:
    """Ask again while a text comes that does not say this: code may be seen before it makes the call that is meant."""
    text = ""
    for number in range(1, 31):
        text = ask(api, number)
        if says in text:
            return text
    raise AssertionError(f"it was never seen: {says}; the last text was: {text}")


def end(pod: Pod) -> dict[str, Any]:
    """Let the job end; how it did."""
    (pod.folder / "go").touch()
    pod.ends()
    return pod.finished()


def shown(pod: Pod, method: str, *parameters: object) -> str:
    """What is shown of a job, which goes on to its end."""
    launch(pod, method, *parameters)
    text = ask(pod.api)
    finish = end(pod)
    assert (finish["outcome"], finish["result"]) == ("succeeded", "done")
    return text


def test_a_job_that_sleeps(pod: Pod) -> None:
    text = shown(pod, "sleeps")

    lines = text.splitlines()
    assert lines[0] == "Main thread (the innermost call last):"
    assert lines[1].startswith('  File "')
    assert lines[1].endswith(", in Shown.sleeps")
    assert lines[2].endswith("in until_told")
    assert OWN not in text


def test_threads_have_their_names_and_equal_ones_share_a_stack(pod: Pod) -> None:
    text = shown(pod, "has_threads")

    assert "3 threads, “worker 0”, “worker 1”, “worker 2” (the innermost call last):" in text
    assert "Daemon thread “?[31mred” (the innermost call last):" in text
    assert text.count("in Shown._of_its_own") == 1
    assert "_bootstrap" not in text


def test_a_main_thread_that_waits_for_another(pod: Pod) -> None:
    text = shown(pod, "joins")

    assert text.startswith("Main thread")
    assert "in Shown.joins\n" in text
    assert "Thread “Thread-1 (_works)”" in text
    assert "in Shown._works\n" in text


def test_a_call_of_c_code_that_lets_nothing_else_run(pod: Pod) -> None:
    launch(pod, "is_in_c_code", timeout_seconds=4)

    text = ask_until(pod.api, "asyncio tasks are not known")

    assert "in is_in_c_code" in text
    assert "in until_told" in text, "the other thread, which waits for the interpreter"
    pod.ends()
    assert pod.finished()["outcome"] == "timed_out"
    assert "in is_in_c_code" in pod.api.log


def test_a_thread_that_runs_beside_a_call_of_c_code_is_left_alone(pod: Pod) -> None:
    """To look at a stack that changes could crash the process."""
    launch(pod, "is_in_c_code_beside_a_busy_thread")

    text = ask_until(pod.api, "asyncio tasks are not known")

    assert "in is_in_c_code_beside_a_busy_thread\n" in text
    assert "It runs, so that it cannot be asked.\n" in text
    assert "in _works" not in text


def test_a_regular_expression_that_never_ends(pod: Pod) -> None:
    launch(pod, "matches")

    text = ask_until(pod.api, "in match\n")

    assert "matches\n" in text


def test_a_thousand_tasks_are_some_lines(pod: Pod) -> None:
    text = shown(pod, "has_tasks")

    assert "1,000 asyncio tasks that wait at the same place" in text
    assert "in Shown.has_tasks.<locals>.outer" in text
    assert text.index("<locals>.outer") < text.index("<locals>.inner") < text.index("in Event.wait")
    assert "“?]0;title?”" in text
    assert "in Shown.has_tasks\n" in text, "the task that waits for the others"
    assert len(text) < 10_000


def test_a_loop_that_is_held_up(pod: Pod) -> None:
    text = shown(pod, "has_a_blocked_loop")

    assert "in Shown.has_a_blocked_loop" in text
    assert "“held up”" in text


def test_a_loop_in_another_thread(pod: Pod) -> None:
    text = shown(pod, "has_a_loop_in_a_thread")

    assert "“in a thread”" in text
    assert "has_a_loop_in_a_thread.<locals>.waits" in text


def test_of_a_deep_stack_the_innermost_calls_are_shown(pod: Pod) -> None:
    text = shown(pod, "is_deep", 5000)

    assert "outer calls are left out" in text
    assert text.count("in Shown._deeper") < 100
    assert text.rstrip().endswith("in until_told")


def test_many_threads(pod: Pod) -> None:
    text = shown(pod, "has_many_threads", 200)

    assert "99 threads, “Thread-1 (wait)”" in text
    assert "and 96 more" in text
    assert "101 more threads are left out." in text


@pytest.mark.parametrize("method", ["blocks_all_signals", "ignores_all_signals", "takes_signals_over"])
def test_a_job_that_cannot_be_asked(pod: Pod, method: str) -> None:
    assert shown(pod, method).startswith("The job's process does not answer: its code has blocked or taken over the")


def test_a_job_with_another_faulthandler(pod: Pod) -> None:
    assert "in Shown.joins\n" in shown(pod, "replaces_faulthandler")


def test_a_process_that_the_job_has_forked_is_not_asked(pod: Pod) -> None:
    text = shown(pod, "forks")

    assert text.count("Main thread") == 1
    assert "in Shown.forks" in text


def test_files_of_a_job_that_has_closed_our_pipes_are_not_written_to(pod: Pod) -> None:
    launch(pod, "closes_all_descriptors")

    text = ask(pod.api)

    assert "in Shown._works" in text, "its Python code opens the pipe again"
    finish = end(pod)
    assert (finish["outcome"], finish["result"]) == ("succeeded", "40 files, 0 bytes")


def test_another_program_in_its_place_is_not_hurt(pod: Pod) -> None:
    launch(pod, "becomes_another_program")

    text = ask(pod.api)

    assert "another program runs in its place" in text
    finish = end(pod)
    assert (finish["outcome"], finish["exit_code"]) == ("error", 3)


def test_a_job_with_little_of_everything(pod: Pod) -> None:
    assert "in Shown.sleeps" in shown(pod, "has_little_of_everything")


def test_a_job_that_is_asked_all_the_time(pod: Pod) -> None:
    pod.api.beat_seconds = 0.01
    launch(pod, "is_asked_all_the_time")

    for number in range(1, 41):
        assert "Main thread" in ask(pod.api, number)

    finish = end(pod)
    assert (finish["outcome"], finish["result"]) == ("succeeded", [1, 1, 1])


def test_a_wish_is_answered_once(pod: Pod) -> None:
    launch(pod, "sleeps")
    ask(pod.api)
    before = len(pod.api.bodies("beat"))

    pod.api.wait_for(lambda api: len(api.bodies("beat")) > before + 2)

    assert len(pod.api.bodies("stack")) == 1
    ask(pod.api, 2)
    assert end(pod)["outcome"] == "succeeded"


@pytest.mark.parametrize("reply", [404, {"title": "No", "status": 422, "detail": "no", "code": "invalid"}])
def test_a_server_that_does_not_take_them_is_no_trouble(pod: Pod, reply: Any) -> None:
    pod.api.stack.append(reply)
    pod.api.stack.popleft()
    launch(pod, "sleeps")
    ask(pod.api)

    finish = end(pod)

    assert finish["outcome"] == "succeeded"


def test_what_takes_too_long_is_in_the_log_before_it_is_ended(pod: Pod) -> None:
    launch(pod, "sleeps", timeout_seconds=1)

    pod.ends()

    assert pod.finished()["outcome"] == "timed_out"
    log = pod.api.log
    shown_at = log.index("bgjobs: the attempt has reached its timeout; this is what it does\nMain thread")
    assert shown_at < log.index("in Shown.sleeps\n") < log.index("bgjobs: the attempt has reached its timeout: SIGTERM")
    assert "hidden" not in log
    assert OWN not in log


def test_what_does_not_obey_is_in_the_log_before_it_is_killed(pod: Pod) -> None:
    pod.environ["BGJOBS_GRACE_SECONDS"] = "8"  # of which the child has four
    launch(pod, "ignores_sigterm")
    pod.terminate()

    pod.ends()

    log = pod.api.log
    assert log.index("told to stop: SIGTERM") < log.index("told to stop, and goes on; this is what it does\nMain thr")
    assert log.index("in Shown.sleeps") < log.index("told to stop: SIGKILL")
    assert pod.finished()["outcome"] == "disrupted"


def test_what_obeys_is_not_held_up(pod: Pod) -> None:
    launch(pod, "sleeps")
    pod.terminate()

    pod.ends()

    assert "this is what it does" not in pod.api.log
