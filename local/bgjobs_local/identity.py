"""Says who calls in local mode, by a token: the person who runs it, or a pod."""

from __future__ import annotations

import getpass
import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING, Final

from bgjobs_api.identity.caller import Identity
from bgjobs_api.identity.errors import UnauthenticatedError

if TYPE_CHECKING:
    from bgjobs_api.clock import Moment
    from bgjobs_api.identity.access import Action


NOT_KNOWN: Final = (
    "this `bgjobs dev` does not know the token; it has another one each time it is started. Programs and the command "
    "find it in the folder of `bgjobs dev` and below; elsewhere set BGJOBS_TOKEN to what `bgjobs token` prints there"
)


def person(namespace: str) -> Identity:
    """The identity of the user who runs `bgjobs dev`.

    Args:
        namespace: the namespace of jobs that name none.
    """
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # the user of a container may have no name
        name = "local"
    return Identity(name, (), namespace)


class LocalTokens:
    """Has a token for the person and gives one to each pod, and recognises them.

    Implements `bgjobs_api.http.deps.Authenticator` and `bgjobs_local.launcher.pods.Tokens`.

    Args:
        person: who has the person's token.

    Attributes:
        token: the person's, another one in each run.
    """

    ready = True

    def __init__(self, person: Identity) -> None:
        self.token: Final = new_secret()
        self._person = person
        # By what cannot be guessed piece by piece: how long a look-up takes tells nothing of a token then.
        self._pods: dict[bytes, Identity] = {}

    def give(self, namespace: str, pod_name: str, pod_uid: str) -> str:
        """See `Tokens.give`."""
        token = secrets.token_urlsafe(24)
        self._pods[_digest(token)] = Identity(f"pod:{pod_name}", (), namespace, pod_name, pod_uid)
        return token

    def take_back(self, pod_uid: str) -> None:
        """See `Tokens.take_back`."""
        self._pods = {digest: one for digest, one in self._pods.items() if one.pod_uid != pod_uid}

    def find(self, token: str) -> Identity | None:
        """Who has this token; None: nobody."""
        if is_same(token, self.token):
            return self._person
        return self._pods.get(_digest(token))

    async def identify(self, token: str, now: Moment) -> Identity:  # noqa: ARG002 - nothing expires
        """See `Authenticator.identify`."""
        if found := self.find(token):
            return found
        raise UnauthenticatedError(NOT_KNOWN)


def new_secret() -> str:
    """Make something that nobody can guess, of letters, digits, `-` and `_`."""
    return secrets.token_urlsafe(32)


def is_same(given: str, secret: str) -> bool:
    """Whether somebody has given a secret; how long it takes does not tell how much of it was right."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), secret.encode())


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


class EverythingAllowed:
    """Allows every action, because it is the user's own machine. Implements `bgjobs_api.http.deps.Access`."""

    async def allowed(self, caller: Identity, action: Action, namespace: str, now: Moment) -> bool:  # noqa: ARG002
        """Return True, whatever is asked for."""
        return True
