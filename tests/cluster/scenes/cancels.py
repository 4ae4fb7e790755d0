"""A cancel in each state, and in each phase of a launched job (but `unreachable`, which is in `nodes`).

Each arrangement takes a job there and says why it does not run; what must be so after the cancel is the same for all.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from bgjobs.ids import new_job_id
from bgjobs.vocabulary import Outcome, Phase, State, WhyNot
from installation import wait_until
from tests.cluster.away_node import LABEL
from tests.cluster.cluster_view import a_queue, ended, kube_job_exists, pods_of, until_running, until_why
from tests.cluster.scenes.held_post import held_post
from tests.cluster.scenes.waiting import RENDER

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from contextlib import AbstractContextManager

    from bgjobs import JobClient

HOLD: Final = ("shop.jobs.Orders", "hold", [600])


@contextmanager
def blocked(client: JobClient) -> Generator[str]:
    parent = client.enqueue(*RENDER, delay=3600)
    job = client.enqueue(*RENDER, needs=[parent])
    assert parent.id in until_why(client, job.id, WhyNot.BLOCKED).message
    yield job.id
    client.cancel(parent.id)


@contextmanager
def scheduled(client: JobClient) -> Generator[str]:
    job = client.enqueue(*RENDER, delay=3600)
    assert until_why(client, job.id, WhyNot.SCHEDULED).next_try_at is not None
    yield job.id


@contextmanager
def queued(client: JobClient) -> Generator[str]:
    with a_queue("without-slots", 0) as queue:
        job = client.enqueue(*RENDER, queue=queue)
        assert "0 of 0 slots" in until_why(client, job.id, WhyNot.QUEUE_FULL).message
        yield job.id


@contextmanager
def paused(client: JobClient) -> Generator[str]:
    job = client.enqueue(*RENDER, delay=3600)
    client.pause(job.id, note="month end")
    assert "month end" in until_why(client, job.id, WhyNot.PAUSED).message
    yield job.id


@contextmanager
def launching(client: JobClient) -> Generator[str]:
    """The API server has the POST of its KubeJob, and has not answered when the cancel comes."""
    job_id = new_job_id()
    with held_post(job_id) as post:
        client.enqueue(*HOLD, id=job_id)
        wait_until("its KubeJob is asked for", lambda: post.asked > 0, 60)
        until_why(client, job_id, WhyNot.LAUNCHING)
        yield job_id
        assert client.get(job_id).state == State.STOPPING, "as long as it may still come"
        post.let_go()
        ended(client, job_id)


@contextmanager
def pending(client: JobClient) -> Generator[str]:
    pod = {"imagePullPolicy": "IfNotPresent", "nodeSelector": {LABEL: "nowhere"}}
    with a_queue("nowhere", pod=pod) as queue:
        job = client.enqueue(*HOLD, queue=queue)
        assert "nodes are available" in until_why(client, job.id, WhyNot.UNSCHEDULABLE).message
        yield job.id
        ended(client, job.id)


@contextmanager
def running(client: JobClient) -> Generator[str]:
    job = client.enqueue(*HOLD)
    until_running(client, job.id, "holding the order")
    assert client.why(job.id).why is None
    yield job.id


@contextmanager
def retrying(client: JobClient) -> Generator[str]:
    """Kubernetes waits before it makes the next pod."""
    job = client.enqueue("shop.jobs.Payments", "charge", [42], max_retries=3)
    why = until_why(client, job.id, WhyNot.BACK_OFF)
    assert "the bank refused 42.00 EUR" in why.message
    assert client.get(job.id).phase == Phase.RETRYING
    yield job.id


@contextmanager
def suspended(client: JobClient) -> Generator[str]:
    job = client.enqueue(*HOLD)
    until_running(client, job.id, "holding the order")
    client.suspend(job.id, note="the provider is down")
    wait_until("it is suspended", lambda: client.get(job.id).phase == Phase.SUSPENDED, 120)
    assert "the provider is down" in until_why(client, job.id, WhyNot.SUSPENDED).message
    yield job.id


@contextmanager
def stopping(client: JobClient) -> Generator[str]:
    """It was cancelled before, and its code does not obey."""
    with a_queue("stubborn", graceSeconds=5) as queue:
        job = client.enqueue("shop.jobs.Orders", "stubborn", [600], queue=queue)
        until_running(client, job.id, "still here")
        assert client.cancel(job.id, note="the first one").state == State.STOPPING
        assert "the first one" in until_why(client, job.id, WhyNot.STOPPING).message
        yield job.id
        ended(client, job.id)


# How each is come to, and how many KubeJobs are made of it.
CANCELS: Final[Mapping[str, tuple[Callable[[JobClient], AbstractContextManager[str]], int]]] = {
    "blocked": (blocked, 0),
    "scheduled": (scheduled, 0),
    "queued": (queued, 0),
    "paused": (paused, 0),
    "launching": (launching, 1),
    "pending": (pending, 1),
    "running": (running, 1),
    "retrying": (retrying, 1),
    "suspended": (suspended, 1),
    "stopping": (stopping, 1),
}


def cancelled_while(name: str, client: JobClient) -> Mapping[str, int]:
    """Nothing of it runs any more, whatever it was at, and nothing of it comes later."""
    arrange, kube_jobs = CANCELS[name]
    with arrange(client) as job_id:
        began = client.get(job_id).attempt
        client.cancel(job_id, note="the last one")
    done = ended(client, job_id)
    assert (done.state, done.outcome, done.attempt) == (State.CANCELLED, Outcome.CANCELLED, began)
    assert done.reason == ("the first one" if name == "stopping" else "the last one")
    assert (pods_of(job_id), kube_job_exists(job_id)) == ([], False)
    assert all(one.outcome is not None for one in client.attempts(job_id))
    return {job_id: kube_jobs}
