"""Which version of bgjobs this is."""

from __future__ import annotations

from functools import cache
from importlib import metadata


@cache
def own_version() -> str:
    """As `0.1.0`; "" where it runs from sources that are not installed."""
    try:
        return metadata.version("bgjobs-server")
    except metadata.PackageNotFoundError:
        return ""
