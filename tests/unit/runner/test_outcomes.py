"""Every way in which an attempt can end, with a real supervisor and a real child."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from bgjobs.protocol import MAX_ERROR_BYTES, MAX_JSON_BYTES
from bgjobs.runner import child

from .conftest import APP, JOB_ID

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Pod


@pytest.mark.parametrize(
    ("method", "parameters", "result"),
    [
        ("add", [1], 2),
        ("add", [1, 2], 3),
        ("add", {"left": 1, "right": 3}, 4),
        ("later", ["a"], "aa"),
        ("fixed", [{"a": [None, 1.5, "ü"]}], {"a": [None, 1.5, "ü"]}),
        ("of_class", [1], "Sample 1"),
        ("a_large_text", [MAX_JSON_BYTES - 2], "x" * (MAX_JSON_BYTES - 2)),
        ("who", [], {"id": JOB_ID, "attempt": 1, "max_retries": 3, "namespace": "team-a"}),
        ("what", ["a", "b"], ["sample_jobs.Sample", "what", True]),
        ("fork_and_return", [], "the first one"),
        ("leave_orphans", [20], 20),
    ],
    ids=[
        "a default",
        "a list",
        "an object",
        "async",
        "static",
        "class method",
        "the largest",
        "the context",
        "the call",
        "a fork",
        "orphans",
    ],
)
def test_what_the_method_returns_is_the_result(pod: Pod, method: str, parameters: Any, result: object) -> None:
    pod.call(method, parameters=parameters)

    code, _, err = pod.runs()

    assert code == 0, err
    finish = pod.finished()
    assert (finish["outcome"], finish["has_result"], finish["result"]) == ("succeeded", True, result)
    assert finish["exit_code"] == 0


def test_a_method_that_returns_nothing_succeeds_without_a_result(pod: Pod) -> None:
    pod.call("nothing")

    code, _, _ = pod.runs()

    assert code == 0
    assert "has_result" not in pod.finished()
    assert json.loads(pod.termination.read_bytes()) == {"outcome": "succeeded", "attempt": 1}


@pytest.mark.parametrize(
    ("method", "parameters", "exit_code", "kind", "message"),
    [
        ("fail", ["no stock"], 1, "ValueError", "no stock"),
        ("fail_later", [], 1, "ValueError", "later"),
        ("fail_strangely", [], 1, "StrangeError", "cannot be shown"),
        ("exit_with", [0], 1, "SystemExit", "sys.exit(0)"),
        ("exit_with", [3], 1, "SystemExit", "sys.exit(3)"),
        ("vanish", [0], 0, "EndedWithoutResult", "ended without a result (exit code 0)"),
        ("vanish", [7], 7, "EndedWithoutResult", "ended without a result (exit code 7)"),
        ("kill_itself", [11], -11, "KilledBySignal", "SIGSEGV"),
        ("kill_itself", [9], -9, "KilledBySignal", "SIGKILL; it may have reached the memory limit of the pod"),
        ("kill_itself", [15], -15, "KilledBySignal", "SIGTERM"),
    ],
)
def test_code_that_fails_is_an_error(
    pod: Pod, method: str, parameters: list[Any], exit_code: int, kind: str, message: str
) -> None:
    pod.call(method, parameters=parameters)

    code, _, _ = pod.runs()

    assert code == 1
    finish = pod.finished()
    assert (finish["outcome"], finish["error"]["type"], finish["exit_code"]) == ("error", kind, exit_code)
    assert message in finish["error"]["message"]
    told = json.loads(pod.termination.read_bytes())
    assert (told["outcome"], told["error"]["type"]) == ("error", kind)


@pytest.mark.parametrize(
    ("method", "parameters", "message"),
    [("a_set", [], "result is a set"), ("a_large_text", [MAX_JSON_BYTES], "at most 262,144")],
)
def test_a_result_that_cannot_be_kept_ends_the_job_for_good(
    pod: Pod, method: str, parameters: list[Any], message: str
) -> None:
    """The work is done: to do it again would charge a customer twice."""
    pod.call(method, parameters=parameters)

    code, _, _ = pod.runs()

    assert code == 64
    finish = pod.finished()
    assert (finish["outcome"], finish["error"]["type"]) == ("aborted", "ResultNotJSONError")
    assert message in finish["error"]["message"]


@pytest.mark.parametrize("method", ["fail", "fail_later"])
def test_a_traceback_begins_in_the_jobs_own_code(pod: Pod, method: str) -> None:
    pod.call(method, *["no stock"][: method == "fail"])

    pod.runs()

    traceback = pod.finished()["error"]["traceback"].splitlines()
    assert "sample_jobs.py" in traceback[1]
    assert traceback[-1].startswith("ValueError: ")
    assert pod.api.log.splitlines() == traceback, "the log tells it too"


def test_a_long_message_is_cut_to_what_the_api_takes(pod: Pod) -> None:
    pod.call("fail_at_length")

    pod.runs()

    error = pod.finished()["error"]
    assert len(json.dumps(error, ensure_ascii=False).encode()) <= MAX_ERROR_BYTES
    assert "[...]" in error["message"]
    assert len(pod.termination.read_bytes()) <= 4096


def test_abort_ends_the_job_for_good(pod: Pod) -> None:
    pod.call("give_up", "the order was withdrawn")

    code, _, _ = pod.runs()

    assert code == 64
    finish = pod.finished()
    assert (finish["outcome"], finish["error"]["message"]) == ("aborted", "the order was withdrawn")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"class": "other_jobs.Sample"}, "not among the approved classes"),
        ({"class": "sample_jobs_of_others.Sample"}, "not among the approved classes"),
        ({"approved_classes": ["*"]}, "not among the approved classes"),
        ({"approved_classes": [".*"]}, "not among the approved classes"),
        ({"approved_classes": []}, "not among the approved classes"),
        ({"approved_classes": ["sample_jobs.Sample2"]}, "not among the approved classes"),
        ({"class": "sample_jobs.OrderedDict", "method": "copy"}, "another name of collections.OrderedDict"),
        ({"class": "sample_jobs.NotThere"}, "has no class NotThere"),
        ({"class": "sample_jobs.NOT_A_CLASS"}, "has a int, not a class"),
        ({"class": "sample_jobs.deeper.Sample"}, "sample_jobs.deeper"),
        (
            {"class": "away.Sample", "approved_classes": ["away.*"]},
            "away.Sample cannot be found, because there is no module away; is your package in the job's image",
        ),
        ({"class": "lacking.Sample", "approved_classes": ["lacking.*"]}, "No module named 'not_installed'"),
        ({"class": "sample_jobs.NeedsArguments", "method": "run"}, "must work without arguments"),
        ({"class": "sample_jobs.Abstract", "method": "run"}, "is abstract"),
        ({"method": "not_there"}, "has no method 'not_there'"),
        ({"method": "_private"}, "is private"),
        ({"method": "__init__"}, "is private"),
        ({"method": "attribute"}, "is not a method"),
        ({"method": "Inner"}, "is not a method"),
        ({"method": "add", "parameters": []}, "missing a required argument: 'left'"),
        ({"method": "add", "parameters": [1, 2, 3]}, "too many positional arguments"),
        ({"method": "add", "parameters": {"left": 1, "up": 2}}, "unexpected keyword argument 'up'"),
        ({"method": "add", "parameters": {"self": 1, "left": 1}}, "multiple values for argument 'self'"),
        ({"method": "fixed", "parameters": []}, "missing a required argument"),
        ({"method": "of_class", "parameters": []}, "missing a required argument"),
    ],
)
def test_a_call_that_cannot_be_made_is_rejected(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    (tmp_path / "lacking.py").write_text("import not_installed\n", encoding="utf-8")
    monkeypatch.setattr(sys, "path", [str(APP), str(tmp_path), *sys.path])
    said = {"class": "sample_jobs.Sample", "method": "add", "parameters": [1], "approved_classes": ["sample_jobs.*"]}

    call_outcome = child.run(said | changes)

    assert call_outcome["outcome"] == "rejected"
    assert message in call_outcome["error"]["message"]


def test_a_rejection_is_final_and_told(pod: Pod) -> None:
    pod.call("add", 1, 2, 3)

    code, _, _ = pod.runs()

    assert code == 64
    assert pod.finished()["outcome"] == "rejected"
    assert "too many positional arguments" in pod.api.log


def test_a_missing_library_comes_with_the_place_that_wants_it(pod: Pod) -> None:
    (pod.folder / "lacking.py").write_text("import not_installed\n", encoding="utf-8")
    pod.call("run", **{"class": "lacking.Job", "approved_classes": ["lacking.Job"]})

    pod.runs()

    traceback = pod.finished()["error"]["traceback"].splitlines()
    assert 'lacking.py", line 1' in traceback[1]


@pytest.mark.parametrize(
    ("source", "kind"),
    [("value = 1 / 0", "ZeroDivisionError"), ("import sys\nsys.exit(0)", "SystemExit"), ("def (:", "SyntaxError")],
)
def test_a_module_that_fails_when_it_is_imported_is_an_error(pod: Pod, source: str, kind: str) -> None:
    (pod.folder / "failing.py").write_text(source, encoding="utf-8")
    pod.call("run", **{"class": "failing.Job", "approved_classes": ["failing.*"]})

    code, _, _ = pod.runs()

    assert code == 1
    assert (pod.finished()["outcome"], pod.finished()["error"]["type"]) == ("error", kind)


def test_a_constructor_that_fails_is_an_error(pod: Pod) -> None:
    pod.call("run", **{"class": "sample_jobs.FailsToStart"})

    code, _, _ = pod.runs()

    assert code == 1
    assert pod.finished()["error"]["message"] == "no database"


def test_a_method_of_a_type_written_in_c_is_refused_though_its_class_is_approved(pod: Pod) -> None:
    pod.call("keys", **{"class": "sample_jobs.OrderedDict", "approved_classes": ["sample_jobs.OrderedDict"]})

    pod.runs()

    error = pod.finished()["error"]
    assert error["type"] == "UnfitCallError"
    assert "collections.OrderedDict, which is written in C" in error["message"]


def test_progress_is_coalesced_and_its_last_word_arrives(pod: Pod) -> None:
    pod.call("make_progress", 5000)

    code, _, _ = pod.runs()

    assert code == 0
    assert pod.api.progress[-1] == {"done": 5000, "total": 5000, "message": "step 5000"}
    assert len(pod.api.progress) < 20


def test_the_child_sees_the_pods_environment(pod: Pod) -> None:
    pod.environ["SHOP_LEDGER"] = "/ledger"
    pod.call("names")

    pod.runs()

    assert {"SHOP_LEDGER", "BGJOBS_URL", "PATH"} <= set(pod.finished()["result"])


def test_code_that_closes_its_streams_ends_like_any_other(pod: Pod) -> None:
    pod.call("close_everything")

    code, _, _ = pod.runs()

    assert code == 0
    assert pod.finished()["outcome"] == "succeeded"


@pytest.mark.parametrize("trace", [None, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"])
def test_the_trace_of_the_job_is_there_for_its_code_and_its_programs(pod: Pod, trace: str | None) -> None:
    pod.environ["TRACEPARENT"] = "of whoever started the pod"
    pod.call("trace", traceparent=trace)

    code, _, _ = pod.runs()

    assert code == 0
    assert pod.finished()["result"] == [trace, trace]
