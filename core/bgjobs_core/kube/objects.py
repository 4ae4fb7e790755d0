"""Objects of the Kubernetes API as plain JSON.

The connection is in `kube_door`: importing that takes a second and 30 MB, which only those pay who open it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Final, cast

Object = dict[str, Any]

# What the chart and the documentation say too.
MINIMUM_VERSION: Final = (1, 31)


def part(obj: Object, *names: str) -> Object:
    """The object below these names; empty where any of them is missing, null or something else."""
    found: Any = obj
    for name in names:
        found = cast("Object", found).get(name) if isinstance(found, dict) else None
    return cast("Object", found) if isinstance(found, dict) else {}


def parts(obj: Object, name: str) -> list[Object]:
    """The list of objects below this name; empty where it is missing or null."""
    return cast("list[Object]", obj.get(name) or [])


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
