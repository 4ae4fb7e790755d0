"""One line for each request."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import structlog

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

log: Any = structlog.get_logger("bgjobs_api.requests")

# Asked all the time, by machines.
_QUIET: Final = ("/healthz", "/readyz", "/runner/v1/")


class RequestLog:
    """Middleware: who asked for what, what was answered, and how long it took; of who was not let in, why."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request as ASGI says, and log it when it is answered."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state: dict[str, Any] = scope.setdefault("state", {})
        began = time.monotonic()
        status = 0

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])  # an HTTPStatus would be logged by its name
            await send(message)

        try:
            await self._app(scope, receive, watch)
        finally:
            path: str = scope["path"]
            say = log.debug if path.startswith(_QUIET) and status < 400 else log.info  # noqa: PLR2004 - an error
            say(
                "request",
                method=scope["method"],
                path=path,
                status=status,
                user=state.get("user"),
                **({"refused": state["refused"]} if "refused" in state else {}),
                ms=round((time.monotonic() - began) * 1000, 1),
            )
