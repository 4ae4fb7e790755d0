"""Finds the job that a user means by a whole id, by the beginning or the end of one, or by `last`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bgjobs.cli.exits import NoJobError, UsageError
from bgjobs.ids import STORED_VERSIONS, is_job_id

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bgjobs.wire import Job

LAST: Final = "last"
MIN_CHARACTERS: Final = 6
LOOKED_AT: Final = 200
_MAX_SHOWN: Final = 5
# Ids of version 5 are those of jobs that came from a BackgroundJobRequest, and of version 8 those of jobs with a key.
_VERSIONS: Final = STORED_VERSIONS


def resolve(word: str, latest: Callable[[], Sequence[Job]]) -> str:
    """The id of the job that is meant.

    Args:
        word: what the user has typed.
        latest: asks the API for the latest jobs; it is only called if the word is not a whole id.

    Raises:
        UsageError: if the word is too short, or if the ids of several jobs fit.
        NoJobError: if the id of none of the latest jobs fits.
    """
    typed = word.strip().lower()
    if is_job_id(typed, _VERSIONS):
        return typed
    if typed == LAST:
        jobs = latest()
        if not jobs:
            raise NoJobError("there are no jobs yet")
        return max(jobs, key=lambda job: (job.created_at, job.id)).id
    if len(typed) < MIN_CHARACTERS:
        raise UsageError(
            f"{word!r} is too short for an id: give at least {MIN_CHARACTERS} characters of its end, or `last`"
        )
    found = sorted({job.id for job in latest() if job.id.startswith(typed) or job.id.endswith(typed)})
    if not found:
        raise NoJobError(f"none of the latest {LOOKED_AT} jobs has an id that begins or ends with {word!r}")
    if len(found) > 1:
        more = f" and {len(found) - _MAX_SHOWN} more" if len(found) > _MAX_SHOWN else ""
        raise UsageError(f"{word!r} fits several jobs, so give more of the id: {', '.join(found[:_MAX_SHOWN])}{more}")
    return found[0]
