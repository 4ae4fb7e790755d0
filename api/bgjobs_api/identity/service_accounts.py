"""Programs and runners show who they are by a ServiceAccount token of the cluster.

Tokens are verified without asking Kubernetes about each of them, with the keys that the API server publishes. So a
token is worth what it says until it expires, even if its pod is gone: the job's record, and not the token, says which
pod may speak for a job.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from joserfc import jwt

from bgjobs.protocol import AUDIENCE
from bgjobs_api.identity.caller import Identity
from bgjobs_api.identity.errors import KeysUnreadableError, reject_token
from bgjobs_api.identity.issuer_keys import IssuerKeys, usable_keys
from bgjobs_api.identity.tokens import LEEWAY_SECONDS, read_token
from bgjobs_core.kube.errors import KubeError
from bgjobs_core.kube.objects import part

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bgjobs_api.clock import Moment
    from bgjobs_api.identity.issuer_keys import KeyRing
    from bgjobs_core.kube.door import Kube
    from bgjobs_core.kube.objects import Object

ALGORITHMS: Final = ("RS256", "ES256")

_NAME: Final = r"[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?"
_SUBJECT: Final = re.compile(rf"system:serviceaccount:({_NAME}):({_NAME})")


def read_keys(configuration: Object, key_set: Object) -> IssuerKeys:
    """The cluster's issuer and keys, from the two documents that its API server publishes.

    Args:
        configuration: the document `/.well-known/openid-configuration`.
        key_set: the document `/openid/v1/jwks`.

    Raises:
        ValueError: if no issuer is named, or if no key can be used.
    """
    issuer = configuration.get("issuer")
    if not isinstance(issuer, str) or not issuer:
        raise ValueError("the API server's openid-configuration names no issuer")
    return IssuerKeys(issuer, usable_keys(key_set, "the API server"))


async def fetch_keys(kube: Kube) -> IssuerKeys:
    """Read the cluster's issuer and keys from its API server.

    Raises:
        KeysUnreadableError: if it does not answer, or if its answer cannot be used.
    """
    try:
        configuration = await kube.request("GET", "/.well-known/openid-configuration")
        return read_keys(configuration, await kube.request("GET", "/openid/v1/jwks"))
    except (KubeError, ValueError) as error:
        raise KeysUnreadableError(str(error)) from error


def verify(token: str, known: IssuerKeys, wall: float) -> Identity:
    """The ServiceAccount that a token was issued for.

    Args:
        token: the text that was sent.
        known: issuer and keys of the cluster.
        wall: the time, in Unix seconds.

    Raises:
        UnauthenticatedError: if the cluster has not issued it, if it is not meant for bgjobs, or if it has expired.
        UnknownKeyError: if it names a key that is not among the known ones.
    """
    expected = jwt.JWTClaimsRegistry(
        now=int(wall),
        leeway=LEEWAY_SECONDS,
        iss={"essential": True, "value": known.issuer},
        aud={"essential": True, "value": AUDIENCE},
        exp={"essential": True},
        nbf={"essential": True},
        sub={"essential": True},
    )
    return _identity(read_token(token, known, ALGORITHMS, expected).claims)


def _identity(claims: Mapping[str, Any]) -> Identity:
    subject = _SUBJECT.fullmatch(claims["sub"])
    if subject is None:
        reject_token("its subject is no ServiceAccount")
    namespace, name = subject.groups()
    bound = part({"claims": claims}, "claims", "kubernetes.io")
    if bound.get("namespace") != namespace or part(bound, "serviceaccount").get("name") != name:
        reject_token("its subject and its claim kubernetes.io disagree")
    pod_name, pod_uid = _pod(part(bound, "pod")) if "pod" in bound else (None, None)
    return Identity(
        user=claims["sub"],
        groups=("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"),
        namespace=namespace,
        pod_name=pod_name,
        pod_uid=pod_uid,
    )


def _pod(pod: Object) -> tuple[str, str]:
    name, uid = pod.get("name"), pod.get("uid")
    if not isinstance(name, str) or not isinstance(uid, str) or not name or not uid:
        reject_token("its claim kubernetes.io names a pod without name or uid")
    return name, uid


class ServiceAccountTokens:
    """Tells who calls by the ServiceAccount tokens of the cluster. Implements `http.deps.Authenticator`."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    @property
    def ready(self) -> bool:
        """Whether the cluster's keys were read, so that tokens can be verified."""
        return self._ring.keys is not None

    async def identify(self, token: str, now: Moment) -> Identity:
        """The ServiceAccount that has sent this token.

        Raises:
            UnauthenticatedError: if the token is not good.
            KeysUnavailableError: if that cannot be told at the moment.
        """
        return await self._ring.known_to(lambda known: verify(token, known, now.wall), now)
