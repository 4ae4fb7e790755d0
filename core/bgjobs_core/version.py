"""The version of bgjobs that this process runs."""

from __future__ import annotations

from functools import cache
from importlib import metadata


@cache
def own_version() -> str:
    """The version, for example `0.1.0`; "" if bgjobs runs from sources that are not installed."""
    try:
        return metadata.version("bgjobs-server")
    except metadata.PackageNotFoundError:
        return ""
