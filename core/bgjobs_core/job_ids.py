"""Ids that are not made by a client: derived, so that deriving them twice gives the same job."""

from __future__ import annotations

import uuid
from typing import Final

# A constant of this project; changing it would launch every open request a second time.
NAMESPACE: Final = uuid.UUID("6f0f2c36-5c6b-5c0e-9d7e-1d9b6c3f8a51")


def request_job_id(request_uid: str) -> str:
    """Id of the job of a BackgroundJobRequest."""
    return str(uuid.uuid5(NAMESPACE, f"request/{request_uid}"))
