"""Makes docs/queues.md and docs/requests.md: every field of the custom resources, from their models."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from bgjobs_core.resources.models import QueueSpec, RequestSpec, RequestStatus
from pages import code, header, table

if TYPE_CHECKING:
    from collections.abc import Iterator

QUEUES = """\
{header}
# Queues

A `BackgroundJobQueue` says which classes may run, in which image, with which rights and resources, and how many jobs
at once. It is an administrator's object: a job only names its queue (`default` if it names none). On a cluster it is
applied with kubectl; `bgjobs dev -f` takes the same file.

```yaml
apiVersion: bgjobs.dev/v1alpha1
kind: BackgroundJobQueue
metadata: {{name: reports}}     # namespace: that of the jobs
spec:
  image: registry.example/shop:2026.11     # not needed with bgjobs dev
  approvedClasses: ["shop.reports.*"]
  maxConcurrent: 2
  pod:
    env: [{{name: SMTP_HOST, value: mail.example}}]
    resources: {{limits: {{memory: 512Mi}}}}
```

All fields of `spec`. With `bgjobs dev` only those in **bold** have an effect.

{fields}"""

REQUESTS = """\
{header}
# Requests

A `BackgroundJobRequest` asks for one job, by `kubectl apply`, Argo CD, or any other program that writes to the
Kubernetes API. Its job is like one of `run_background_job`: in the same queues, lists and pages.

```yaml
apiVersion: bgjobs.dev/v1alpha1
kind: BackgroundJobRequest
metadata: {{name: november, namespace: shop}}
spec: {{class: shop.jobs.Invoices, method: render, parameters: [2026, 11]}}
```

All fields of `spec`, which cannot be changed once the request exists:

{fields}

## What becomes of it

```sh
kubectl get bgjobs -n shop                # the short name, as bgjob
kubectl wait --for=condition=Complete bgjob/november -n shop --timeout=10m
kubectl wait --for=condition=Failed bgjob/november -n shop --timeout=0
```

There are two conditions, as with a Job of Kubernetes, and in the end one of them is `True`: **`Complete`** when the job
has succeeded, **`Failed`** when it has failed, was cancelled, or was refused at once. The condition's `reason` says
which, for example `Succeeded`, `Error`, `TimedOut`, `Cancelled` or `ClassNotApproved`. A script that waits for either:

```sh
kubectl wait --for=jsonpath='{{.status.finishedAt}}' bgjob/november -n shop --timeout=10m
kubectl get bgjob november -n shop -o jsonpath='{{.status.state}}'
```

The fields of `status`:

{status}

Deleting a request cancels its job, if that has not ended. The operator deletes a request together with the record of
its job, after the queue's `retention.recordsSeconds`. A request that was refused never became a job: the list of jobs
does not have it, only `kubectl` shows it.
"""

# The fields that local mode respects; docs/local.md says what becomes of the others.
_LOCAL = frozenset({
    "maxConcurrent", "paused", "approvedClasses", "defaultMaxRetries", "defaultTimeoutSeconds",
    "pendingDeadlineSeconds", "graceSeconds", "retention.recordsSeconds", "retention.logsSeconds", "pod.env",
    "pod.resources",
})  # fmt: skip


def _rows(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str, str]]:
    for name, field in model.model_fields.items():
        path = f"{prefix}{field.serialization_alias or name}"
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _rows(inner, f"{path}.")
            continue
        shown = f"**{code(path)}**" if path in _LOCAL else code(path)
        default = code(_default(field.get_default(call_default_factory=True)))
        yield shown, default, field.description or ("As in a pod of Kubernetes." if prefix == "pod." else "")


def _default(value: Any) -> str:
    return "" if value is None or value is PydanticUndefined else json.dumps(value)


def files() -> Iterator[tuple[str, str]]:
    """Yield the pages docs/queues.md and docs/requests.md."""
    top = header("core/bgjobs_core/resources/models.py")
    columns = ["Field", "Default", "What it is"]
    yield "docs/queues.md", QUEUES.format(header=top, fields=table(columns, _rows(QueueSpec)))
    status = [(name, words) for name, _, words in _rows(RequestStatus)]
    yield (
        "docs/requests.md",
        REQUESTS.format(
            header=top, fields=table(columns, _rows(RequestSpec)), status=table(["Field", "What it is"], status)
        ),
    )
