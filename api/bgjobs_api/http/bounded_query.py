"""Refuses a query with more fields than any route has, before somebody looks at each of them.

A line of a request may hold 15,000 names. Each one that there is not would become an error of its own, on the event
loop, and everybody else would wait for the last of them.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from bgjobs_api.http.problems import ProblemError, response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

MOST_FIELDS: Final = 500  # a list may name 100 namespaces, and some labels


def has_too_many(query: bytes) -> bool:
    """Whether a query, as it stands in an address, has more fields than that."""
    return query.count(b"&") >= MOST_FIELDS


class BoundedQuery:
    """ASGI middleware that answers such requests with status 422."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request, or pass it on to the application."""
        if scope["type"] == "http" and has_too_many(scope["query_string"]):
            detail = f"the query has more than {MOST_FIELDS} fields"
            await response(ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid", detail))(scope, receive, send)
            return
        await self._app(scope, receive, send)
