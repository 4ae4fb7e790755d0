"""Writes that a browser sends for another site's page are refused.

Programs send neither header. A browser sends `Sec-Fetch-Site` (all since 2023) or at least `Origin` with every
write, and no page can change them; this holds with cookies and without, as in local mode, where being on this
machine is all the permission there is.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from bgjobs_api.http.problems import ProblemError, response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Receive, Scope, Send

_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN: Final = frozenset({"same-origin", "none"})  # none: typed or bookmarked by the person


def objection(method: str, headers: Mapping[str, str]) -> str | None:
    """Why a request is not let through; None if it may pass.

    Args:
        method: as `POST`.
        headers: of the request; names in any case.
    """
    if method in _READS:
        return None
    site = headers.get("sec-fetch-site")
    if site is not None:
        return None if site in _OWN else f"the browser says that the request is {site}"
    origin = headers.get("origin")
    if origin is None:
        return None
    return None if urlsplit(origin).netloc == headers.get("host") else f"it comes from a page of {origin}"


class SameOrigin:
    """ASGI middleware; 403 for what has an objection."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request as ASGI says, unless there is an objection."""
        if scope["type"] == "http" and (why := objection(scope["method"], Headers(scope=scope))):
            detail = f"writes are taken from pages of this server alone: {why}"
            await response(ProblemError(HTTPStatus.FORBIDDEN, "cross_site", detail))(scope, receive, send)
            return
        await self._app(scope, receive, send)
