"""Objects of the Kubernetes API as plain JSON, and how parts of them are read.

The connection is in the module `door`: importing that takes a second and 30 MB, which those who only read objects are
spared.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Final, cast

Object = dict[str, Any]

# The chart and the documentation say the same.
MINIMUM_VERSION: Final = (1, 31)


def part(obj: Object, *names: str) -> Object:
    """The object at this path of names; an empty one where a name is missing, or its value is not an object."""
    found: Any = obj
    for name in names:
        found = cast("Object", found).get(name) if isinstance(found, dict) else None
    return cast("Object", found) if isinstance(found, dict) else {}


def parts(obj: Object, name: str) -> list[Object]:
    """The list of objects under this name, without what is no object; an empty one where there is no list."""
    found: Any = obj.get(name)
    return [one for one in cast("list[Object]", found) if isinstance(one, dict)] if isinstance(found, list) else []  # pyright: ignore[reportUnnecessaryIsInstance]


@dataclass(frozen=True)
class ApiServer:
    """What the API server says about itself.

    Attributes:
        version: its version, for example `v1.36.3`.
        clock: its time in Unix seconds, taken as the middle of the second that it named; None if it named none.
    """

    version: str
    clock: float | None

    @property
    def minor(self) -> tuple[int, int] | None:
        """Major and minor version, for example (1, 36); None if the version cannot be read."""
        found = re.match(r"v?(\d+)\.(\d+)", self.version)
        return (int(found[1]), int(found[2])) if found else None


def api_server(version: Object, date: str) -> ApiServer:
    """Read the body of the answer to `GET /version`, and its header `Date`."""
    try:
        clock = parsedate_to_datetime(date).timestamp() + 0.5
    except ValueError:
        clock = None
    return ApiServer(str(version.get("gitVersion", "")), clock)
