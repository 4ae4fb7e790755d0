"""Requests that were meant for another host are refused: a page of elsewhere can make its own name lead here."""

from __future__ import annotations

from http import HTTPStatus
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers

from bgjobs_api.http.problems import ProblemError, response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_INSIDE: Final = (".localhost", ".svc", ".svc.cluster.local")


def is_inside(host: str) -> bool:
    """Whether a Host header names something that only leads here from inside the cluster, or by a forwarded port.

    A page of elsewhere can make its own name lead here (DNS rebinding), but neither an address nor these names.
    """
    # The port is behind the last colon, but for `[::1]`, whose colons are its own.
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    try:
        ip_address(name)
    except ValueError:
        return name != "" and ("." not in name or name.lower().endswith(_INSIDE))
    return True


class OnlyInside:
    """ASGI middleware; 421 for requests that were meant for another host."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request as ASGI says, if it was meant for this host."""
        if scope["type"] == "http":
            hosts = Headers(scope=scope).getlist("host")
            if len(hosts) != 1 or not is_inside(hosts[0]):
                detail = "without sign-in this answers to names inside the cluster alone"
                refused = ProblemError(HTTPStatus.MISDIRECTED_REQUEST, "outside", detail)
                await response(refused)(scope, receive, send)
                return
        await self._app(scope, receive, send)
