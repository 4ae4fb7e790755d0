"""Job ids in paths and cursors: those of clients (version 7) and those derived from requests (version 5)."""

from __future__ import annotations

from bgjobs.ids import is_job_id


def is_stored_id(text: str) -> bool:
    """Whether a job can have this id; anything else never reaches the name of a key."""
    return is_job_id(text, (5, 7))
