"""What follows when Kubernetes refuses a KubeJob: one policy.

An intent goes back to the queue, or fails, only when no KubeJob of it can exist: its first POST was refused, or those
without an answer are so long ago that they cannot arrive any more, and a fresh look finds nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from bgjobs_operator.interfaces.launcher import Refusal
from bgjobs_operator.loops.troubles import MOST_SECONDS, as_asked

_MOST_SECONDS_FORBIDDEN: Final = 30.0
LANDED_SECONDS: Final = 60.0  # a POST that has no answer has arrived by then, or never will


class AfterRefusal(Enum):
    """What is done with a job whose KubeJob Kubernetes has refused."""

    BACK_TO_QUEUE = "back to the queue"
    FAIL = "fail the job"
    CANCEL = "cancel the job"
    POST_AGAIN = "POST the same name again"


@dataclass(frozen=True)
class RefusalPlan:
    """What is done after a refusal, and how many seconds pass before the next try."""

    step: AfterRefusal
    seconds: float


def is_final(unknown_for: float | None) -> bool:
    """Whether a refusal says that there is no KubeJob, when a fresh look has found none.

    Args:
        unknown_for: seconds since the last POST of this intent whose result is unknown was sent; None: there is none.
    """
    return unknown_for is None or unknown_for >= LANDED_SECONDS


def plan_after_refusal(
    refusal: Refusal, *, final: bool, refusals: int, retry_after: float | None = None
) -> RefusalPlan:
    """What to do after a refusal.

    Args:
        refusal: its kind.
        final: whether no KubeJob of this intent can exist; see `is_final`.
        refusals: how often this job was declined before.
        retry_after: seconds, if the server said so.
    """
    asked = as_asked(retry_after)
    if refusal is Refusal.TERMINATING:
        return RefusalPlan(AfterRefusal.CANCEL, 0)
    if refusal is Refusal.BUSY or not final:
        return RefusalPlan(AfterRefusal.POST_AGAIN, asked or seconds_after_unknown(refusals))
    if refusal is Refusal.INVALID:
        return RefusalPlan(AfterRefusal.FAIL, 0)
    # The first pause is short: the authorizer may not know the Role of a namespace that was made a moment ago.
    most = _MOST_SECONDS_FORBIDDEN if refusal is Refusal.FORBIDDEN else MOST_SECONDS
    return RefusalPlan(AfterRefusal.BACK_TO_QUEUE, asked or min(most, 1.0 * 2 ** min(refusals, 6)))


def seconds_after_unknown(tries: int) -> float:
    """How many seconds pass until the same name is POSTed again."""
    return min(30.0, 0.5 * 2 ** min(tries, 6))
