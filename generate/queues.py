"""docs/queues.md: every field of a BackgroundJobQueue, from its model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from bgjobs_core.resources import QueueSpec
from pages import code, header, table

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = """\
{header}
# Queues

A `BackgroundJobQueue` says which code may run, as what, and how many jobs at once. It is an administrator's object: a
job only names its queue (`default` if it names none). On a cluster it is applied with kubectl; `bgjobs dev -f` takes
the same file.

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

All fields of `spec`. With `bgjobs dev` those in **bold** have a meaning.

{fields}"""

# Of the pod only these: see docs/local.md.
_LOCAL = frozenset({
    "maxConcurrent", "paused", "approvedClasses", "defaultMaxRetries", "defaultTimeoutSeconds",
    "pendingDeadlineSeconds", "graceSeconds", "retention.recordsSeconds", "retention.logsSeconds", "pod.env",
    "pod.resources",
})  # fmt: skip


def _rows(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str, str]]:
    for name, field in model.model_fields.items():
        path = f"{prefix}{field.alias or name}"
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
    """The one page."""
    fields = table(["Field", "Default", "What it is"], _rows(QueueSpec))
    yield "docs/queues.md", PAGE.format(header=header("core/bgjobs_core/resources.py"), fields=fields)
