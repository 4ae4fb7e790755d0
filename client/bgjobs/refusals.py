"""How it is said that something cannot be done with a job: the same words by a server and by `bgjobs.testing`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from bgjobs.vocabulary import State

# The API's code where a job has succeeded, and its method has returned None.
NO_RESULT: Final = "no_result"


def id_taken(job_id: str) -> str:
    """What is said to whoever asks for a job with the id, or the key, of another one."""
    if job_id[14:15] == "8":  # derived from a key
        return f"the key belongs to the job {job_id}, which was asked for in other words; ask with another key"
    return f"the id {job_id} belongs to another job; ask again with a new UUIDv7"


def not_ended_yet(state: State) -> str:
    """What is said to whoever wants to run a job again that has not ended."""
    return f"the job has not ended: it is {state}; cancel it first"


def already_ended(state: State) -> str:
    """What is said to whoever wants to cancel a job that has ended."""
    return f"the job has ended already: it is {state}"
