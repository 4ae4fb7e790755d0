"""Ids of jobs: which there can be, and those that are derived, so that deriving them twice gives the same job."""

from __future__ import annotations

import uuid
from typing import Final

from bgjobs.ids import is_job_id

# A constant of this project; changing it would launch every open request a second time.
NAMESPACE: Final = uuid.UUID("6f0f2c36-5c6b-5c0e-9d7e-1d9b6c3f8a51")


def request_job_id(request_uid: str) -> str:
    """Id of the job of a BackgroundJobRequest."""
    return str(uuid.uuid5(NAMESPACE, f"request/{request_uid}"))


def schedule_job_id(schedule_uid: str, tick: int) -> str:
    """Id of the job of one tick of a BackgroundJobSchedule.

    Args:
        schedule_uid: of the object.
        tick: in whole Unix seconds.
    """
    return str(uuid.uuid5(NAMESPACE, f"schedule/{schedule_uid}/{tick}"))


def is_stored_id(text: str) -> bool:
    """Whether a job can have this id: one that a client made (7), or one derived from an object (5) or a key (8).

    Anything else in a path or a cursor never reaches the name of a key.
    """
    return is_job_id(text, (5, 7, 8))
