"""What a job waits for comes later: room in a quota, an image, a queue that goes on, the next minute."""

from __future__ import annotations

import json
import uuid
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from bgjobs import Call
from bgjobs.vocabulary import State, WhyNot
from installation import IMAGE, SHOP, dev, kubectl, wait_until
from tests.cluster.cluster_view import a_queue, change_queue, ended, kube_job_exists, until_why

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from bgjobs import JobClient
    from bgjobs.wire import Job

RENDER: Final = ("shop.jobs.Invoices", "render", [2026, 11])
_SCARCE: Final = "bgjobs-test-scarce"
_MINUTELY: Final = "minutely"


@contextmanager
def quota_of_pods(name: str, count: int) -> Generator[None]:
    """So many pods of a PriorityClass of this name may be there; nobody else is concerned."""
    scope = {"scopeName": "PriorityClass", "operator": "In", "values": [name]}
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": name, "namespace": SHOP},
        "spec": {"hard": {"pods": str(count)}, "scopeSelector": {"matchExpressions": [scope]}},
    }
    kubectl("create", "priorityclass", name, "--value=0")
    try:
        kubectl("apply", "-f", "-", stdin=json.dumps(quota))
        yield
    finally:
        kubectl("delete", "resourcequota", name, "-n", SHOP, "--ignore-not-found")
        kubectl("delete", "priorityclass", name)


def a_quota_of_pods_is_raised_later(client: JobClient) -> Mapping[str, int]:
    """The KubeJob is there, and Kubernetes makes no pod of it."""
    with quota_of_pods(_SCARCE, 0), a_queue("scarce", priorityClasses={"low": _SCARCE}) as queue:
        job = client.enqueue(*RENDER, queue=queue)
        why = until_why(client, job.id, WhyNot.QUOTA)
        assert _SCARCE in why.message
        assert why.remedy == f"kubectl describe resourcequotas -n {SHOP}"
        assert why.fails_at is not None, "when it is given up"

        kubectl(
            "patch", "resourcequota", _SCARCE, "-n", SHOP, "--type=merge", "-p", '{"spec": {"hard": {"pods": "1"}}}'
        )
        assert ended(client, job.id).state == State.SUCCEEDED
        return {job.id: 1}


def an_image_comes_later(client: JobClient) -> Mapping[str, int]:
    """The pod waits for it, and starts when it is there."""
    later = f"bgjobs/example-shop:later-{uuid.uuid4().hex[:8]}"
    with a_queue("image-later", image=later) as queue:
        job = client.enqueue(*RENDER, queue=queue)
        why = until_why(client, job.id, WhyNot.IMAGE_PULL)
        assert later in why.message
        assert why.fails_at is not None, "when it is given up"

        dev("tag", IMAGE, later)
        done = ended(client, job.id)
        assert (done.state, done.attempt) == (State.SUCCEEDED, 1)
        return {job.id: 1}


def a_queue_is_paused_under_load(client: JobClient) -> Mapping[str, int]:
    """What runs goes on, what waits says why, and none of it is launched until the queue goes on."""
    with a_queue("loaded", 4) as queue:
        batch = client.enqueue_many([Call("shop.jobs.Orders", "hold", [2])] * 12, queue=queue)
        ids = [handle.id for handle in batch]
        states: dict[str, State] = {}

        def look() -> set[State]:
            found: list[Job] = [client.get(job_id) for job_id in ids]
            states.update({job.id: job.state for job in found})
            return set(states.values())

        wait_until("some are launched", lambda: State.LAUNCHED in look(), 120)
        change_queue(queue, paused=True)
        wait_until(
            "what has a slot has ended", lambda: _is_paused(client) and look() <= {State.SUCCEEDED, State.QUEUED}
        )
        waiting = [job_id for job_id, state in states.items() if state is State.QUEUED]
        assert len(waiting) >= 4, "the queue was paused in the middle"
        for job_id in waiting:
            until_why(client, job_id, WhyNot.QUEUE_PAUSED)
        assert not any(kube_job_exists(job_id) for job_id in waiting)

        change_queue(queue, paused=False)
        assert {ended(client, job_id).state for job_id in ids} == {State.SUCCEEDED}
        return dict.fromkeys(ids, 1)


def _is_paused(client: JobClient) -> bool:
    return any(view.name == "loaded" and view.paused for view in client.queues(SHOP))


def a_schedule_ticks_at_the_minute(client: JobClient) -> Mapping[str, int]:
    """Its object says when, before and after; one tick is one job."""
    spec = {"cron": "* * * * *", "job": {"class": RENDER[0], "method": RENDER[1], "parameters": RENDER[2]}}
    body = {
        "apiVersion": "bgjobs.dev/v1alpha1",
        "kind": "BackgroundJobSchedule",
        "metadata": {"name": _MINUTELY, "namespace": SHOP},
        "spec": spec,
    }
    one = (f"backgroundjobschedule/{_MINUTELY}", "-n", SHOP)
    began = datetime.now(UTC)
    kubectl("apply", "-f", "-", stdin=json.dumps(body))
    try:
        kubectl("wait", *one, "--for=condition=Ready", "--timeout=60s")
        before = datetime.now(UTC)
        tick = datetime.fromisoformat(_status(one)["nextTick"])
        assert tick.second == 0
        assert before - timedelta(seconds=30) < tick <= datetime.now(UTC) + timedelta(seconds=60)
        kubectl("wait", *one, "--for=jsonpath={.status.lastJobId}", "--timeout=120s")
        last = _status(one)["lastJobId"]
    finally:
        kubectl("delete", *one)
    jobs = client.list(schedule=_MINUTELY, since=began).items
    assert last in {job.id for job in jobs}
    minutes = [job.created_at.replace(second=0, microsecond=0) for job in jobs]
    assert len(set(minutes)) == len(jobs), "one tick is one job, on a slow machine also of more than one minute"
    assert {ended(client, job.id).state for job in jobs} == {State.SUCCEEDED}
    return {job.id: 1 for job in jobs}


def _status(one: tuple[str, ...]) -> dict[str, Any]:
    return json.loads(kubectl("get", *one, "-o", "json"))["status"]
