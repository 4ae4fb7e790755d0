"""The errors that `bgjobs_core.kube.door` raises when a call of the Kubernetes API fails."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from bgjobs_core.kube.objects import Object, part, parts

if TYPE_CHECKING:
    from collections.abc import Mapping


class KubeError(Exception):
    """A call of the Kubernetes API has failed.

    Everything that `bgjobs_core.kube.door` raises is one of these:

    KubeError
    ├── KubeUnreachableError   there was no usable answer, so nobody knows whether a write was done
    └── KubeRefusedError       the API server has answered, and its answer is an error
    """


class KubeUnreachableError(KubeError):
    """The API server gave no answer, or a broken one, so it is unknown whether a write was done."""


class KubeRefusedError(KubeError):
    """The API server has answered with an error, so a write was not done.

    Attributes:
        status: the HTTP status code.
        reason: the field `reason` of the answered Status object, for example `AlreadyExists`.
        message: the API server's own sentence about what is wrong.
        causes: the list `details.causes` of the Status object, each as (reason, field, message).
        retry_after: after how many seconds the API server wants to be asked again; None if it did not say.
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


def error_from_response(status: int, body: bytes, headers: Mapping[str, str] | None = None) -> KubeRefusedError:
    """Make the error for an answer with a status of 400 or more.

    The body is a Status object of Kubernetes, unless a proxy in front of the API server has answered: then the first
    500 bytes of the body are the message.
    """
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
