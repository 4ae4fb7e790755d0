"""The decisions, as tables: what an answer means, when to send which signal, how an attempt ended."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest

from bgjobs.approval import is_approved
from bgjobs.runner.frames import FrameReader
from bgjobs.runner.outcome import Ended, Report, decide
from bgjobs.runner.settings import Settings, read_settings
from bgjobs.runner.starting import Answer, Course, next_step
from bgjobs.runner.termination import STOPPED, SUPERSEDED, TIMED_OUT, Plan, Situation, plan
from bgjobs.vocabulary import Outcome

SETTINGS = Settings("http://localhost", "token", "team-a", "id", "kube", "pod", "name")
RUN = {"action": "run"}
AWAY = Answer(problem="no answer")
OBJECTION = Answer(objection="start was refused with 422")


@pytest.mark.parametrize(
    ("answer", "waited", "unanswered", "exit_code", "pauses"),
    [
        (Answer(RUN), 0, 0, None, None),
        (Answer({"action": "done"}), 0, 0, 0, None),
        (Answer({"action": "go_away"}), 0, 0, 64, None),
        (Answer(refusal="start was refused with 403"), 0, 0, 64, None),
        (Answer({"action": "wait"}), 0, 0, None, (2.25, 3.75)),
        (Answer({"action": "wait"}), 299, 0, None, (2.25, 3.75)),
        (Answer({"action": "wait"}), 300, 0, 75, None),
        (OBJECTION, 0, 0, None, (0.5, 1)),
        (OBJECTION, 60, 60, 64, None),
        (AWAY, 0, 0, None, (0.5, 1)),
        (AWAY, 59, 59, None, (0.5, 1)),
        (AWAY, 60, 60, 75, None),
        (AWAY, 200, 10, None, (0.5, 1)),
    ],
)
def test_what_an_answer_to_start_means(
    answer: Answer, waited: float, unanswered: float, exit_code: int | None, pauses: tuple[float, float] | None
) -> None:
    steps = [next_step(answer, Course(waited, unanswered, 3), SETTINGS, jitter) for jitter in (0.0, 1.0)]

    assert {step.exit_code for step in steps} == {exit_code}
    assert pauses == (None if steps[0].pause is None else (steps[0].pause, steps[1].pause))


CALM = Situation(deadline=100, stop_grace=25, timeout_grace=10)


@pytest.mark.parametrize(
    ("now", "situation", "expected"),
    [
        (50, CALM, Plan(None, None, 100)),
        (50, CALM._replace(deadline=None), Plan(None, None, None)),
        (100, CALM, Plan(signal.SIGTERM, TIMED_OUT, 110)),
        (50, CALM._replace(stop_at=49), Plan(signal.SIGTERM, STOPPED, 74)),
        (101, CALM._replace(stop_at=49), Plan(signal.SIGTERM, STOPPED, 74)),
        # Nothing else may wake it before its stacks are to be taken.
        (50, CALM._replace(stop_at=49, shows=True), Plan(signal.SIGTERM, STOPPED, 71.5)),
        (105, CALM._replace(signalled_at=100, cause=TIMED_OUT), Plan(None, None, 110)),
        (110, CALM._replace(signalled_at=100, cause=TIMED_OUT), Plan(signal.SIGKILL, TIMED_OUT, None)),
        (74, CALM._replace(signalled_at=50, cause=STOPPED, stop_at=50), Plan(None, None, 75)),
        (75, CALM._replace(signalled_at=50, cause=STOPPED, stop_at=50), Plan(signal.SIGKILL, STOPPED, None)),
        (51, CALM._replace(superseded=True), Plan(signal.SIGKILL, SUPERSEDED, None)),
        (51, CALM._replace(superseded=True, signalled_at=50, cause=STOPPED), Plan(signal.SIGKILL, SUPERSEDED, None)),
        (999, CALM._replace(superseded=True, killed=True), Plan(None, None, None)),
        (999, CALM._replace(signalled_at=50, cause=STOPPED, killed=True), Plan(None, None, None)),
    ],
)
def test_when_to_send_which_signal(now: float, situation: Situation, expected: Plan) -> None:
    assert plan(now, situation) == expected


@pytest.mark.parametrize(("grace", "for_the_child"), [(30, 25), (8, 4), (6, 3), (2, 1)])
def test_some_of_the_grace_is_kept_for_the_last_report(grace: float, for_the_child: float) -> None:
    assert SETTINGS._replace(grace=grace).stop_grace == for_the_child


DONE = {"outcome": "succeeded", "has_result": True, "result": 1}
FAILED = {"outcome": "error", "error": {"type": "ValueError", "message": "no"}}
ABORTED = {"outcome": "aborted", "error": {"type": "Abort", "message": "no"}}
REJECTED = {"outcome": "rejected", "error": {"type": "UnfitCallError", "message": "no"}}


@pytest.mark.parametrize(
    ("call_outcome", "exit_code", "cause", "outcome_first", "outcome", "process_exit_code"),
    [
        (DONE, 0, None, False, "succeeded", 0),
        (DONE, -9, None, False, "succeeded", 0),
        (DONE, -15, STOPPED, True, "succeeded", 0),
        (DONE, 0, STOPPED, False, "succeeded", 0),
        (DONE, -9, TIMED_OUT, True, "succeeded", 0),
        (FAILED, 1, None, False, "error", 1),
        (FAILED, -9, TIMED_OUT, True, "error", 1),
        (FAILED, 1, TIMED_OUT, False, "timed_out", 1),
        (FAILED, 1, STOPPED, False, "disrupted", 75),
        (ABORTED, 1, None, False, "aborted", 64),
        (ABORTED, 1, STOPPED, False, "aborted", 64),
        (REJECTED, 1, None, False, "rejected", 64),
        (None, 0, None, False, "error", 1),
        (None, -11, None, False, "error", 1),
        (None, -15, STOPPED, False, "disrupted", 75),
        (None, -9, TIMED_OUT, False, "timed_out", 1),
        ({"outcome": "nonsense"}, 0, None, False, "error", 1),
    ],
)
def test_how_an_attempt_ended(
    call_outcome: dict[str, Any] | None,
    exit_code: int,
    cause: str | None,
    outcome_first: bool,
    outcome: str,
    process_exit_code: int,
) -> None:
    report = decide(Ended(call_outcome, exit_code, cause, outcome_first), 60)

    assert (report.outcome, report.process_exit_code, report.exit_code) == (outcome, process_exit_code, exit_code)


@pytest.mark.parametrize("text", ["short", "x" * 10_000, "ü€" * 5000, "\0" * 5000])
def test_a_termination_message_fits(text: str) -> None:
    message = Report(
        Outcome.ERROR, 1, {"type": "E" * 500, "message": text, "traceback": "t" * 9999}
    ).termination_message(2)

    assert len(message) <= 4096
    told = json.loads(message)
    assert (told["outcome"], told["attempt"]) == ("error", 2)
    assert text.startswith(told["error"]["message"])


@pytest.mark.parametrize(
    ("approved", "is_it"),
    [
        (["shop.jobs.Mail"], True),
        (["shop.jobs.*"], True),
        (["shop.*"], True),
        (["other", "shop.*"], True),
        ([], False),
        (["*"], False),
        ([".*"], False),
        (["shop"], False),
        (["shop.jobs"], False),
        (["shop.jobs.Mai*"], False),
        (["sho.*"], False),
        (["*.Mail"], False),
        (["shop.jobs.Mail.*"], False),
    ],
    ids=str,
)
def test_approval(approved: list[str], is_it: bool) -> None:
    assert is_approved("shop.jobs.Mail", approved) is is_it


def test_frames_come_in_any_pieces_and_nonsense_does_no_harm() -> None:
    data = b'p{"done": 1}\nnonsense\np[]\npno\nv{"outcome": \np{"done": 2}\nV"error"}\nV{"outcome": "succeeded"}\n'
    for size in (1, 7, len(data)):
        reader = FrameReader()
        for start in range(0, len(data), size):
            reader.feed(data[start : start + size])

        assert reader.call_outcome == {"outcome": "error"}, "the first outcome counts"
        assert reader.take_progress() == {"done": 2}
        assert reader.take_progress() is None
        assert reader.open
        reader.feed(b"")
        assert not reader.open


def test_a_queue_may_give_no_grace_at_all() -> None:
    environ = {
        "BGJOBS_URL": "http://api", "BGJOBS_NAMESPACE": "shop", "BGJOBS_JOB_ID": "1", "BGJOBS_KUBE_UID": "k",
        "BGJOBS_POD_UID": "p", "BGJOBS_POD_NAME": "n", "BGJOBS_GRACE_SECONDS": "0",
    }  # fmt: skip
    settings = read_settings(environ)
    assert (settings.grace, settings.stop_grace) == (0, 0)
