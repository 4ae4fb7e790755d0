"""Two operators, and the one that leads goes: asked to, killed, or frozen until long after another has taken over.

Jobs are asked for all the while. What is measured is how long nobody led; the witness is the API server's audit log,
which knows the pod of each write.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import pytest

import audit
from installation import RELEASE, SHOP, SYSTEM, dev, kubectl, objects, queue, wait_until
from tests.cluster.cluster_view import ended
from tests.cluster.load import Load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgjobs import JobClient

PROGRAM: Final = f"{RELEASE}-operator"
QUEUE: Final = "steady"
PER_SECOND: Final = 1.0
FULL: Final = 30
LEASE_SECONDS: Final = 15.0
_POD: Final = "authentication.kubernetes.io/pod-name"


@dataclass(frozen=True)
class Term:
    """Who leads, and since when by the Lease."""

    pod: str
    since: datetime


def term() -> Term:
    """The present one; of no pod if the Lease is free."""
    spec = json.loads(kubectl("get", "lease", PROGRAM, "-n", SYSTEM, "-o", "json"))["spec"]
    holder = str(spec.get("holderIdentity") or "").partition("/")[0]
    return Term(holder, datetime.fromisoformat(spec["acquireTime"]))


def operators() -> dict[str, str]:
    """UIDs of the pods that are ready and stay, by name."""
    found = objects("pods", "-n", SYSTEM, "-l", "app.kubernetes.io/component=operator")
    return {
        pod["metadata"]["name"]: pod["metadata"]["uid"]
        for pod in found
        if "deletionTimestamp" not in pod["metadata"]
        and any((one["type"], one["status"]) == ("Ready", "True") for one in pod["status"].get("conditions", ()))
    }


def until_led_by_another(before: Term, seconds: float) -> Term:
    found = before

    def led() -> bool:
        nonlocal found
        found = term()
        return found.pod not in {"", before.pod}

    wait_until(f"another than {before.pod} leads", led, seconds)
    return found


def until_two_are_ready() -> None:
    wait_until(
        "two operators are ready, and one leads", lambda: len(operators()) == 2 and term().pod in operators(), 180
    )


def writes_of(pod: str, since: datetime) -> list[audit.Entry]:
    """What a pod has written of jobs, with whatever answer; Leases are not among it."""
    return [
        entry
        for entry in audit.entries()
        if pod in entry["user"].get("extra", {}).get(_POD, ())
        and entry.get("objectRef", {}).get("apiGroup") in {"batch", "bgjobs.dev"}
        and audit.received_at(entry) > since
    ]


def launches_of(pod: str, since: datetime) -> list[datetime]:
    return [
        audit.received_at(entry)
        for entry in writes_of(pod, since)
        if entry["verb"] == "create" and entry["responseStatus"]["code"] == 201
    ]


def until_it_has_launched(leader: Term) -> datetime:
    """When it did so for the first time."""
    wait_until(f"{leader.pod} launches a job", lambda: bool(launches_of(leader.pod, leader.since)), 180)
    return launches_of(leader.pod, leader.since)[0]


def told(what: str, leader: Term, went: datetime) -> tuple[Term, float]:
    """Waits until another leads and has launched a job; who it is, and the seconds without a leader."""
    after = until_led_by_another(leader, 180)
    launched = (until_it_has_launched(after) - went).total_seconds()
    away = (after.since - went).total_seconds()
    print(f"\n{what}: {away:.1f} s without a leader, {launched:.1f} s until the next launch")
    return after, away


def asked_to_end() -> float:
    """It hands the Lease on."""
    leader, went = term(), datetime.now(UTC)
    kubectl("delete", "pod", leader.pod, "-n", SYSTEM, "--wait=false")
    _, away = told("asked to end", leader, went)
    until_two_are_ready()
    return away


def killed() -> float:
    """With its pod, so that nobody of its name comes again: the Lease has to run out."""
    leader = term()
    uid, went = operators()[leader.pod], datetime.now(UTC)
    # Frozen first, so that it cannot hand the Lease on: the kubelet sends SIGTERM before SIGKILL.
    dev("signal", "STOP", PROGRAM, uid)
    kubectl("delete", "pod", leader.pod, "-n", SYSTEM, "--grace-period=0", "--force", "--wait=false")
    _, away = told("killed", leader, went)
    until_two_are_ready()
    return away


def frozen() -> tuple[float, str, datetime]:
    """For longer than the Lease; then it goes on. Also its pod, and when it had been stopped."""
    leader = term()
    uid, restarts, went = operators()[leader.pod], restarts_of(leader.pod), datetime.now(UTC)
    dev("signal", "STOP", PROGRAM, uid)
    stopped = datetime.now(UTC)
    after, away = told("frozen", leader, went)
    dev("signal", "CONT", PROGRAM, uid)
    wait_until("the one that was frozen has begun anew", lambda: restarts_of(leader.pod) > restarts, 180)
    assert "lease lost" in kubectl("logs", leader.pod, "-n", SYSTEM, "--previous")
    until_two_are_ready()
    assert term() == after
    return away, leader.pod, stopped


def restarts_of(pod: str) -> int:
    path = "jsonpath={.status.containerStatuses[0].restartCount}"
    return int(kubectl("get", "pod", pod, "-n", SYSTEM, "-o", path))


@pytest.fixture
def two_operators(client: JobClient) -> Iterator[None]:
    """And a queue for the test; one operator afterwards, as it was."""
    assert client
    kubectl("apply", "-f", "-", stdin=queue(QUEUE, 40))
    kubectl("scale", f"deployment/{PROGRAM}", "-n", SYSTEM, "--replicas=2")
    until_two_are_ready()
    yield
    kubectl("scale", f"deployment/{PROGRAM}", "-n", SYSTEM, "--replicas=1")
    wait_until("one operator is left, and leads", lambda: list(operators()) == [term().pod], 180)


@pytest.mark.slow
@pytest.mark.usefixtures("two_operators")
def test_another_leads_and_nothing_is_lost_or_launched_twice(client: JobClient) -> None:
    with Load(SHOP, QUEUE, PER_SECOND, FULL) as load:
        with load.stage("asked to end"):
            by_asking = asked_to_end()
        with load.stage("killed"):
            by_killing = killed()
        with load.stage("frozen"):
            by_freezing, pod, stopped = frozen()
    states = {job_id: str(ended(client, job_id).state) for job_id in load.accepted}
    created = audit.creations()
    print(f"{load}\nKubeJobs a job: {sorted({created[job_id] for job_id in states})}")
    assert load.failed == []
    assert min(load.stages.values()) > 0, load.stages
    assert set(states.values()) == {"succeeded"}
    assert {created[job_id] for job_id in states} == {1}
    assert writes_of(pod, stopped) == [], "the one that was frozen wrote when it went on"
    assert by_asking < LEASE_SECONDS / 2
    assert max(by_killing, by_freezing) < 2 * LEASE_SECONDS
