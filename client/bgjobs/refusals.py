"""How it is said that something cannot be done with a job: the same words by a server and by `bgjobs.testing`."""

from __future__ import annotations

from typing import Final

from bgjobs.vocabulary import TERMINAL, State

# The API's code where a job has succeeded, and its method has returned None.
NO_RESULT: Final = "no_result"
# The API's code where nobody has asked for the stacks of a job.
NO_STACK: Final = "no_stack"


def id_taken(job_id: str) -> str:
    """What is said to whoever asks for a job with the id, or the key, of another one."""
    if job_id[14:15] == "8":  # derived from a key
        return f"the key belongs to the job {job_id}, which was asked for in other words; ask with another key"
    return f"the id {job_id} belongs to another job; ask again with a new UUIDv7"


def not_ended_yet(state: State) -> str:
    """What is said to whoever wants to run a job again that has not ended."""
    return f"the job has not ended: it is {state}; cancel it first"


# What `not_waiting` is told by whoever wants to pause a job.
PAUSED: Final = "paused"


def not_waiting(state: State, done: str) -> str:
    """What is said to whoever wants to hold or hasten a job that does not wait for its time or its slot."""
    match state:
        case State.LAUNCHED if done == PAUSED:
            return (
                "the job cannot be paused: it has started; to stop its pod and let its code start over later, suspend "
                "it; to end it, cancel it"
            )
        case State.PAUSED:
            return f"the job cannot be {done}: it is paused; resume it first"
        case State.BLOCKED:
            return f"the job cannot be {done}: it waits for other jobs to end"
        case _:
            return f"the job cannot be {done}: it has started, and is {state}; to stop it, cancel it"


def not_running(state: State) -> str:
    """What is said to whoever wants to suspend a job that has no pod, or will lose it anyway."""
    match state:
        case State.LAUNCHING:
            return "the job cannot be suspended: it is being launched; try again in a moment"
        case State.STOPPING:
            return "the job cannot be suspended: it is being stopped"
        case State.PAUSED:
            return "the job cannot be suspended: it is paused, and does not run"
        case _:
            return f"the job cannot be suspended: it has not started, and is {state}; pause it"


def no_attempt_runs(state: State) -> str:
    """What is said to whoever wants to see the stacks of a job of which no code runs."""
    if state in {State.LAUNCHED, State.STOPPING}:
        return "the job has no stacks to show: no attempt of it runs at the moment"
    if state in TERMINAL:
        return f"the job has no stacks to show: it has ended, and is {state}"
    return f"the job has no stacks to show: its code does not run; it is {state}"


def suspended_too_often(most: int) -> str:
    """What is said to whoever wants to suspend a job once more than a job may be."""
    return f"the job cannot be suspended: it was suspended {most} times already; to end it, cancel it"


def already_ended(state: State) -> str:
    """What is said to whoever wants something of a job that has ended."""
    return f"the job has ended already: it is {state}"
