"""Says what happened because of a job's unique key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgjobs.vocabulary import TERMINAL, UniqueAnswer, UniqueMode

if TYPE_CHECKING:
    from bgjobs.wire import Job


def words(job: Job) -> str:
    """What happened when a job was asked for, as a line for people; "" if there is nothing to say.

    Args:
        job: as the server has answered.
    """
    match job.unique:
        case UniqueAnswer.RETURNED:
            return f"no new job was made: this one has the unique key {job.unique_key}"
        case UniqueAnswer.IGNORED if job.state in TERMINAL:
            return f"no new job was made: this one had the unique key {job.unique_key} a short time ago"
        case UniqueAnswer.IGNORED:
            return f"no new job was made: this one has the unique key {job.unique_key}"
        case UniqueAnswer.REPLACED:
            return f"the job {job.replaced_id} waited with the unique key {job.unique_key}, and is cancelled"
        case _:
            return ""


def described(job: Job) -> str:
    """The unique key of a job and its mode, for people; "" if it has none."""
    if job.unique_key is None:
        return ""
    mode = job.unique_mode or UniqueMode.RETURN
    if job.unique_for_seconds is None:
        return f"{job.unique_key} ({mode})"
    return f"{job.unique_key} ({mode} for {job.unique_for_seconds} s)"
