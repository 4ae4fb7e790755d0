"""A package with jobs, and with names that are not its own."""

from __future__ import annotations

import json as tools

LIMIT = 7

__all__ = ["LIMIT", "tools"]
