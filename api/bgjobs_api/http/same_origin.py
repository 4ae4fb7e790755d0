"""Refuses requests that change something and that a browser sends for the page of another site.

A browser sends the header `Sec-Fetch-Site` (all browsers since 2023) or at least `Origin` with every such request, and
no page can change them; programs send neither. This is needed with cookies and without: during a trial, whoever
reaches the dashboard is allowed what everybody is.
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
    """Why a request is refused, as half a sentence; None if it is not.

    Args:
        method: the HTTP method, for example `POST`.
        headers: the headers of the request, whose names may be in upper or lower case.
    """
    if method in _READS:
        return None
    site = headers.get("sec-fetch-site")
    if site is not None:
        return None if site in _OWN else f"the browser says that this request is {site}"
    origin = headers.get("origin")
    if origin is None:
        return None
    return None if urlsplit(origin).netloc == headers.get("host") else f"this request comes from a page of {origin}"


class SameOrigin:
    """ASGI middleware that answers such requests with status 403."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request, or pass it on to the application."""
        if scope["type"] == "http" and (why := objection(scope["method"], Headers(scope=scope))):
            detail = f"only pages of this server may change something here: {why}"
            await response(ProblemError(HTTPStatus.FORBIDDEN, "cross_site", detail))(scope, receive, send)
            return
        await self._app(scope, receive, send)
