"""docs/openapi.json: the HTTP API as its own description says it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgjobs_api.app import openapi_text

if TYPE_CHECKING:
    from collections.abc import Iterable


def files() -> Iterable[tuple[str, str]]:
    """The OpenAPI document."""
    yield "docs/openapi.json", openapi_text()
