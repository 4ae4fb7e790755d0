"""Who calls: ServiceAccount tokens of the cluster, verified offline with the keys that it publishes.

A token is worth what it says until it expires, even if its pod is gone: the job's record, not the token,
says which pod may speak for a job. What holds for tokens of every issuer is here too; those of people are in
`id_tokens`.
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
from bgjobs_core.kube.errors import KubeError
from bgjobs_core.kube.objects import part, parts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping

    from bgjobs_api.clock import Moment
    from bgjobs_core.kube.door import Kube
    from bgjobs_core.kube.objects import Object

log: Any = structlog.get_logger(__name__)

ALGORITHMS: Final = ("RS256", "ES256")
# Which kind of key each algorithm takes: a key of another kind never verifies with it.
_KEY_TYPES: Final = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC"}
_MIN_RSA_BITS: Final = 2048
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
        user: as `system:serviceaccount:shop:web` or `oidc:ada@example.com`.
        groups: for a ServiceAccount those that Kubernetes gives to every one.
        namespace: of the ServiceAccount; "" for a person, who belongs to none.
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


class KeysUnreadableError(Exception):
    """The issuer of tokens does not say which keys are its own, or says nonsense."""


@dataclass(frozen=True)
class IssuerKeys:
    """What an issuer says of its tokens."""

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
    return IssuerKeys(issuer, usable_keys(key_set, "the API server"))


def usable_keys(key_set: Object, whose: str) -> dict[str, jwk.Key]:
    """Those of a JWK set that verify signatures, by their `kid`.

    Args:
        key_set: the document.
        whose: as `the API server`.

    Raises:
        ValueError: if there is none.
    """
    keys: dict[str, jwk.Key] = {}
    for entry in parts(key_set, "keys"):
        kid = entry.get("kid")
        if not isinstance(kid, str) or entry.get("use", "sig") != "sig" or entry.get("kty") not in _KEY_TYPES.values():
            continue
        try:
            key = jwk.import_key(cast("Any", entry))
        except (JoseError, ValueError, TypeError, KeyError) as error:
            log.warning("a published key cannot be used", whose=whose, kid=kid, error=str(error))
            continue
        if isinstance(key, jwk.RSAKey) and key.public_key.key_size < _MIN_RSA_BITS:
            log.warning("a published key is too short", whose=whose, kid=kid)
            continue
        keys[kid] = key
    if not keys:
        raise ValueError(f"{whose} publishes no key that we can use")
    return keys


async def fetch_keys(kube: Kube) -> IssuerKeys:
    """Ask the API server.

    Raises:
        KeysUnreadableError: without a useful answer.
    """
    try:
        configuration = await kube.request("GET", "/.well-known/openid-configuration")
        return read_keys(configuration, await kube.request("GET", "/openid/v1/jwks"))
    except (KubeError, ValueError) as error:
        raise KeysUnreadableError(str(error)) from error


def verify(token: str, known: IssuerKeys, wall: float) -> Identity:
    """Who the bearer of this token is, at this Unix time.

    Raises:
        UnauthenticatedError: if it is not a good token of this cluster for us.
        UnknownKeyError: if it names another key.
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


