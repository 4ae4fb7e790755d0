"""The status of a request or a queue, from what we know: pure functions to plain JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from bgjobs.vocabulary import TERMINAL, Phase, State, UniqueAnswer
from bgjobs_core.actions.errors import TooManyClassesError
from bgjobs_core.kube.objects import part, parts

if TYPE_CHECKING:
    from bgjobs_core.actions.errors import NoRoomError
    from bgjobs_core.jobs.record import JobRecord
    from bgjobs_core.store.enqueueing import Answer

Status = dict[str, Any]


def _time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def condition(kind: str, reason: str, message: str, at_ms: int, status: str = "True") -> dict[str, str]:
    """One condition of a status, in the form that Kubernetes has for it."""
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message[:4096],
        "lastTransitionTime": _time(at_ms),
    }


def camel(word: str) -> str:
    """`timed_out` as `TimedOut`, the form of a condition's reason."""
    return "".join(part.capitalize() for part in word.split("_"))


def no_room(error: NoRoomError) -> str:
    """In one word, why there is no room for another job."""
    return "too_many_classes" if isinstance(error, TooManyClassesError) else "no_room"


def of_job(job: JobRecord, generation: int) -> Status:
    """What a request says of its job."""
    status: Status = {
        "state": job.state.value,
        "jobId": job.id,
        "attempt": job.attempt,
        "attempts": f"{job.attempt}/{job.spec.max_retries + 1}",
        "observedGeneration": generation,
    }
    if job.phase:
        status["phase"] = job.phase
    if reason := job.reason or _attempt_ended(job):
        status["reason"] = reason
    if job.kube_uid:
        status["kubeJob"] = job.kube_job
    if job.started_at is not None:
        status["startedAt"] = _time(job.started_at)
    if job.state in TERMINAL and job.finished_at is not None:
        status["finishedAt"] = _time(job.finished_at)
        kind = "Complete" if job.state is State.SUCCEEDED else "Failed"
        outcome = job.outcome or job.state.value
        status["conditions"] = [condition(kind, camel(outcome), job.reason, job.finished_at)]
    return status


def _attempt_ended(job: JobRecord) -> str:
    """What a request says between two attempts, if Kubernetes says nothing."""
    return f"attempt {job.attempt} ended: {job.last_outcome}" if job.phase in {Phase.RETRYING, Phase.ENDING} else ""


def refused(code: str, message: str, generation: int, at_ms: int) -> Status:
    """What a request says that can never become a job."""
    return {
        "state": State.FAILED.value,
        "reason": message[:1024],
        "observedGeneration": generation,
        "finishedAt": _time(at_ms),
        "conditions": [condition("Failed", camel(code), message, at_ms)],
    }


# The condition of a request of which no job is made, because another job has its unique key.
UNNEEDED: Final = "Unneeded"


def unneeded(said: Answer, unique_key: str, generation: int, at_ms: int) -> Status:
    """What a request says of which no job is made: `returned` or `ignored`, and the job that has its unique key."""
    if said.what == UniqueAnswer.RETURNED:
        words = f"no job is made: the job {said.other} has the unique key {unique_key}, and waits or runs"
    else:
        words = f"no job is made: the job {said.other} has, or had a short time ago, the unique key {unique_key}"
    return {
        "state": said.what,
        "jobId": said.other,
        "reason": words,
        "observedGeneration": generation,
        "finishedAt": _time(at_ms),
        "conditions": [condition(UNNEEDED, camel(said.what), words, at_ms)],
    }


# The state of a request that is no job yet; no job has it.
WAITING = "waiting"


def waiting(code: str, message: str, generation: int, at_ms: int) -> Status:
    """What a request says that is not admitted yet, and will be once what it waits for is there."""
    return {
        "state": WAITING,
        "reason": message[:1024],
        "observedGeneration": generation,
        "conditions": [condition("Admitted", camel(code), message, at_ms, "False")],
    }


# The condition of a request whose spec does not say what its job is any more.
SPEC_CHANGED: Final = "SpecChanged"


def spec_changed(job: JobRecord, at_ms: int) -> Status:
    """What a request says whose parameters were changed together with `spec.paused`: nothing of that is carried out."""
    words = (
        "the parameters were changed together with spec.paused, so nothing of that is carried out: the job keeps those "
        "that it was made with, and is as it was; write paused once more together with the old parameters, or make a "
        "new request"
    )
    said = of_job(job, job.request_generation)
    changed = condition(SPEC_CHANGED, "ParametersChanged", words, at_ms)
    return {**said, "reason": words, "conditions": [*said.get("conditions", ()), changed]}


def code_of(status: Status) -> str:
    """The reason of the condition that says why a request is no job, or not what it says; "" if none says it."""
    kinds = {"Admitted", "Failed", UNNEEDED, SPEC_CHANGED}
    found = (one for one in parts(status, "conditions") if one.get("type") in kinds)
    return next((str(one.get("reason") or "") for one in found), "")


def says_the_same(one: Status, other: Status) -> bool:
    """Whether two statuses say the same, whenever they were written."""
    return _timeless(one) == _timeless(other)


def _timeless(status: Status) -> Status:
    conditions = [
        {name: value for name, value in one.items() if name != "lastTransitionTime"}
        for one in parts(status, "conditions")
    ]
    kept = {name: value for name, value in status.items() if name not in {"observedGeneration", "finishedAt"}}
    return kept | {"conditions": conditions}


def of_queue(problem: tuple[str, str] | None, generation: int, at_ms: int) -> Status:
    """What a queue says: Ready, or (reason, message) of what is missing."""
    reason, message = problem or ("Accepted", "jobs are launched")
    ready = condition("Ready", reason, message, at_ms, "False" if problem else "True")
    return {"observedGeneration": generation, "conditions": [ready]}


def queue_says_the_same(before: dict[str, Any], said: Status) -> bool:
    """Whether the status of a queue says the same already, whenever that was written."""
    conditions = [(one.get("reason"), one.get("message", "")) for one in parts(before, "conditions")]
    new = [(one["reason"], one["message"]) for one in said["conditions"]]
    return before.get("observedGeneration") == said["observedGeneration"] and conditions == new


def refused_for_ms(obj: dict[str, Any], now: int) -> int:
    """For how long a request has said that it will never be a job; 0 if it says something else, or not since when."""
    said = part(obj, "status")
    is_refused = said.get("state") == State.FAILED.value and not said.get("jobId")
    if not is_refused and not is_unneeded(obj):
        return 0
    try:
        since = datetime.fromisoformat(str(said.get("finishedAt"))).astimezone(UTC).timestamp()
    except (ValueError, OverflowError):
        return 0
    return max(0, now - round(since * 1000))


def is_behind(obj: dict[str, Any]) -> bool:
    """Whether the status of a request is about an earlier generation of it."""
    observed = part(obj, "status").get("observedGeneration")
    return isinstance(observed, int) and observed < obj["metadata"]["generation"]


def has_ended(obj: dict[str, Any]) -> bool:
    """Whether a request's own status says that it has ended."""
    return _says(obj, {"Complete", "Failed", UNNEEDED})


def is_unneeded(obj: dict[str, Any]) -> bool:
    """Whether a request's own status says that no job is made of it, because another one has its unique key."""
    return _says(obj, {UNNEEDED})


def _says(obj: dict[str, Any], kinds: set[str]) -> bool:
    conditions = parts(part(obj, "status"), "conditions")
    return any(one.get("type") in kinds and one.get("status") == "True" for one in conditions)
