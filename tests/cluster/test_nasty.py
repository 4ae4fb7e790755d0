"""Nasty job code in real pods: the rows of `tests/nasty/table.py` on which it could depend that it is one.

A row costs a pod, so the others are left to the real runner in a process. All pods are asked for at once: they take the
time of a few. The code gets into them from a ConfigMap, since the image is that of the shop.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import pytest

from bgjobs import Call
from installation import SHOP, kubectl, queue, wait_until
from tests.cluster.cluster_view import ended
from tests.nasty.table import APP, GRACE_SECONDS, PACKAGE, TABLE, Ended

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bgjobs import JobClient
    from tests.nasty.table import Row

QUEUE: Final = "nasty"
ROWS: Final = [row for row in TABLE if row.pod]


def put_the_code_there() -> None:
    """A ConfigMap with the package, and a queue whose pods have it in `/app`."""
    # A key of a ConfigMap has no slash, so each file gets one by its number.
    files = {f"{number}.py": file for number, file in enumerate(sorted((APP / PACKAGE).rglob("*.py")))}
    code = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": QUEUE, "namespace": SHOP},
        "data": {key: file.read_text("utf-8") for key, file in files.items()},
    }
    items = [{"key": key, "path": str(file.relative_to(APP / PACKAGE))} for key, file in files.items()]
    pod = {
        "imagePullPolicy": "IfNotPresent",
        "volumes": [{"name": "code", "configMap": {"name": QUEUE, "items": items}}],
        "volumeMounts": [{"name": "code", "mountPath": f"/app/{PACKAGE}", "readOnly": True}],
    }
    spec = {"approvedClasses": [f"{PACKAGE}.*"], "graceSeconds": GRACE_SECONDS, "pod": pod}
    for text in (json.dumps(code), queue(QUEUE, 6, **spec)):
        kubectl("apply", "-f", "-", stdin=text)


@pytest.fixture(scope="module")
def played(client: JobClient) -> Iterator[Mapping[str, Ended]]:
    """What became of each row, by its name."""
    try:
        put_the_code_there()
        wait_until("the queue is known", lambda: QUEUE in {view.name for view in client.queues(SHOP)})
        calls = [Call(row.cls, row.method, row.parameters, max_retries=row.max_retries) for row in ROWS]
        handles = client.enqueue_many(calls, queue=QUEUE, timeout_seconds=120)
        yield {row.name: what_became_of(client, handle.id) for row, handle in zip(ROWS, handles, strict=True)}
    finally:
        kubectl("delete", "backgroundjobqueue", QUEUE, "-n", SHOP, "--ignore-not-found")
        kubectl("delete", "configmap", QUEUE, "-n", SHOP, "--ignore-not-found")


def what_became_of(client: JobClient, job_id: str) -> Ended:
    job = ended(client, job_id, seconds=600)
    kind, words = (job.error.type, job.error.message) if job.error else ("", "")
    result = client.result(job_id) if job.has_result else None
    return Ended(str(job.state), str(job.outcome), kind, words, result, client.logs(job_id), job.attempt)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_what_becomes_of_it(played: Mapping[str, Ended], row: Row) -> None:
    row.check(played[row.name])