def read_token(
    token: str, known: IssuerKeys, algorithms: Collection[str], expected: jwt.JWTClaimsRegistry
) -> jwt.Token:
    """Header and claims of a token that its issuer has signed, and that says what is expected.

    Whatever the header offers for finding a key (`jwk`, `jku`, `x5u`, `x5c`) is not looked at.

    Args:
        token: as sent.
        known: the issuer's keys.
        algorithms: those that are let through.
        expected: of the claims.

    Raises:
        UnauthenticatedError: for everything else.
        UnknownKeyError: if it names another key.
    """
    if len(token) > MAX_TOKEN_BYTES:
        refuse("it is too long")

    def find(signed: Any) -> jwk.Key:
        header = signed.headers()
        kid = header.get("kid")
        if not isinstance(kid, str):
            refuse("its header names no key (kid)")
        if kid not in known.keys:
            raise UnknownKeyError(kid)
        key = known.keys[kid]
        # The algorithm is the key's to choose and not the token's.
        if key.key_type != _KEY_TYPES[header["alg"]] or key.get("alg", header["alg"]) != header["alg"]:
            refuse("its key is not one for its algorithm")
        return key

    try:
        read = jwt.decode(token, find, algorithms=algorithms)
        expected.validate(read.claims)
    except ExpiredTokenError as error:
        raise UnauthenticatedError("the token has expired") from error
    except ClaimError as error:
        what = f"{error.error}, {error.claim}"
        raise UnauthenticatedError(f"the token is not for us, or not yet or no longer good: {what}") from error
    except (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UnauthenticatedError(f"it is not a token that {known.issuer} has signed") from error
    return read


def _identity(claims: Mapping[str, Any]) -> Identity:
    subject = _SUBJECT.fullmatch(claims["sub"])
    if subject is None:
        refuse("its subject is no ServiceAccount")
    namespace, name = subject.groups()
    bound = part({"claims": claims}, "claims", "kubernetes.io")
    if bound.get("namespace") != namespace or part(bound, "serviceaccount").get("name") != name:
        refuse("its subject and its claim kubernetes.io disagree")
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
        refuse("its claim kubernetes.io names a pod without name or uid")
    return name, uid


def refuse(why: str) -> NoReturn:
    """Raises UnauthenticatedError."""
    raise UnauthenticatedError(f"the token cannot be used: {why}")


class KeyRing:
    """An issuer's keys as last read. What was read stays good while the issuer is away.

    Args:
        fetch: reads them; raises KeysUnreadableError.
        whose: as `Kubernetes`.

    Attributes:
        keys: None until they were read once.
        trouble: why they could not be read the last time; "" if they were.
    """

    def __init__(self, fetch: Callable[[], Awaitable[IssuerKeys]], whose: str = "Kubernetes") -> None:
        self.keys: IssuerKeys | None = None
        self.trouble = ""
        self._fetch = fetch
        self._whose = whose
        self._tried_at: float | None = None
        self._read_at: float | None = None
        self._lock = asyncio.Lock()

    async def refresh_if_due(self, now: Moment) -> None:
        """Read them if they are old, or none were ever read. Failures are logged; the old ones stay."""
        if self._read_at is not None and now.monotonic - self._read_at < REFRESH_SECONDS:
            return
        if self._wait(now) > 0:
            return
        try:
            await self.reload(now)
        except KeysUnavailableError as error:
            log.warning("keys could not be read", whose=self._whose, error=str(error))

    def _wait(self, now: Moment) -> float:
        """Seconds until the issuer may be asked again."""
        return 0 if self._tried_at is None else self._tried_at + RELOAD_SECONDS - now.monotonic

    async def reload(self, now: Moment) -> None:
        """Read them now; many callers at once read them once.

        Raises:
            KeysUnavailableError: if that fails, or was done less than 10 s ago.
        """
        seen = self.keys
        async with self._lock:
            if self.keys is not seen:
                return
            if (left := self._wait(now)) > 0:
                raise KeysUnavailableError(f"the keys of {self._whose} were read, or asked for, just now", left)
            self._tried_at = now.monotonic
            try:
                self.keys = await self._fetch()
            except KeysUnreadableError as error:
                self.trouble = str(error)
                raise KeysUnavailableError(self.trouble, RELOAD_SECONDS) from error
            self.trouble = ""
            self._read_at = now.monotonic

    async def known_to(self, verify: Callable[[IssuerKeys], Identity], now: Moment) -> Identity:
        """What `verify` makes of a token with these keys, read anew if it names one that is not among them.

        A key that we do not know may be a new one of the issuer. While that cannot be found out, the answer is
        "not now" and not "no": a runner takes a no for good, and its job would fail.

        Raises:
            UnauthenticatedError: the token is not good.
            KeysUnavailableError: that cannot be told now.
        """
        for reloaded in (False, True):
            if self.keys is not None:
                try:
                    return verify(self.keys)
                except UnknownKeyError:
                    pass
            if not reloaded:
                await self.reload(now)
        refuse(f"it is signed with a key that {self._whose} does not publish")


class ServiceAccountTokens:
    """Identifies callers by the cluster's own tokens."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    @property
    def ready(self) -> bool:
        """Whether any token can be verified."""
        return self._ring.keys is not None

    async def identify(self, token: str, now: Moment) -> Identity:
        """Who calls. Raises as `KeyRing.known_to`."""
        return await self._ring.known_to(lambda known: verify(token, known, now.wall), now)
