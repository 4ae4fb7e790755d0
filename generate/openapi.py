"""Makes docs/openapi.json: the OpenAPI document of the HTTP API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgjobs_api.app import openapi_text

if TYPE_CHECKING:
    from collections.abc import Iterable


def files() -> Iterable[tuple[str, str]]:
    """Yield the file docs/openapi.json."""
    yield "docs/openapi.json", openapi_text()
