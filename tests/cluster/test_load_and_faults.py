"""Two jobs a second for a minute while the operator is killed: nothing is lost, nothing runs twice in silence."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

import audit
from bgjobs.ids import new_job_id
from bgjobs_operator.loops.settle import COALESCE_SECONDS
from installation import RELEASE, SYSTEM, dev, kubectl, wait_until
from tests.cluster import ledger
from tests.cluster.cluster_view import ended

if TYPE_CHECKING:
    from bgjobs import JobClient
    from tests.cluster.conftest import RequestOf

SECONDS = 60
PER_SECOND = 2


@pytest.mark.slow
def test_two_jobs_a_second_with_the_operator_killed_in_the_middle(client: JobClient) -> None:
    ledger.make(max_concurrent=40)
    restarts_before = _restarts()
    ids: list[str] = []
    began = time.monotonic()
    for number in range(SECONDS * PER_SECOND):
        if number == SECONDS * PER_SECOND // 2:
            dev("kill", "bgjobs-operator")
        job_id = new_job_id()
        client.enqueue("shop.jobs.Ledger", "append", [str(number)], queue=ledger.QUEUE, id=job_id)
        ids.append(job_id)
        time.sleep(max(0.0, began + (number + 1) / PER_SECOND - time.monotonic()))  # the load's own pace
    enqueued = time.monotonic() - began
    states = Counter(str(ended(client, job_id, 600).state) for job_id in ids)
    drained = time.monotonic() - began - enqueued

    created = audit.creations()
    runs = ledger.runs_of(ledger.read())
    attempts = {job_id: client.attempts(job_id) for job_id in ids if runs[job_id] != 1}
    twice = {
        job_id: runs[job_id]
        for job_id, told in attempts.items()
        if runs[job_id] != 1 + sum(one.outcome != "succeeded" for one in told)
    }
    print(
        f"\n{len(ids)} jobs in {enqueued:.0f} s, all ended {drained:.1f} s later; states {dict(states)}; "
        f"KubeJobs a job {sorted({created[job_id] for job_id in ids})}; code ran {sorted(set(runs.values()))} times"
    )
    assert states == {"succeeded": len(ids)}
    assert {created[job_id] for job_id in ids} == {1}
    assert twice == {}
    assert set(runs) == set(ids)
    wait_until("the operator is ready again", lambda: _restarts() == restarts_before + 1, 180)


def _restarts() -> int:
    path = "jsonpath={.items[*].status.containerStatuses[0].restartCount}"
    selector = "app.kubernetes.io/component=operator"
    return sum(int(count) for count in kubectl("get", "pods", "-n", SYSTEM, "-l", selector, "-o", path).split())


def test_the_operators_writes_to_the_kubernetes_api_for_each_job(client: JobClient, request_of: RequestOf) -> None:
    """At most 2 for a job born through the API, creation and deletion included, and 5 for one born from a request.

    Where pods are slow to start, a request also says what lasts: one more write for each `COALESCE_SECONDS` of it.
    """
    by_api = [client.enqueue("shop.jobs.Invoices", "render", [2026, 1 + number]).id for number in range(10)]
    named = dict(request_of("Invoices", "render", [2026, 1 + number]) for number in range(10))
    seconds: dict[str, float] = {}
    for job_id in [*by_api, *named.values()]:
        job = ended(client, job_id)
        assert job.state == "succeeded"
        assert job.finished_at is not None
        seconds[job_id] = (job.finished_at - job.created_at).total_seconds()
    for name in named:
        kubectl("wait", "--for=condition=Complete", f"backgroundjobrequest/{name}", "-n", "shop", "--timeout=180s")

    operator = f"system:serviceaccount:{SYSTEM}:{RELEASE}-operator"
    writes: Counter[str] = Counter()
    for entry in audit.entries():
        if entry["user"]["username"] == operator and entry["responseStatus"]["code"] < 300:
            writes[entry["objectRef"].get("name", "")] += 1
    # Every KubeJob is deleted once more when it is retired, which is later.
    api_born = [writes[f"bgjob-{job_id}"] + 1 for job_id in by_api]
    request_born = {job_id: writes[f"bgjob-{job_id}"] + writes[name] + 1 for name, job_id in named.items()}
    print(f"\nwrites a job: {sorted(api_born)} by the API, {sorted(request_born.values())} by a request")
    assert max(api_born) <= 2
    # Creation, deletion, the end, and what was quiet for long enough before.
    most = {job_id: max(5, 3 + int(seconds[job_id] / COALESCE_SECONDS)) for job_id in request_born}
    assert {job_id: made for job_id, made in request_born.items() if made > most[job_id]} == {}
