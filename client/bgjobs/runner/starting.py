"""Asks the API whether this pod may run the job, before any of the job's code runs."""

from __future__ import annotations

import time

from bgjobs.connection.retry import backoff_seconds, random_jitter
from bgjobs.errors import RefusedError, UnreachableError
from bgjobs.light_typing import TYPE_CHECKING, NamedTuple
from bgjobs.protocol import DONE, EXIT_REFUSED, EXIT_SUCCESS, EXIT_WAIT, GO_AWAY, RUN, WAIT
from bgjobs.runner.answers import is_final

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from bgjobs.runner.api import RunnerApi
    from bgjobs.runner.settings import Settings


class Answer(NamedTuple):
    """What asking once has brought; exactly one of the four is set.

    Attributes:
        reply: a reply of the API that this runner understands.
        refusal: why the API refuses for good.
        objection: why a server of ours refuses, though another one may not, as while an upgrade is rolled out.
        problem: why there is no usable answer; asking again may help.
    """

    reply: dict[str, Any] | None = None
    refusal: str | None = None
    objection: str | None = None
    problem: str | None = None


class Step(NamedTuple):
    """What to do next: run the job (both None), exit, or ask again.

    Attributes:
        exit_code: exit with it.
        pause: seconds before asking again.
        words: what to say about it in the pod's log.
    """

    exit_code: int | None
    pause: float | None
    words: str | None = None


class Course(NamedTuple):
    """How the asking has gone until now; times are seconds.

    Attributes:
        waited: time since the first question.
        unanswered: time since the last answer that decides something, or since the first question.
        failures: how many questions in a row had no such answer.
    """

    waited: float
    unanswered: float
    failures: int


def next_step(answer: Answer, course: Course, settings: Settings, jitter: float) -> Step:
    """Decide what follows from an answer.

    Args:
        answer: the latest one.
        course: how the asking has gone, with this answer.
        settings: how long to wait for what.
        jitter: 0 to 1, so that many pods do not ask at the same moment.
    """
    if answer.refusal is not None:
        return Step(EXIT_REFUSED, None, answer.refusal)
    if answer.reply is None:
        what = answer.objection or answer.problem
        if course.unanswered < settings.patience:
            return Step(None, backoff_seconds(max(course.failures, 1), jitter), what)
        words = f"{what}; there was no usable answer for {course.unanswered:.0f} s, so this pod gives up"
        # A replica that objects for so long is no passing state of affairs, and the next pod would hear the same.
        return Step(EXIT_WAIT if answer.objection is None else EXIT_REFUSED, None, words)
    action = answer.reply["action"]
    reason = answer.reply.get("reason") or "no reason given"
    if action == DONE:
        return Step(EXIT_SUCCESS, None, f"the job is already done: {reason}")
    if action == GO_AWAY:
        return Step(EXIT_REFUSED, None, f"this pod must not run the job: {reason}")
    if action == WAIT:
        # A pod that exits is replaced at once, which costs more than to keep this one for a while.
        if course.waited >= settings.wait:
            words = f"this pod was still told to wait after {course.waited:.0f} s, so it gives up: {reason}"
            return Step(EXIT_WAIT, None, words)
        return Step(None, settings.wait_poll * (0.75 + jitter / 2), f"this pod is told to wait: {reason}")
    return Step(None, None)


def ask_to_start(
    api: RunnerApi,
    settings: Settings,
    say: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
    *,
    after: int | None = None,
) -> dict[str, Any] | int:
    """Ask until there is a decision.

    Args:
        api: the connection to ask over.
        settings: how long to wait for what.
        say: prints a line into the pod's log.
        clock: monotonic seconds.
        after: the attempt of this pod after which the next one is asked for; None: it has had none.

    Returns:
        The API's reply if it says `run`, else the exit code for the supervisor.
    """
    first = answered = clock()
    failures = 0
    said: str | None = None
    while True:
        answer = _ask(api, after)
        now = clock()
        if answer.reply is not None:
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


def _ask(api: RunnerApi, after: int | None) -> Answer:
    try:
        reply = api.call("start", {} if after is None else {"after": after})
    except UnreachableError as error:
        return Answer(problem=str(error))
    except RefusedError as error:
        if is_final(error):
            return Answer(refusal=str(error))
        # A server of an earlier version, to which a newer one has given way, knows no second attempt of a pod. Another
        # pod can run it.
        return Answer(objection=str(error)) if after is None else Answer(problem=str(error))
    if reply.get("action") == RUN and (lacking := _lacks(reply)):
        return Answer(problem=f"the API says run, but its reply lacks {', '.join(lacking)}")
    return Answer(reply)


def _lacks(reply: dict[str, Any]) -> list[str]:
    needed = ("attempt", "class", "method", "parameters", "approved_classes", "beat_seconds")
    return [name for name in needed if reply.get(name) is None]
