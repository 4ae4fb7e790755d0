"""It gives up when it is imported."""

from __future__ import annotations

from bgjobs import Abort

raise Abort("there are no settings")
