"""A dashboard without sign-in, to try it out: everybody is one user of Kubernetes, whose rights RBAC decides."""

from __future__ import annotations

from http import HTTPStatus
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers

from bgjobs_api.identity import Identity, UnauthenticatedError
from bgjobs_api.problems import ProblemError, response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from bgjobs_api.clock import Moment

USER: Final = "bgjobs:trial"
GROUP: Final = "bgjobs:trial"
TRIAL: Final = Identity(USER, (GROUP,), namespace="")
NOTICE: Final = (
    f"Nobody signs in here: whoever reaches this page is {USER} and may do what RBAC allows that user. "
    "It is for a trial and must not leave the cluster."
)
_INSIDE: Final = (".localhost", ".svc", ".svc.cluster.local")


class NobodySignsIn:
    """Refuses every token: whoever shows one believes to be somebody here. Implements `deps.Authenticator`."""

    ready = True

    async def identify(self, token: str, now: Moment) -> Identity:  # noqa: ARG002 - none is good
        """See `Authenticator.identify`."""
        raise UnauthenticatedError("nobody signs in on this port, so no token is taken: leave it out")


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
        """As ASGI says."""
        if scope["type"] == "http":
            hosts = Headers(scope=scope).getlist("host")
            if len(hosts) != 1 or not is_inside(hosts[0]):
                detail = "without sign-in this answers to names inside the cluster alone"
                refused = ProblemError(HTTPStatus.MISDIRECTED_REQUEST, "outside", detail)
                await response(refused)(scope, receive, send)
                return
        await self._app(scope, receive, send)
