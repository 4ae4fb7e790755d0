"""Before any code of the job runs: ask the API whether this pod may run it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from bgjobs.connection.retry import backoff_seconds, random_jitter
from bgjobs.errors import RefusedError, UnreachableError
from bgjobs.protocol import DONE, EXIT_REFUSED, EXIT_SUCCESS, EXIT_WAIT, GO_AWAY, RUN, WAIT

if TYPE_CHECKING:
    from collections.abc import Callable

    from bgjobs.runner.api import RunnerApi
    from bgjobs.runner.settings import Settings


class Answer(NamedTuple):
    """What came of asking once: a reply that can be understood, a refusal for good, or a problem."""

    reply: dict[str, Any] | None = None
    refusal: str | None = None
    problem: str | None = None


class Step(NamedTuple):
    """What follows: run (both None), leave with an exit code, or ask again after a pause in seconds."""

    exit_code: int | None
    pause: float | None
    words: str | None = None


class Course(NamedTuple):
    """How the asking went until now; times are seconds.

    Attributes:
        waited: since the first question.
        unanswered: since the last answer, or the first question.
        failures: questions without an answer, in a row.
    """

    waited: float
    unanswered: float
    failures: int


def next_step(answer: Answer, course: Course, settings: Settings, jitter: float) -> Step:
    """Decide what an answer means."""
    if answer.refusal is not None:
        return Step(EXIT_REFUSED, None, answer.refusal)
    if answer.reply is None or answer.problem is not None:
        if course.unanswered >= settings.patience:
            return Step(EXIT_WAIT, None, f"{answer.problem}; no luck for {course.unanswered:.0f} s")
        return Step(None, backoff_seconds(max(course.failures, 1), jitter), answer.problem)
    action = answer.reply["action"]
    reason = answer.reply.get("reason") or "no reason given"
    if action == DONE:
        return Step(EXIT_SUCCESS, None, f"the job is already done: {reason}")
    if action == GO_AWAY:
        return Step(EXIT_REFUSED, None, f"this pod must not run the job: {reason}")
    if action == WAIT:
        # Kubernetes replaces a pod that leaves at once, so it is held for a while.
        if course.waited >= settings.wait:
            return Step(EXIT_WAIT, None, f"still told to wait after {course.waited:.0f} s: {reason}")
        return Step(None, settings.wait_poll * (0.75 + jitter / 2), f"told to wait: {reason}")
    return Step(None, None)


def ask_to_start(
    api: RunnerApi, settings: Settings, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic
) -> dict[str, Any] | int:
    """Ask until there is a decision: the reply that says run, or the supervisor's exit code."""
    first = answered = clock()
    failures = 0
    said: str | None = None
    while True:
        answer = _ask(api)
        now = clock()
        if answer.problem is None:
            answered, failures = now, 0
        else:
            failures += 1
        step = next_step(answer, Course(now - first, now - answered, failures), settings, random_jitter())
        if step.words and step.words != said:
            said = step.words
            say(said)
        if step.exit_code is not None:
            return step.exit_code
        if step.pause is None and answer.reply is not None:
            return answer.reply
        time.sleep(step.pause or 0)


def _ask(api: RunnerApi) -> Answer:
    try:
        reply = api.call("start", {})
    except UnreachableError as error:
        return Answer(problem=str(error))
    except RefusedError as error:
        return Answer(refusal=str(error))
    if reply.get("action") == RUN and (lacking := _lacks(reply)):
        return Answer(problem=f"the API says run without {', '.join(lacking)}")
    if reply.get("action") not in (RUN, DONE, WAIT, GO_AWAY):
        return Answer(problem=f"the API says {reply.get('action')!r}, which this runner does not know")
    return Answer(reply)


def _lacks(reply: dict[str, Any]) -> list[str]:
    needed = ("attempt", "class", "method", "parameters", "approved_classes", "beat_seconds")
    return [name for name in needed if reply.get(name) is None]
