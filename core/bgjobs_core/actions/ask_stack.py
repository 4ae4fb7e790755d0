"""ask_stack: somebody wants to see what the process of a running job does at the moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgjobs.vocabulary import State
from bgjobs_core.actions.errors import JobNotFoundError, NoAttemptRunsError

if TYPE_CHECKING:
    from bgjobs_core.store.store import Store


async def ask_stack(store: Store, job_id: str) -> int:
    """Note the wish; the job's runner hears of it in the reply to its next beat, within ten seconds.

    Args:
        store: where the job is.
        job_id: its id.

    Returns:
        The number of the wish: that of an open one, if there is one.

    Raises:
        NoAttemptRunsError: no code of it runs.
        JobNotFoundError: there is no such job.
    """
    reply = await store.ask_stack(job_id=job_id)
    if reply.did == "missing":
        raise JobNotFoundError(job_id)
    if reply.did == "kept":
        raise NoAttemptRunsError(State(reply.state))
    return reply.number
