"""Names of objects of Kubernetes, as paths have them."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

ObjectName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=253)]
