"""The public keys by which the tokens of an issuer are verified, and how they are kept up to date.

An issuer is the cluster itself, which issues tokens for ServiceAccounts, or an identity provider, which issues tokens
for people. Where the keys are read from is told by `service_accounts.fetch_keys` and `discovery.Issuer`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import structlog
from joserfc import jwk
from joserfc.errors import JoseError

from bgjobs_api.identity.errors import KeysUnavailableError, KeysUnreadableError, UnknownKeyError, reject_token
from bgjobs_core.kube.objects import parts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from bgjobs_api.clock import Moment
    from bgjobs_api.identity.caller import Identity
    from bgjobs_core.kube.objects import Object

log: Any = structlog.get_logger(__name__)

# Which kind of key each algorithm takes: a key of another kind never verifies with it.
KEY_TYPES: Final = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC"}
_MIN_RSA_BITS: Final = 2048
# Keys of this age are read again.
REFRESH_SECONDS: Final = 300.0
# An issuer is asked for its keys at most once in this time, however many tokens name a key that we do not have.
RELOAD_SECONDS: Final = 10.0


@dataclass(frozen=True)
class IssuerKeys:
    """The keys of one issuer, as they were read from it.

    Attributes:
        issuer: the name of the issuer, exactly as its tokens give it in the claim `iss`.
        keys: its public keys, by their names (`kid`).
    """

    issuer: str
    keys: Mapping[str, jwk.Key]


def usable_keys(key_set: Object, whose: str) -> dict[str, jwk.Key]:
    """The keys of a JWK set that verify signatures, by their names (`kid`).

    Keys of other kinds, keys that cannot be read and RSA keys of less than 2048 bits are left out.

    Args:
        key_set: the document that the issuer publishes.
        whose: the name of the issuer for messages, for example `the API server`.

    Raises:
        ValueError: if no key is left.
    """
    keys: dict[str, jwk.Key] = {}
    for entry in parts(key_set, "keys"):
        kid = entry.get("kid")
        if not isinstance(kid, str) or entry.get("use", "sig") != "sig" or entry.get("kty") not in KEY_TYPES.values():
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


class KeyRing:
    """Keeps the keys of one issuer. Keys that were read once stay good while the issuer does not answer.

    Args:
        fetch: reads the keys from the issuer; raises KeysUnreadableError.
        whose: the name of the issuer for messages, for example `Kubernetes`.

    Attributes:
        keys: the keys that were read last; None until they were read for the first time.
        trouble: why they could not be read the last time; "" if they could.
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
        """Read the keys again if they are five minutes old, or if none were ever read.

        If that fails, it is logged, and the old keys stay.
        """
        if self._read_at is not None and now.monotonic - self._read_at < REFRESH_SECONDS:
            return
        if self._seconds_to_wait(now) > 0:
            return
        try:
            await self.reload(now)
        except KeysUnavailableError as error:
            log.warning("keys could not be read", whose=self._whose, error=str(error))

    def _seconds_to_wait(self, now: Moment) -> float:
        """After how many seconds the issuer may be asked again; 0 or less: now."""
        return 0 if self._tried_at is None else self._tried_at + RELOAD_SECONDS - now.monotonic

    async def reload(self, now: Moment) -> None:
        """Read the keys from the issuer now. Callers that come while they are being read share the one answer.

        Raises:
            KeysUnavailableError: if the issuer does not answer usefully, or was asked less than 10 s ago.
        """
        seen = self.keys
        async with self._lock:
            if self.keys is not seen:
                return
            if (left := self._seconds_to_wait(now)) > 0:
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
        """Verify a token with the keys, which are read again if the token names a key that is not among them.

        A key that we do not know may be a new one of the issuer. While that cannot be found out, the answer is
        "not now" and not "no": programs take a no for good.

        Args:
            verify: verifies the token with these keys; raises UnknownKeyError if it names another key.
            now: the time of the request.

        Raises:
            UnauthenticatedError: if the token is not good.
            KeysUnavailableError: if that cannot be told at the moment.
        """
        for reloaded in (False, True):
            if self.keys is not None:
                try:
                    return verify(self.keys)
                except UnknownKeyError:
                    pass
            if not reloaded:
                await self.reload(now)
        return reject_token(f"it is signed with a key that {self._whose} does not publish")
