"""What the roles of people must not be able to do: by the API, by kubectl, and by the fields of a queue.

What would change something is asked for as a dry run of the API server, which goes through RBAC and admission all the
same.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import httpx2
import pytest

import installation
from bgjobs.ids import new_job_id
from bgjobs.protocol import PROTOCOL_HEADER
from installation import SHOP, SYSTEM, CommandError, kubectl, queue, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgjobs import JobClient

ROLES: Final = ("viewer", "submitter", "operator")
QUEUE: Final = "of-people"
SCHEDULE: Final = "of-people"
REQUEST: Final = "of-people"
ANOTHER_NAMESPACE: Final = SYSTEM
_DRY: Final = "--dry-run=server"
_PAUSED: Final = '{"spec":{"paused":true}}'
_CALL: Final = {"class": "shop.jobs.Invoices", "method": "render", "parameters": [2026, 11]}


def account(role: str) -> str:
    return f"test-{role}"


def request(name: str) -> str:
    return _object("BackgroundJobRequest", name, {**_CALL, "queue": QUEUE, "delaySeconds": 3600})


def schedule(name: str) -> str:
    return _object("BackgroundJobSchedule", name, {"everySeconds": 3600, "job": {**_CALL, "queue": QUEUE}})


def _object(kind: str, name: str, spec: dict[str, Any]) -> str:
    metadata = {"name": name, "namespace": SHOP}
    return json.dumps({"apiVersion": "bgjobs.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec})


POD: Final = json.dumps({
    "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "of-people", "namespace": SHOP},
    "spec": {"containers": [{"name": "it", "image": installation.IMAGE}]},
})  # fmt: skip
KUBE_JOB: Final = json.dumps({
    "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "of-people", "namespace": SHOP},
    "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [
        {"name": "it", "image": installation.IMAGE}
    ]}}},
})  # fmt: skip


@pytest.fixture(scope="module")
def job(client: JobClient) -> Iterator[str]:
    """A job that waits for an hour, of a queue of this test; beside it an account for each role."""
    kubectl("apply", "-f", "-", stdin=queue(QUEUE, 2))
    for role in (*ROLES, "queue-owner"):
        name = account(role)
        kubectl("create", "serviceaccount", name, "-n", SHOP)
        kubectl(
            "create", "rolebinding", name, "-n", SHOP, f"--clusterrole=bgjobs-{role}",
            f"--serviceaccount={SHOP}:{name}",
        )  # fmt: skip
    kubectl("wait", "--for=condition=Ready", f"backgroundjobqueue/{QUEUE}", "-n", SHOP, "--timeout=60s")
    kubectl("apply", "-f", "-", stdin=request(REQUEST))
    kubectl("apply", "-f", "-", stdin=schedule(SCHEDULE))
    waiting = client.enqueue("shop.jobs.Invoices", "render", [2026, 11], queue=QUEUE, delay=3600)
    yield waiting.id
    client.cancel(waiting.id)
    for role in (*ROLES, "queue-owner"):
        kubectl("delete", f"serviceaccount/{account(role)}", f"rolebinding/{account(role)}", "-n", SHOP)
    kubectl("delete", f"backgroundjobrequest/{REQUEST}", f"backgroundjobschedule/{SCHEDULE}", "-n", SHOP)
    kubectl("delete", f"backgroundjobqueue/{QUEUE}", "-n", SHOP)


def as_role(role: str, *arguments: str, stdin: str | None = None) -> str:
    return kubectl(f"--as=system:serviceaccount:{SHOP}:{account(role)}", *arguments, stdin=stdin)


# ------------------------------------------------------------------------------------- by the API
def _runner(said: dict[str, Any]) -> dict[str, Any]:
    return {"kube_uid": "k", "pod_uid": "p", "pod_name": "bgjob-x", **said}


def _a_job(**changes: Any) -> dict[str, Any]:
    return {"id": new_job_id(), "namespace": SHOP, "queue": QUEUE, **_CALL, **changes}


OF_A_JOB: Final = ("cancel", "pause", "resume", "run-now")
# What is asked for; the status that is the answer to whoever may not.
API_OF_SUBMITTERS: Final[dict[str, tuple[str, dict[str, Any], int]]] = {
    "POST /api/v1/jobs": ("run a job", _a_job(), 403),
    "POST /api/v1/jobs:batch": ("run many", {"jobs": [_a_job()]}, 403),
    **{f"POST /api/v1/jobs/JOB/{deed}": (deed, {}, 403) for deed in OF_A_JOB},
    "POST /api/v1/jobs/JOB/rerun": ("run it again", {"id": new_job_id()}, 403),
    "POST /api/v1/jobs/JOB/priority": ("change its priority", {"priority": 1}, 403),
    f"POST /api/v1/schedules/{SHOP}/{SCHEDULE}:pause": ("pause a schedule", {}, 403),
}
API_OF_OPERATORS: Final[dict[str, tuple[str, dict[str, Any], int]]] = {
    f"POST /api/v1/queues/{SHOP}/{QUEUE}/pause": ("pause a queue", {}, 403),
    f"POST /api/v1/queues/{SHOP}/{QUEUE}/resume": ("resume a queue", {}, 403),
}
API_OF_NOBODY: Final[dict[str, tuple[str, dict[str, Any], int]]] = {
    "POST /api/v1/jobs?elsewhere": ("run a job elsewhere", _a_job(namespace=ANOTHER_NAMESPACE), 403),
    f"GET /api/v1/jobs?namespace={ANOTHER_NAMESPACE}": ("see jobs elsewhere", {}, 403),
    f"GET /api/v1/queues?namespace={ANOTHER_NAMESPACE}": ("see queues elsewhere", {}, 403),
    "POST /runner/v1/jobs/JOB/start": ("take a job's parameters as its pod", _runner({}), 403),
    "POST /runner/v1/jobs/JOB/finish": (
        "say how a job ended", _runner({"attempt": 1, "outcome": "succeeded"}), 403,
    ),
}  # fmt: skip
API: Final = {
    "viewer": {**API_OF_SUBMITTERS, **API_OF_OPERATORS, **API_OF_NOBODY},
    "submitter": {**API_OF_OPERATORS, **API_OF_NOBODY},
    "operator": API_OF_NOBODY,
}

# ------------------------------------------------------------------------------------- by kubectl
KUBECTL_OF_SUBMITTERS: Final[dict[str, tuple[tuple[str, ...], str | None]]] = {
    "make a request": (("create", "-f", "-", _DRY), request("another")),
    "delete a request": (("delete", f"backgroundjobrequest/{REQUEST}", "-n", SHOP, _DRY), None),
    "make a schedule": (("create", "-f", "-", _DRY), schedule("another")),
}
KUBECTL_OF_OPERATORS: Final[dict[str, tuple[tuple[str, ...], str | None]]] = {
    "patch a queue's pause": (
        ("patch", f"backgroundjobqueue/{QUEUE}", "-n", SHOP, "--type=merge", "-p", _PAUSED, _DRY),
        None,
    ),
}
KUBECTL_OF_NOBODY: Final[dict[str, tuple[tuple[str, ...], str | None]]] = {
    "make a queue": (("create", "-f", "-", _DRY), queue("another", 1)),
    "delete a queue": (("delete", f"backgroundjobqueue/{QUEUE}", "-n", SHOP, _DRY), None),
    "change a request": (
        ("patch", f"backgroundjobrequest/{REQUEST}", "-n", SHOP, "--type=merge", "-p", _PAUSED, _DRY),
        None,
    ),
    **{
        f"write the status of a {kind}": (
            ("patch", f"backgroundjob{kind}/{name}", "-n", SHOP, "--subresource=status", "--type=merge", "-p",
             '{"status":{}}', _DRY),
            None,
        )
        for kind, name in (("queue", QUEUE), ("request", REQUEST), ("schedule", SCHEDULE))
    },
    "read Secrets": (("get", "secrets", "-n", SHOP), None),
    "read pods": (("get", "pods", "-n", SHOP), None),
    "read the Secrets of bgjobs": (("get", "secrets", "-n", SYSTEM), None),
    "make a pod": (("create", "-f", "-", _DRY), POD),
    "make a KubeJob": (("create", "-f", "-", _DRY), KUBE_JOB),
    "delete KubeJobs": (("delete", "jobs", "--all", "-n", SHOP, _DRY), None),
    "give a role": (
        ("create", "rolebinding", "another", "-n", SHOP, "--clusterrole=bgjobs-queue-owner",
         f"--serviceaccount={SHOP}:{account('viewer')}", _DRY),
        None,
    ),
    "delete the policy": (("delete", "validatingadmissionpolicy", "bgjobs-queues", _DRY), None),
}  # fmt: skip
KUBECTL: Final = {
    "viewer": {**KUBECTL_OF_SUBMITTERS, **KUBECTL_OF_OPERATORS, **KUBECTL_OF_NOBODY},
    "submitter": {**KUBECTL_OF_OPERATORS, **KUBECTL_OF_NOBODY},
    "operator": KUBECTL_OF_NOBODY,
}

# ------------------------------------------------------------------------------------- by a queue's fields
FIELDS: Final[dict[str, dict[str, Any]]] = {
    "image": {"spec": {"image": "evil.example/x:1"}},
    "images": {"spec": {"images": ["*:*"]}},
    "approved classes": {"spec": {"approvedClasses": ["os.*"]}},
    "ServiceAccount": {"spec": {"pod": {"serviceAccountName": "default"}}},
    "a Secret as environment": {"spec": {"pod": {"envFrom": [{"secretRef": {"name": "any"}}]}}},
    "environment": {"spec": {"pod": {"env": [{"name": "PYTHONPATH", "value": "/evil"}]}}},
    "hostPath": {"spec": {"pod": {"volumes": [{"name": "node", "hostPath": {"path": "/"}}]}}},
    "runAsUser 0": {"spec": {"pod": {"securityContext": {"runAsUser": 0, "runAsNonRoot": False}}}},
    "labels of pods": {"spec": {"pod": {"labels": {"app": "the-database"}}}},
    "annotations of pods": {"spec": {"pod": {"annotations": {"a": "b"}}}},
    "tolerations": {"spec": {"pod": {"tolerations": [{"operator": "Exists"}]}}},
    "priority class": {"spec": {"priorityClasses": {"low": "system-node-critical"}}},
    "retention": {"spec": {"retention": {"recordsSeconds": 60}}},
    "timeout": {"spec": {"defaultTimeoutSeconds": 1}},
    "retries": {"spec": {"defaultMaxRetries": 100}},
    "grace": {"spec": {"graceSeconds": 0}},
    "pause together with the image": {"spec": {"paused": True, "image": "evil.example/x:1"}},
    "labels": {"metadata": {"labels": {"a": "b"}}},
    "annotations": {"metadata": {"annotations": {"a": "b"}}},
    "finalizers": {"metadata": {"finalizers": ["example.com/never"]}},
    "owners": {
        "metadata": {
            "ownerReferences": [
                {
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "name": "nobody",
                    "uid": "00000000-0000-0000-0000-000000000000",
                }
            ]
        }
    },
}
LIMITS: Final[dict[str, dict[str, Any]]] = {
    "pause": {"paused": True},
    "slots": {"maxConcurrent": 3},
    "slots of a key": {"maxConcurrentPerKey": 1},
    "a rate": {"startRate": {"starts": 1, "seconds": 60}},
    "a rate of a key": {"startRatePerKey": {"starts": 1, "seconds": 60}},
}


def patched(role: str, change: dict[str, Any]) -> str:
    return as_role(
        role, "patch", f"backgroundjobqueue/{QUEUE}", "-n", SHOP, "--type=merge", "-p", json.dumps(change), _DRY
    )


def _is_no_namespace_of_jobs(answer: httpx2.Response) -> bool:
    """Nobody asks who may do something there: there is nothing to see, and a job is refused as such."""
    said = answer.json()
    return said.get("items") == [] or said.get("code") == "no_namespace_of_jobs"


@pytest.mark.parametrize("role", ROLES)
def test_twenty_things_and_more_are_tried_with_each_role(role: str) -> None:
    fields = len(FIELDS) if role == "operator" else 0
    assert len(API[role]) + len(KUBECTL[role]) + fields >= 20


@pytest.mark.parametrize("role", ROLES)
def test_what_the_api_refuses(address: str, job: str, role: str) -> None:
    headers = {"Authorization": f"Bearer {installation.token(account(role))}", PROTOCOL_HEADER: "1"}
    with httpx2.Client(base_url=address, headers=headers, trust_env=False, timeout=30) as http:
        wait_until("its role is known", lambda: http.get(f"/api/v1/jobs/{job}").status_code == 200)
        found: dict[str, int] = {}
        for line, (what, body, _) in API[role].items():
            method, _, path = line.removesuffix("?elsewhere").partition(" ")
            answer = http.request(method, path.replace("JOB", job), json=body)
            found[what] = 403 if _is_no_namespace_of_jobs(answer) else answer.status_code
    assert found == {what: status for what, _, status in API[role].values()}


@pytest.mark.usefixtures("job")
@pytest.mark.parametrize("role", ROLES)
def test_what_kubectl_is_refused(role: str) -> None:
    said: dict[str, str] = {}
    for what, (arguments, stdin) in KUBECTL[role].items():
        try:
            said[what] = as_role(role, *arguments, stdin=stdin)
        except CommandError as error:
            said[what] = str(error)
    assert {what: words for what, words in said.items() if "forbidden" not in words.lower()} == {}


@pytest.mark.usefixtures("job")
@pytest.mark.parametrize("what", FIELDS)
def test_what_an_operator_may_not_change_of_a_queue(what: str) -> None:
    with pytest.raises(CommandError, match="forbidden: ValidatingAdmissionPolicy 'bgjobs-queues'") as caught:
        patched("operator", FIELDS[what])
    assert "bgjobs-queue-owner" in str(caught.value)


@pytest.mark.usefixtures("job")
@pytest.mark.parametrize("what", LIMITS)
def test_what_an_operator_may_change(what: str) -> None:
    assert "patched" in patched("operator", {"spec": LIMITS[what]})


@pytest.mark.usefixtures("job")
def test_what_an_owner_may() -> None:
    for what in ("image", "approved classes", "a Secret as environment", "labels", "annotations"):
        assert "patched" in patched("queue-owner", FIELDS[what])
    as_role("queue-owner", "create", "-f", "-", _DRY, stdin=queue("another", 1))
    as_role("queue-owner", "delete", f"backgroundjobqueue/{QUEUE}", "-n", SHOP, _DRY)


@pytest.mark.usefixtures("job")
def test_a_queue_that_reaches_for_the_node_runs_nothing_and_says_why(client: JobClient) -> None:
    pod = {"imagePullPolicy": "IfNotPresent", "volumes": [{"name": "node", "hostPath": {"path": "/"}}]}
    as_role("queue-owner", "create", "-f", "-", stdin=queue("reaches", 1, pod=pod))
    try:
        kubectl("wait", "--for=condition=Ready=False", "backgroundjobqueue/reaches", "-n", SHOP, "--timeout=60s")
        found = json.loads(kubectl("get", "backgroundjobqueue", "reaches", "-n", SHOP, "-o", "json"))
        said = found["status"]["conditions"][0]
        assert said["reason"] == "PodNotAllowed"
        assert "jobs.allowedPodFeatures: [hostPath]" in said["message"]
        with pytest.raises(Exception, match=r"spec\.pod\.volumes\[0\]\.hostPath is not allowed here"):
            client.enqueue("shop.jobs.Invoices", "render", [2026, 11], queue="reaches")
    finally:
        kubectl("delete", "backgroundjobqueue", "reaches", "-n", SHOP)
