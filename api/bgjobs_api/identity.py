"""Who calls: ServiceAccount tokens of the cluster, verified offline with the keys that it publishes.

A token is worth what it says until it expires, even if its pod is gone: the job's record, not the token,
says which pod may speak for a job.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NoReturn, cast

import structlog
from joserfc import jwk, jwt
from joserfc.errors import ClaimError, ExpiredTokenError, JoseError

from bgjobs.protocol import AUDIENCE
from bgjobs_core.kube import KubeError, part, parts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from bgjobs_api.clock import Moment
    from bgjobs_core.kube import Object
    from bgjobs_core.kube_door import Kube

log: Any = structlog.get_logger(__name__)

ALGORITHMS: Final = ("RS256", "ES256")
_KEY_TYPES: Final = frozenset({"RSA", "EC"})
MAX_TOKEN_BYTES: Final = 16 * 1024
# As Kubernetes itself allows for clocks that disagree.
LEEWAY_SECONDS: Final = 60
REFRESH_SECONDS: Final = 300.0
RELOAD_SECONDS: Final = 10.0

_NAME: Final = r"[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?"
_SUBJECT: Final = re.compile(rf"system:serviceaccount:({_NAME}):({_NAME})")


@dataclass(frozen=True)
class Identity:
    """A caller, as Kubernetes knows it.

    Attributes:
        user: as `system:serviceaccount:shop:web`.
        groups: those that Kubernetes gives to every ServiceAccount.
        namespace: of the ServiceAccount.
        pod_name: of the pod that the token is bound to; None if it is bound to none.
        pod_uid: likewise.
    """

    user: str
    groups: tuple[str, ...]
    namespace: str
    pod_name: str | None = None
    pod_uid: str | None = None


class UnauthenticatedError(Exception):
    """The token proves nothing; the message says why."""


class UnknownKeyError(Exception):
    """The token names a key that is not among ours."""


class KeysUnavailableError(Exception):
    """Whether the token is good cannot be told now.

    Attributes:
        seconds: after which asking again makes sense.
    """

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


@dataclass(frozen=True)
class IssuerKeys:
    """What the cluster says of its tokens."""

    issuer: str
    keys: Mapping[str, jwk.Key]


def read_keys(configuration: Object, key_set: Object) -> IssuerKeys:
    """From the two documents that the API server publishes.

    Raises:
        ValueError: if there is no issuer, or no key that we can use.
    """
    issuer = configuration.get("issuer")
    if not isinstance(issuer, str) or not issuer:
        raise ValueError("the API server's openid-configuration names no issuer")
    keys: dict[str, jwk.Key] = {}
    for entry in parts(key_set, "keys"):
        kid = entry.get("kid")
        if not isinstance(kid, str) or entry.get("kty") not in _KEY_TYPES or entry.get("use", "sig") != "sig":
            continue
        try:
            keys[kid] = jwk.import_key(cast("Any", entry))
        except (JoseError, ValueError, TypeError, KeyError) as error:
            log.warning("a key of the API server cannot be used", kid=kid, error=str(error))
    if not keys:
        raise ValueError("the API server publishes no key that we can use")
    return IssuerKeys(issuer, keys)


async def fetch_keys(kube: Kube) -> IssuerKeys:
    """Ask the API server. Raises KubeError or ValueError."""
    configuration = await kube.request("GET", "/.well-known/openid-configuration")
    return read_keys(configuration, await kube.request("GET", "/openid/v1/jwks"))


def verify(token: str, known: IssuerKeys, wall: float) -> Identity:
    """Who the bearer of this token is, at this Unix time.

    Raises:
        UnauthenticatedError: if it is not a good token of this cluster for us.
        UnknownKeyError: if it names another key.
    """
    if len(token) > MAX_TOKEN_BYTES:
        _refuse("it is too long")

    def find(signed: Any) -> jwk.Key:
        kid = signed.headers().get("kid")
        if not isinstance(kid, str):
            _refuse("its header names no key (kid)")
        if kid not in known.keys:
            raise UnknownKeyError(kid)
        return known.keys[kid]

    registry = jwt.JWTClaimsRegistry(
        now=int(wall),
        leeway=LEEWAY_SECONDS,
        iss={"essential": True, "value": known.issuer},
        aud={"essential": True, "value": AUDIENCE},
        exp={"essential": True},
        nbf={"essential": True},
        sub={"essential": True},
    )
    try:
        claims = jwt.decode(token, find, algorithms=ALGORITHMS).claims
        registry.validate(claims)
    except ExpiredTokenError as error:
        raise UnauthenticatedError("the token has expired") from error
    except ClaimError as error:
        raise UnauthenticatedError(f"the token is not for us, or not yet or no longer good: {error.error}") from error
    except (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UnauthenticatedError("it is not a token that this cluster has signed") from error
    return _identity(claims)


def _identity(claims: Mapping[str, Any]) -> Identity:
    subject = _SUBJECT.fullmatch(claims["sub"])
    if subject is None:
        _refuse("its subject is no ServiceAccount")
    namespace, name = subject.groups()
    bound = part({"claims": claims}, "claims", "kubernetes.io")
    if bound.get("namespace") != namespace or part(bound, "serviceaccount").get("name") != name:
        _refuse("its subject and its claim kubernetes.io disagree")
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
        _refuse("its claim kubernetes.io names a pod without name or uid")
    return name, uid


def _refuse(why: str) -> NoReturn:
    raise UnauthenticatedError(f"the token cannot be used: {why}")


class KeyRing:
    """The keys as last read. What was read stays good while Kubernetes is away."""

    def __init__(self, fetch: Callable[[], Awaitable[IssuerKeys]]) -> None:
        self.keys: IssuerKeys | None = None
        self._fetch = fetch
        self._tried_at: float | None = None
        self._read_at: float | None = None
        self._lock = asyncio.Lock()

    async def refresh_if_due(self, now: Moment) -> None:
        """Read them if they are old, or none were ever read. Failures are logged; the old ones stay."""
        if self._read_at is not None and now.monotonic - self._read_at < REFRESH_SECONDS:
            return
        try:
            await self.reload(now)
        except KeysUnavailableError as error:
            log.warning("the keys of Kubernetes could not be read", error=str(error))

    async def reload(self, now: Moment) -> None:
        """Read them now; many callers at once read them once.

        Raises:
            KeysUnavailableError: if that fails, or was done less than 10 s ago.
        """
        seen = self.keys
        async with self._lock:
            if self.keys is not seen:
                return
            if self._tried_at is not None and now.monotonic - self._tried_at < RELOAD_SECONDS:
                left = self._tried_at + RELOAD_SECONDS - now.monotonic
                raise KeysUnavailableError("the keys of Kubernetes were read, or asked for, just now", left)
            self._tried_at = now.monotonic
            try:
                self.keys = await self._fetch()
            except (KubeError, ValueError) as error:
                raise KeysUnavailableError(str(error), RELOAD_SECONDS) from error
            self._read_at = now.monotonic


class ServiceAccountTokens:
    """Identifies callers by the cluster's own tokens."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    @property
    def ready(self) -> bool:
        """Whether any token can be verified."""
        return self._ring.keys is not None

    async def identify(self, token: str, now: Moment) -> Identity:
        """Who calls.

        A key that we do not know may be a new one of the cluster. While that cannot be found out, the answer is
        "not now" and not "no": a runner takes a no for good, and its job would fail.

        Raises:
            UnauthenticatedError: the token is not good.
            KeysUnavailableError: that cannot be told now.
        """
        for reloaded in (False, True):
            known = self._ring.keys
            if known is not None:
                try:
                    return verify(token, known, now.wall)
                except UnknownKeyError:
                    pass
            if not reloaded:
                await self._ring.reload(now)
        _refuse("it is signed with a key that this cluster does not publish")
