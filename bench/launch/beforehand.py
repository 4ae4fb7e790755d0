"""What is there before an operator starts: requests that nobody has looked at, and jobs that run in their KubeJobs."""

from __future__ import annotations

import asyncio
import itertools
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from bench.launch.processes import NAMESPACE
from bench.launch.stand_in import OBJECTS, QUEUE_UID
from bench.subjects import jobs
from bgjobs_core.jobs.queue import QueueRecord
from bgjobs_core.resources.models import API_VERSION, GROUP, QUEUES, REQUESTS, VERSION, QueueSpec
from bgjobs_operator.cluster.kubejob import manifest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence

    from bgjobs_core.store.store import Store

    # Asks the stand-in: method, path, body.
    Ask = Callable[[str, str, object], Awaitable[Any]]

QUEUE: Final = "default"
QUEUE_KEY: Final = f"{NAMESPACE}/{QUEUE}"
KUBE_JOBS_PATH: Final = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"
REQUESTS_PATH: Final = f"/apis/{GROUP}/{VERSION}/namespaces/{NAMESPACE}/{REQUESTS}"
_QUEUES_PATH: Final = f"/apis/{GROUP}/{VERSION}/namespaces/{NAMESPACE}/{QUEUES}"
_EPOCH: Final = "before"
_CLAIMED: Final = 20
_CHUNK: Final = 1000
_AT_ONCE: Final = 64
_CLASSES: Final = 20


async def put_all(
    store: Store, ask: Ask, *, requests: int, request_bytes: int, kube_jobs: int, tell: Callable[[str], None]
) -> None:
    """Put all of it into Redis and the stand-in, both of which are empty.

    Args:
        store: where the jobs are recorded that run. They hold all slots of their queue.
        ask: the stand-in.
        requests: how many.
        request_bytes: of the parameters of each, as JSON.
        kube_jobs: how many; each of their jobs has one attempt, which runs.
        tell: hears how far it is.
    """
    spec = jobs.a_queue(max(1, kube_jobs))
    await store.lead(_EPOCH)
    await store.put_queue(QUEUE_KEY, spec, QUEUE_UID)
    await _put(ask, _QUEUES_PATH, [_queue(spec)])
    uids = (f"00000000-0000-4000-8000-{number:012x}" for number in itertools.count(256))
    await _running(store, spec, ask, kube_jobs, uids, tell)
    for start in range(0, requests, _CHUNK):
        tell(f"{start:,} of {requests:,} requests are there")
        numbers = range(start, min(start + _CHUNK, requests))
        await _put(ask, REQUESTS_PATH, [_request(number, next(uids), request_bytes) for number in numbers])


async def _running(
    store: Store, spec: QueueSpec, ask: Ask, count: int, uids: Iterator[str], tell: Callable[[str], None]
) -> None:
    await jobs.fill(store, jobs.Factory(1, _CLASSES, 100, queue=QUEUE, queue_uid=QUEUE_UID), count, tell)
    queue, made = QueueRecord(NAMESPACE, QUEUE, spec, QUEUE_UID), 0
    while claimed := await _claimed(store):
        starting = iter([(job_id, next(uids)) for job_id in claimed])
        await asyncio.gather(*(_start(store, starting) for _ in range(_AT_ONCE)))
        records = await store.jobs(claimed)
        manifests = [(manifest(one, queue, NAMESPACE, "http://api"), one.kube_uid) for one in records]
        await _put(ask, KUBE_JOBS_PATH, [_kube_job(body, uid) for body, uid in manifests])
        made += len(claimed)
        tell(f"{made:,} of {count:,} KubeJobs are there")


async def _start(store: Store, jobs_and_uids: Iterable[tuple[str, str]]) -> None:
    for job_id, uid in jobs_and_uids:
        await store.start(job_id=job_id, kube_uid=uid, pod_uid=f"pod-of-{uid}", pod_name=f"bgjob-{job_id}-x")


async def _claimed(store: Store) -> list[str]:
    found: list[str] = []
    while len(found) < _CHUNK:
        reply = await store.claim(epoch=_EPOCH, queue=QUEUE_KEY, limit=_CLAIMED)
        if not reply.ids:
            break
        found += reply.ids
    return found


async def _put(ask: Ask, path: str, objects: Sequence[dict[str, Any]]) -> None:
    await ask("POST", OBJECTS, {"path": path, "objects": objects})


def _queue(spec: QueueSpec) -> dict[str, Any]:
    said = spec.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return {**_head("BackgroundJobQueue", QUEUE, QUEUE_UID), "spec": said}


def _request(number: int, uid: str, size: int) -> dict[str, Any]:
    call = {"class": jobs.class_name(number % _CLASSES), "method": jobs.METHOD, "parameters": [jobs.payload(size)]}
    return {**_head("BackgroundJobRequest", f"request-{number:06d}", uid), "spec": call}


def _head(kind: str, name: str, uid: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": NAMESPACE, "uid": uid, "creationTimestamp": _now()}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata}


def _kube_job(body: dict[str, Any], uid: str) -> dict[str, Any]:
    body["metadata"] |= {"uid": uid, "creationTimestamp": _now()}
    return {**body, "status": {"startTime": _now(), "active": 1, "ready": 1}}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
