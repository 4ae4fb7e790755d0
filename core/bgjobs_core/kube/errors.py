"""What can go wrong with the Kubernetes API.

`KubeError` is the base, and everything that `bgjobs_core.kube.door` raises is one:

    KubeError
    ├── KubeUnreachableError   there was no usable answer, so nobody knows whether a write was done
    └── KubeRefusedError       the API server has answered, and its answer is an error
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from bgjobs_core.kube.objects import Object, part, parts

if TYPE_CHECKING:
    from collections.abc import Mapping


class KubeError(Exception):
    """Anything that goes wrong with the Kubernetes API."""


class KubeUnreachableError(KubeError):
    """No answer, or a broken one: whether a write was done is unknown."""


class KubeRefusedError(KubeError):
    """The API server answered with an error.

    Attributes:
        status: the HTTP status.
        reason: of its Status object, as `AlreadyExists`.
        causes: of its details, as (reason, field, message).
        retry_after: seconds, if it said so.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        causes: tuple[tuple[str, str, str], ...] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message
        self.causes = causes
        self.retry_after = retry_after


def refusal(status: int, body: bytes, headers: Mapping[str, str] | None = None) -> KubeRefusedError:
    """Our error for an answer of the API server, which is a Status object unless something stands before it."""
    try:
        found = part({"status": json.loads(body)}, "status")
    except ValueError:
        found = Object()
    details = part(found, "details")
    causes = tuple(
        (str(cause.get("reason", "")), str(cause.get("field", "")), str(cause.get("message", "")))
        for cause in parts(details, "causes")
    )
    after = (headers or {}).get("Retry-After") or details.get("retryAfterSeconds")
    return KubeRefusedError(
        status,
        found.get("reason") or "",
        found.get("message") or body[:500].decode(errors="replace"),
        causes,
        float(after) if after and str(after).isdigit() else None,
    )
