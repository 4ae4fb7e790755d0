"""Says who calls in local mode: the person at this machine, or a pod, by the token that it was given."""

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
    """The identity of a caller without a token: the user of this machine, as only its programs reach the server.

    Args:
        namespace: the namespace of jobs that name none.
    """
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # the user of a container may have no name
        name = "local"
    return Identity(name, (), namespace)


class LocalTokens:
    """Gives each pod a token, and recognises it.

    Implements `bgjobs_api.http.deps.Authenticator` and `bgjobs_local.launcher.pods.Tokens`.
    """

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
        raise UnauthenticatedError(
            "this server does not know the token; on this machine no token is needed, so send none"
        )


class EverythingAllowed:
    """Allows every action, because it is the user's own machine. Implements `bgjobs_api.http.deps.Access`."""

    async def allowed(self, caller: Identity, action: Action, namespace: str, now: Moment) -> bool:  # noqa: ARG002
        """Return True, whatever is asked for."""
        return True
