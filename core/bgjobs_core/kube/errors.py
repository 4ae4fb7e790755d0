"""The errors that `bgjobs_core.kube.door` raises when a call of the Kubernetes API fails."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from bgjobs_core.kube.objects import Object, part, parts
from bgjobs_core.kube.text import cleaned

if TYPE_CHECKING:
    from collections.abc import Mapping


class KubeError(Exception):
    """A call of the Kubernetes API has failed.

    Everything that `bgjobs_core.kube.door` raises is one of these:

    KubeError
    ├── KubeUnreachableError       there was no usable answer, so nobody knows whether a write was done
    │   └── KubeUnreadableError    there was an answer, but what it is about cannot be read: trouble of that object
    │       └── KubeTooLargeError  it is larger than any answer that is read
    └── KubeRefusedError           the API server has answered, and its answer is an error
    """


class KubeUnreachableError(KubeError):
    """The API server gave no answer, or a broken one, so it is unknown whether a write was done."""


class KubeUnreadableError(KubeUnreachableError):
    """The API server has answered, but the object in the answer cannot be read, now or later."""


class KubeTooLargeError(KubeUnreadableError):
    """The answer has more bytes than are read of any answer."""


class KubeRefusedError(KubeError):
    """The API server has answered with an error, so a write was not done.

    Attributes:
        status: the HTTP status code.
        reason: the field `reason` of the answered Status object, for example `AlreadyExists`.
        message: the API server's own sentence about what is wrong.
        causes: the list `details.causes` of the Status object, each as (reason, field, message).
        retry_after: after how many seconds the API server wants to be asked again, which may be any number; None if it
            did not say.
        further: with 410 in the middle of a list, where the list can be gone on with; else "".
    """

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        causes: tuple[tuple[str, str, str], ...] = (),
        retry_after: float | None = None,
        further: str = "",
    ) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message
        self.causes = causes
        self.retry_after = retry_after
        self.further = further


def error_from_response(status: int, body: bytes, headers: Mapping[str, str] | None = None) -> KubeRefusedError:
    """Make the error for an answer with a status of 400 or more.

    The body is a Status object of Kubernetes, unless a proxy in front of the API server has answered: then the first
    500 bytes of the body are the message.
    """
    try:
        found = part({"status": json.loads(body)}, "status")
    except (ValueError, RecursionError):
        found = Object()
    details = part(found, "details")
    causes = tuple(
        (cleaned(cause.get("reason")), cleaned(cause.get("field")), cleaned(cause.get("message")))
        for cause in parts(details, "causes")
    )
    after = str((headers or {}).get("Retry-After") or details.get("retryAfterSeconds"))
    return KubeRefusedError(
        status,
        cleaned(found.get("reason")),
        cleaned(found.get("message")) or cleaned(body[:500].decode(errors="replace")),
        causes,
        float(after) if after.isascii() and after.isdigit() else None,
        str(part(found, "metadata").get("continue") or ""),
    )
