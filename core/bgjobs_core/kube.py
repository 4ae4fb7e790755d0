"""Objects of the Kubernetes API as plain JSON, and what can go wrong with it.

The connection is in `kube_door`: importing that takes a second and 30 MB, which only those pay who open it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

Object = dict[str, Any]

# What the chart and the documentation say too.
MINIMUM_VERSION: Final = (1, 31)


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


def part(obj: Object, *names: str) -> Object:
    """The object below these names; empty where any of them is missing, null or something else."""
    found: Any = obj
    for name in names:
        found = cast("Object", found).get(name) if isinstance(found, dict) else None
    return cast("Object", found) if isinstance(found, dict) else {}


def parts(obj: Object, name: str) -> list[Object]:
    """The list of objects below this name; empty where it is missing or null."""
    return cast("list[Object]", obj.get(name) or [])


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


@dataclass(frozen=True)
class ApiServer:
    """What the API server says of itself.

    Attributes:
        version: as `v1.36.3`.
        clock: Unix seconds, in the middle of the second that it named; None: it named none.
    """

    version: str
    clock: float | None

    @property
    def minor(self) -> tuple[int, int] | None:
        """As (1, 36); None if the version says something else."""
        found = re.match(r"v?(\d+)\.(\d+)", self.version)
        return (int(found[1]), int(found[2])) if found else None


def api_server(version: Object, date: str) -> ApiServer:
    """From the answer to `GET /version` and its header `Date`."""
    try:
        clock = parsedate_to_datetime(date).timestamp() + 0.5
    except ValueError:
        clock = None
    return ApiServer(str(version.get("gitVersion", "")), clock)
