"""Who calls in local mode: the person at this machine, or a pod with the token that it was given."""

from __future__ import annotations

import getpass
import secrets
from typing import TYPE_CHECKING

from bgjobs_api.identity.caller import Identity
from bgjobs_api.identity.errors import UnauthenticatedError

if TYPE_CHECKING:
    from bgjobs_api.clock import Moment
    from bgjobs_api.identity.access import Action


def person(namespace: str) -> Identity:
    """Whoever calls without a token: only programs of this machine can."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        name = "local"
    return Identity(name, (), namespace)


class LocalTokens:
    """Implements `bgjobs_api.http.deps.Authenticator` and `bgjobs_local.launcher.pods.Tokens`."""

    ready = True

    def __init__(self) -> None:
        self._pods: dict[str, Identity] = {}

    def give(self, namespace: str, pod_name: str, pod_uid: str) -> str:
        """See `Tokens.give`."""
        token = secrets.token_urlsafe(24)
        self._pods[token] = Identity(f"pod:{pod_name}", (), namespace, pod_name, pod_uid)
        return token

    def take_back(self, pod_uid: str) -> None:
        """See `Tokens.take_back`."""
        self._pods = {token: one for token, one in self._pods.items() if one.pod_uid != pod_uid}

    async def identify(self, token: str, now: Moment) -> Identity:  # noqa: ARG002 - nothing expires
        """See `Authenticator.identify`."""
        if found := self._pods.get(token):
            return found
        raise UnauthenticatedError("this server knows no such token; on this machine none is needed: leave it out")


class EverythingAllowed:
    """Implements `bgjobs_api.http.deps.Access`: it is your own machine."""

    async def allowed(self, caller: Identity, action: Action, namespace: str, now: Moment) -> bool:  # noqa: ARG002
        """Yes."""
        return True
