"""A file on a volume that job code appends to: how often it ran, by a witness that is not ours."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass

from installation import IMAGE, SHOP, kubectl, queue

QUEUE = "ledger"
_FILE = "/ledger/ledger.txt"
_MOUNT = {"name": "ledger", "mountPath": "/ledger"}
_VOLUME = {"name": "ledger", "persistentVolumeClaim": {"claimName": "ledger"}}
_SECURITY = {
    "runAsNonRoot": True,
    "runAsUser": 65532,
    "fsGroup": 65532,
    "seccompProfile": {"type": "RuntimeDefault"},
}


@dataclass(frozen=True)
class Entry:
    """One run of the code."""

    job_id: str
    attempt: int
    run: str


def make(max_concurrent: int) -> None:
    """A claim, a queue whose pods have it, and a pod to read it with."""
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "ledger", "namespace": SHOP},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    reader = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "ledger-reader", "namespace": SHOP},
        "spec": {
            "securityContext": _SECURITY,
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "containers": [
                {
                    "name": "reader",
                    "image": IMAGE,
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["python", "-c", "import time; time.sleep(1e6)"],
                    "volumeMounts": [_MOUNT],
                    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                }
            ],
            "volumes": [_VOLUME],
        },
    }
    pod = {"imagePullPolicy": "IfNotPresent", "volumes": [_VOLUME], "volumeMounts": [_MOUNT]}
    for text in (json.dumps(claim), json.dumps(reader), queue(QUEUE, max_concurrent, pod=pod)):
        kubectl("apply", "-f", "-", stdin=text)
    kubectl("wait", "--for=condition=Ready", "pod/ledger-reader", "-n", SHOP, "--timeout=180s")
    _write(_FILE)


def touch(name: str) -> None:
    """Make a file beside the ledger: what `Ledger.until` waits for."""
    _write(f"/ledger/{name}")


def remove(name: str) -> None:
    """And take it away."""
    kubectl("exec", "-n", SHOP, "ledger-reader", "--", "rm", "-f", f"/ledger/{name}")


def _write(path: str) -> None:
    kubectl("exec", "-n", SHOP, "ledger-reader", "--", "python", "-c", f"open('{path}', 'w').close()")


def read() -> list[Entry]:
    """Every run so far."""
    text = kubectl("exec", "-n", SHOP, "ledger-reader", "--", "cat", _FILE)
    return [Entry(words[0], int(words[1]), words[2]) for words in map(str.split, text.splitlines())]


def runs_of(entries: list[Entry]) -> Counter[str]:
    """How often each job's code ran."""
    return Counter(entry.job_id for entry in entries)
