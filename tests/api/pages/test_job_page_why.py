"""The page of a job that does not run says why, and what mends it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from bgjobs.vocabulary import Outcome, Phase, State
from bgjobs_core.health.findings import Finding, FindingCode
from tests.api.world import EPOCH, KUBE_UID

if TYPE_CHECKING:
    from tests.api.pages.site import Site

# State, phase, and what the page says; `stopping` reads as what people know it by.
STATES = [
    (State.BLOCKED, "", "Blocked", "Not running: waits for other jobs"),
    (State.SCHEDULED, "", "Scheduled", "Not running: due"),
    (State.QUEUED, "", "Queued", "Not running: waits for the operator"),
    (State.PAUSED, "", "Paused", "Not running: paused"),
    (State.LAUNCHING, "", "Launching", "Starting: its KubeJob is being created"),
    (State.LAUNCHED, "", "Pending", "Starting: its pod is pending"),
    *((State.LAUNCHED, phase, phase.capitalize(), "") for phase in Phase),
    (State.STOPPING, "", "Cancelling", "Being cancelled by"),
    (State.SUCCEEDED, "", "Succeeded", ""),
    (State.FAILED, "", "Failed", ""),
    (State.CANCELLED, "", "Cancelled", ""),
]


async def test_a_pending_job_says_what_kubernetes_says(site: Site) -> None:
    job_id = await site.world.launched()
    await site.world.store.observe_phase(
        job_id=job_id, kube_uid=KUBE_UID, phase=Phase.PENDING, reason='ImagePullBackOff: no "x:1"'
    )
    page = await site.page(f"/jobs/{job_id}")
    assert "Not running: ImagePullBackOff" in page.text
    assert "Pod can start, here it waits" in page.text
    assert 'ImagePullBackOff: no "x:1"' in page.text
    assert len([found for found in page.all("li") if found.get("class") == "shut"]) == 1


async def test_what_mends_it_stands_on_the_page(site: Site) -> None:
    job_id = await site.world.enqueued()
    await site.world.put_queue(paused=True)
    page = await site.page(f"/jobs/{job_id}")
    line = "bgjobs queue resume default -n shop"
    assert line in page.text
    assert page.all("button", data_copy=line)


async def test_nobody_leads(site: Site) -> None:
    job_id = await site.world.enqueued()
    assert "An operator leads" not in (await site.page(f"/jobs/{job_id}")).text
    site.world.findings.append(Finding(FindingCode.OPERATOR_SILENT, "no operator has reported", "kubectl get pods"))
    page = await site.page(f"/jobs/{job_id}")
    assert "Not running: no operator leads" in page.text
    assert "An operator leads, here it waits" in page.text
    assert "no operator leads" in (await site.page("/jobs")).text


async def test_a_pending_job_says_when_it_is_given_up(site: Site) -> None:
    job_id = await site.world.launched()
    assert re.search(r"It is given up at \d{4}-\d\d-\d\d \S+ UTC if nothing", (await site.page(f"/jobs/{job_id}")).text)


async def test_a_next_attempt_that_cannot_start_says_why(site: Site) -> None:
    pod = await site.world.running()
    await site.world.store.observe_attempt(
        job_id=pod.job_id, kube_uid=KUBE_UID, pod_uid=pod.uid, outcome=Outcome.ERROR, exit_code=1, failure=""
    )
    assert "Waits for its next attempt" in (await site.page(f"/jobs/{pod.job_id}")).text
    await site.world.store.observe_phase(
        job_id=pod.job_id, kube_uid=KUBE_UID, phase=Phase.RETRYING, reason="Unschedulable: no memory"
    )
    page = await site.page(f"/jobs/{pod.job_id}")
    assert "Not running: Unschedulable" in page.text
    assert "Attempt 1 has ended" in page.text
    assert "Unschedulable: no memory" in (await site.page("/jobs")).text


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"paused": True}, "the queue default is paused"),
        ({"max_concurrent": 0}, "the queue default is full"),
        ({}, "waits for the operator"),
    ],
)
async def test_a_queued_job_says_what_holds_it(site: Site, spec: dict[str, Any], words: str) -> None:
    job_id = await site.world.enqueued()
    await site.world.put_queue(**spec)
    assert f"Not running: {words}" in (await site.page(f"/jobs/{job_id}")).text
    await site.world.store.drop_queue(queue="shop/default")
    assert "Not running: there is no queue default" in (await site.page(f"/jobs/{job_id}")).text
    site.world.access.deny("list", "backgroundjobqueues", "shop")
    assert "you may not list queues here" in (await site.page(f"/jobs/{job_id}")).text


async def test_a_refused_launch_says_so(site: Site) -> None:
    job_id = await site.world.enqueued()
    await site.world.store.lead(EPOCH)
    await site.world.store.claim(epoch=EPOCH, queue="shop/default", limit=1)
    await site.world.store.decline(
        epoch=EPOCH, job_id=job_id, target=State.SCHEDULED, back_off_ms=60_000, reason="exceeded quota: cpu"
    )
    page = await site.page(f"/jobs/{job_id}")
    assert "Kubernetes refused its KubeJob" in page.text
    assert "exceeded quota: cpu" in page.text
    assert "exceeded quota: cpu" in (await site.page("/jobs")).text
