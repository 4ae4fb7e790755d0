"""Which trace a job belongs to: a W3C `traceparent`, which goes with the job from who asks for it to its code.

The job itself is no span. Whoever traces job code makes a span there, and gives it this one as its parent.
"""

from __future__ import annotations

import os
import re
import sys

from bgjobs.light_typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final

VARIABLE: Final = "TRACEPARENT"  # by which programs of OpenTelemetry tell those that they start
PATTERN: Final = r"^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"

_NO_TRACE: Final = "0" * 32
_NO_SPAN: Final = "0" * 16


def objection(text: str) -> str | None:
    """What is wrong with a `traceparent`; None if it is well formed.

    Source: W3C Trace Context, version 00: https://www.w3.org/TR/trace-context/#traceparent-header
    """
    if not re.fullmatch(PATTERN, text):
        return "is 00-TRACE-SPAN-FLAGS, of 32, 16 and 2 digits, which are 0 to 9 and a to f"
    if text[3:35] == _NO_TRACE or text[36:52] == _NO_SPAN:
        return "names no trace and no span if its digits are all 0"
    return None


def current() -> str | None:
    """The trace that this program is in now; None if it is in none.

    It is what OpenTelemetry says, if the program has imported it, and else that of the current job, if this is job
    code. bgjobs itself does not import OpenTelemetry.
    """
    return _of_opentelemetry() or _of_this_job()


def enter(traceparent: str | None) -> None:
    """Let the programs that job code starts, and OpenTelemetry's own, find the trace; the runner calls this."""
    if traceparent is None:
        os.environ.pop(VARIABLE, None)
    else:
        os.environ[VARIABLE] = traceparent


def _of_opentelemetry() -> str | None:
    propagate: Any = sys.modules.get("opentelemetry.propagate")
    inject: Callable[[dict[str, str]], object] | None = getattr(propagate, "inject", None)
    if inject is None:
        return None
    carrier: dict[str, str] = {}
    try:
        inject(carrier)
    except Exception:  # noqa: BLE001 - a propagator of the program; a job is not lost for the sake of its trace
        return None
    found = carrier.get("traceparent")
    return found if isinstance(found, str) and objection(found) is None else None


def _of_this_job() -> str | None:
    context: Any = sys.modules.get("bgjobs.context")
    job = None if context is None else context.job_here()
    return None if job is None else job.traceparent
