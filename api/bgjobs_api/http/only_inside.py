"""Refuses requests whose header `Host` names another host than one inside the cluster.

It protects a dashboard without sign-in. A web page of somebody else can make the name of its own host lead to this
server (DNS rebinding), and then read the dashboard through the browser of whoever can reach it.
"""

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
    """Whether a header `Host` has an address, or a name that only leads here from inside or by a forwarded port.

    A web page of somebody else can make neither an address nor such a name lead to this server.
    """
    # The port is behind the last colon, but for `[::1]`, whose colons are its own.
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    try:
        ip_address(name)
    except ValueError:
        return name != "" and ("." not in name or name.lower().endswith(_INSIDE))
    return True


class OnlyInside:
    """ASGI middleware that answers requests for another host with status 421."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request, or pass it on to the application."""
        if scope["type"] == "http":
            hosts = Headers(scope=scope).getlist("host")
            if len(hosts) != 1 or not is_inside(hosts[0]):
                refused = ProblemError(
                    HTTPStatus.MISDIRECTED_REQUEST,
                    "outside",
                    "this dashboard has no sign-in, so it can only be opened from inside the cluster",
                    remedy="use `kubectl port-forward` and open it as localhost, or use its address",
                )
                await response(refused)(scope, receive, send)
                return
        await self._app(scope, receive, send)
