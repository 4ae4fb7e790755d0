"""A POST of one KubeJob that is held for as long as a test wants, by a webhook that does not answer."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from bgjobs_operator.cluster.kubejob import LABEL_JOB
from installation import IMAGE, SHOP, kubectl, wait_until
from tests.cluster.cluster_view import host_address

if TYPE_CHECKING:
    from collections.abc import Generator

_NAME: Final = "bgjobs-test-holds"
_SECONDS: Final = 30  # the longest that Kubernetes waits for a webhook
_PROBE: Final = "probe"


class HeldPost:
    """What asks the webhook is held until `let_go`.

    Attributes:
        asked: how many have asked so far.
    """

    def __init__(self, server: socket.socket) -> None:
        self.asked = 0
        self._server = server
        self._held: list[socket.socket] = []
        self._lock = threading.Lock()
        self._holds = False
        self._thread = threading.Thread(target=self._take, name="webhook")
        self._thread.start()

    def _take(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:  # closed
                return
            with self._lock:
                self.asked += 1
                if self._holds:
                    self._held.append(connection)
                    continue
            connection.close()

    def begin(self) -> None:
        """From now on it holds; whoever asks before is let go at once."""
        with self._lock:
            self._holds, self.asked = True, 0

    def let_go(self) -> None:
        """It does not answer, and whoever asks goes on without it."""
        with self._lock:
            self._holds = False
            for connection in self._held:
                connection.close()
            self._held.clear()

    def close(self) -> None:
        """It is not there any more."""
        self.let_go()
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()


@contextmanager
def held_post(job_id: str) -> Generator[HeldPost]:
    """The API server asks this webhook before it makes the KubeJob of this job, and of no other one."""
    server = socket.create_server(("0.0.0.0", 0))  # noqa: S104 - the API server may come from outside
    held = HeldPost(server)
    hook = {
        "name": "holds.bgjobs.test",
        "clientConfig": {"url": f"https://{host_address()}:{server.getsockname()[1]}/"},
        "rules": [{"apiGroups": ["batch"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["jobs"]}],
        "objectSelector": {"matchExpressions": [{"key": LABEL_JOB, "operator": "In", "values": [job_id, _PROBE]}]},
        "failurePolicy": "Ignore",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "timeoutSeconds": _SECONDS,
    }
    body = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": _NAME},
        "webhooks": [hook],
    }
    try:
        kubectl("apply", "-f", "-", stdin=json.dumps(body))
        wait_until("the API server asks it", lambda: _is_asked(held), 60)
        held.begin()
        yield held
    finally:
        kubectl("delete", "validatingwebhookconfiguration", _NAME, "--ignore-not-found")
        held.close()


def _is_asked(held: HeldPost) -> bool:
    """Whether one that is only tried reaches it."""
    containers = [{"name": "job", "image": IMAGE}]
    body = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": _PROBE, "namespace": SHOP, "labels": {LABEL_JOB: _PROBE}},
        "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": containers}}},
    }
    kubectl("create", "-f", "-", "--dry-run=server", stdin=json.dumps(body))
    return held.asked > 0
