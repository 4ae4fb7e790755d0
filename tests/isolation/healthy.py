"""What a healthy namespace does while another one is in trouble, and how long each of it takes.

Together the deeds need every loop of the leader. Each returns seconds of virtual time; what takes longer than its
patience fails with a sentence.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from bgjobs.vocabulary import Outcome, Phase
from bgjobs_core.jobs import ids
from bgjobs_core.resources.models import QUEUES, REQUESTS
from bgjobs_core.store import keys
from tests.isolation.installation import KEEP_SECONDS, RECORDS_SECONDS, Installation, a_queue
from tests.isolation.kubernetes import JOBS, nobody_hears
from tests.isolation.virtual_time import until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Deed = Callable[[Installation, str], Awaitable[float]]

PATIENCE: Final = 30.0
_RECONCILED: Final = 150.0  # reconcile looks once a minute


async def _told(it: Installation, namespace: str, job: str, state: str, patience: float = PATIENCE) -> float:
    async def so() -> bool:
        return it.said(namespace).get(job) == state

    return await until(f"the request of {namespace} says {state}", so, patience)


async def _gone(it: Installation, namespace: str, job: str, patience: float = PATIENCE) -> float:
    async def so() -> bool:
        return it.kube_job(namespace, job) is None

    return await until("its KubeJob is gone", so, patience)


async def _running(it: Installation, namespace: str, method: str = "long", **fields: Any) -> str:
    [job] = await it.enqueue(namespace, method, **fields)
    await it.become([job], "launched", PATIENCE, "a job that is to run is")
    return job


async def request_goes_the_whole_way(it: Installation, namespace: str) -> float:
    """Admit, dispatch, launch, observe, settle."""
    job = it.request(namespace, "quick")
    return await _told(it, namespace, job, "succeeded")


async def delayed_job_runs(it: Installation, namespace: str) -> float:
    """Promote; one of high priority."""
    [job] = await it.enqueue(namespace, "quick", delay_seconds=2.0, priority=1)
    return await it.become([job], "succeeded", PATIENCE, "a delayed job has") - 2.0


async def program_cancels(it: Installation, namespace: str) -> float:
    """Stop: the KubeJob is deleted, and then the verdict recorded."""
    job = await _running(it, namespace)
    await it.store.stop(job_id=job, verdict=Outcome.CANCELLED, by="ada", note="")
    took = await it.become([job], "cancelled", PATIENCE, "a cancelled job is")
    assert it.kube_job(namespace, job) is None
    return took


async def person_suspends_and_resumes(it: Installation, namespace: str) -> float:
    """Suspend: the KubeJob has no pod for a while."""
    job = await _running(it, namespace)

    async def is_suspended() -> bool:
        record = await it.store.job(job)
        return record is not None and record.phase == Phase.SUSPENDED

    async def is_seen_to() -> bool:
        return job not in await it.left_in(keys.suspending, namespace)

    await it.store.suspend(job_id=job, by="ada", note="")
    took = await until("a suspended job says so", is_suspended, PATIENCE)
    await it.store.resume(job_id=job, by="ada", note="")
    took += await until("a resumed job may have a pod", is_seen_to, PATIENCE)
    found = it.kube_job(namespace, job)
    assert found is not None
    assert found["spec"]["suspend"] is False
    await it.store.stop(job_id=job, verdict=Outcome.CANCELLED, by="ada", note="")
    return took


async def request_is_deleted(it: Installation, namespace: str) -> float:
    """Admit and stop: its job is cancelled, and its KubeJob deleted."""
    job = it.request(namespace, "long")
    await it.become([job], "launched", PATIENCE, "the job of a request is")
    [name] = [one["metadata"]["name"] for one in it.kubernetes.all(REQUESTS, namespace) if _is_of(one, job)]
    it.kubernetes.remove(REQUESTS, namespace, name)
    return await it.become([job], "cancelled", PATIENCE, "the job of a deleted request is") + await _gone(
        it, namespace, job
    )


def _is_of(obj: Any, job: str) -> bool:
    return ids.request_job_id(obj["metadata"]["uid"]) == job


async def failure_is_seen(it: Installation, namespace: str) -> float:
    """Observe, which reads the pods."""
    [job] = await it.enqueue(namespace, "fails")
    return await it.become([job], "failed", PATIENCE, "a job that fails has")


async def ended_job_is_retired(it: Installation, namespace: str) -> float:
    """Retire: first the KubeJob, then the record."""
    [job] = await it.enqueue(namespace, "quick")
    await it.become([job], "succeeded", PATIENCE, "a job has")
    await asyncio.sleep(KEEP_SECONDS - 1)
    assert it.kube_job(namespace, job) is not None
    assert await it.state(job) == "succeeded"
    kube_job = await _gone(it, namespace, job, 120.0)
    return kube_job + await it.become([job], "", RECORDS_SECONDS + 120.0, "the record of an ended job is")


async def queue_is_changed(it: Installation, namespace: str) -> float:
    """Admit, by its other way."""
    before = it.kubernetes.get(QUEUES, namespace, "default")
    assert before is not None
    slots = before["spec"]["maxConcurrent"] + 1
    it.kubernetes.put(QUEUES, namespace, "default", a_queue(slots))

    async def so() -> bool:
        queue = await it.store.queue(f"{namespace}/default")
        said = it.kubernetes.get(QUEUES, namespace, "default") or {}
        told = said.get("status", {}).get("observedGeneration") == said["metadata"]["generation"]
        return queue is not None and queue.spec.max_concurrent >= slots and told

    return await until("the queue's change has arrived", so, PATIENCE)


async def stuck_job_says_why(it: Installation, namespace: str) -> float:
    """Pending."""
    job = await _running(it, namespace, "stuck")

    async def so() -> bool:
        record = await it.store.job(job)
        return record is not None and "ImagePullBackOff" in record.reason

    took = await until("the job says why it does not start", so, PATIENCE)
    await it.store.stop(job_id=job, verdict=Outcome.CANCELLED, by="ada", note="")
    return took


async def lost_kube_job_is_missed(it: Installation, namespace: str) -> float:
    """Observe, which lists again: it went away while the watch was broken."""
    job = await _running(it, namespace)
    it.kubernetes.remove(JOBS, namespace, f"bgjob-{job}", silently=True)
    it.kubernetes.forget_history(JOBS, namespace)
    return await it.become([job], "failed", PATIENCE, "a job whose KubeJob is lost has")


async def lost_request_is_found(it: Installation, namespace: str) -> float:
    """Reconcile: no event told that it is there."""
    heard, it.kubernetes.changed = it.kubernetes.changed, nobody_hears
    job = it.request(namespace, "quick")
    it.kubernetes.changed = heard
    return await _told(it, namespace, job, "succeeded", _RECONCILED)


DEEDS: Final[dict[str, Deed]] = {
    "a request goes the whole way": request_goes_the_whole_way,
    "a delayed job runs": delayed_job_runs,
    "a program cancels": program_cancels,
    "a person suspends and resumes": person_suspends_and_resumes,
    "a request is deleted": request_is_deleted,
    "a failure is seen": failure_is_seen,
    "an ended job is retired": ended_job_is_retired,
    "a queue is changed": queue_is_changed,
    "a stuck job says why": stuck_job_says_why,
    "a lost KubeJob is missed": lost_kube_job_is_missed,
    "a lost request is found": lost_request_is_found,
}
ALONE: Final = ("a lost KubeJob is missed",)  # it breaks a watch, which others notice
