"""What is said of a schedule: in the status of its object, and in Redis for those who ask the API. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bgjobs.wire import MissedTick, Schedule
from bgjobs_core.jobs.schedule_record import ScheduleRecord
from bgjobs_core.kube.objects import part, parts
from bgjobs_core.resources.schedules import SUSPENDED_BY
from bgjobs_operator.loops.request_status import condition

if TYPE_CHECKING:
    from bgjobs_core.kube.objects import Object
    from bgjobs_core.resources.schedules import ScheduleSpec

Status = dict[str, Any]
INVALID = "InvalidSpec"
_READY = "Ready"
_MADE = "Scheduled"
# Reasons that hold only as long as a look finds them.
_STAYS = frozenset({INVALID, "Suspended", "NoRoom", "TooManyClasses"})


@dataclass(frozen=True)
class Problem:
    """Why no job was made: one word, and a sentence."""

    reason: str
    message: str


def ready(obj: Object, before: Status, spec: ScheduleSpec | None, news: Problem | str | None, at_ms: int) -> Status:
    """The condition `Ready`.

    Args:
        obj: the object.
        before: its status until now.
        spec: what it says; None if that is invalid.
        news: what this look has found: why no job was made, the id of a job that was made, or nothing.
        at_ms: the time.
    """
    old = next((one for one in parts(before, "conditions") if one.get("type") == _READY), None)
    if isinstance(news, Problem):
        found = condition(_READY, news.reason, news.message, at_ms, "False")
    elif spec is not None and spec.suspend:
        by = str(part(obj, "metadata", "annotations").get(SUSPENDED_BY) or "")
        found = condition(_READY, "Suspended", f"suspended by {by}" if by else "spec.suspend is set", at_ms)
    elif news is None and old is not None and old.get("reason") not in _STAYS:
        return old  # the latest tick went so
    else:
        found = condition(_READY, _MADE, "a job is made at each tick", at_ms)
    if old is not None and old.get("status") == found["status"]:
        found["lastTransitionTime"] = old["lastTransitionTime"]
    return found


def record(
    obj: Object, spec: ScheduleSpec | None, parameters: str, status: Status, wish: ScheduleRecord | None
) -> ScheduleRecord:
    """What Redis is to know of it.

    Args:
        obj: the object.
        spec: what it says; None if that is invalid.
        parameters: of its job, as JSON.
        status: of the object, as it is by now.
        wish: what was wished, and is done by now.
    """
    metadata = obj["metadata"]
    (said,) = status["conditions"]
    shown = Schedule(
        namespace=metadata["namespace"],
        name=metadata["name"],
        times=None if spec is None else spec.times,
        suspended=spec is not None and spec.suspend,
        queue=None if spec is None else spec.job.queue,
        cls=None if spec is None else spec.job.cls,
        method=None if spec is None else spec.job.method,
        concurrency_policy=None if spec is None else spec.concurrency_policy,
        last_tick=status.get("lastTick"),
        next_tick=status.get("nextTick"),
        last_job_id=status.get("lastJobId"),
        active=status.get("active", []),
        missed=[MissedTick.model_validate(one) for one in status.get("missed", [])],
        ready=said["status"] == "True",
        reason=said["reason"],
        message=said["message"],
    )
    return ScheduleRecord(
        metadata["namespace"],
        metadata["name"],
        shown.model_dump_json(by_alias=True, exclude_none=True),
        "" if spec is None else spec.job.model_dump_json(by_alias=True, exclude={"parameters"}, exclude_defaults=True),
        parameters,
        None if wish is None else wish.wish_suspend,
        "",
        None if wish is None else wish.wish_ran,
        metadata["uid"],
        "" if spec is None else spec.model_dump_json(by_alias=True, exclude={"job"}, exclude_defaults=True),
        status.get("since", ""),
    )
