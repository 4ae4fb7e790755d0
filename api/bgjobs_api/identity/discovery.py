"""The keys of an identity provider, read from where it publishes them (OpenID Connect Discovery 1.0)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from bgjobs_api.identity.errors import KeysUnreadableError
from bgjobs_api.identity.issuer_door import IssuerError
from bgjobs_api.identity.issuer_keys import REFRESH_SECONDS, IssuerKeys, usable_keys

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bgjobs_api.clock import Clock
    from bgjobs_core.kube.objects import Object


def jwks_uri(issuer: str, document: Object) -> str:
    """The URL of the issuer's keys, as its discovery document gives it.

    Args:
        issuer: the URL of the issuer.
        document: its discovery document.

    Raises:
        ValueError: if the document belongs to another issuer, names no URL of keys, or names one that is not `https`
            although the issuer's is.
    """
    said: Any = document.get("issuer")
    if said != issuer:
        raise ValueError(f"the discovery document of {issuer} names another issuer, {said!r}: the two must be equal")
    where: Any = document.get("jwks_uri")
    if not isinstance(where, str):
        raise ValueError(  # noqa: TRY004 - of the document, not of an argument
            f"the discovery document of {issuer} does not say where its keys are (jwks_uri)"
        )
    there, here = urlsplit(where), urlsplit(issuer)
    if there.scheme != here.scheme or not there.hostname:
        raise ValueError(
            f"the discovery document of {issuer} says that its keys are at {where!r}: that must begin with {here.scheme}://"
        )
    return where


class Issuer:
    """An identity provider that is asked for its keys. Its discovery document is read again after five minutes.

    Args:
        url: the URL of the issuer, exactly as its tokens name it.
        get: fetches a JSON object from a URL; raises IssuerError.
        clock: tells the time, for the age of the discovery document.
    """

    def __init__(self, url: str, get: Callable[[str], Awaitable[Object]], clock: Clock) -> None:
        self._url = url
        self._get = get
        self._clock = clock
        self._found: tuple[str, float] | None = None

    async def keys(self) -> IssuerKeys:
        """Read the keys that it publishes now.

        Raises:
            KeysUnreadableError: if it does not answer, or if its answer cannot be used.
        """
        try:
            where = await self._jwks_uri()
            return IssuerKeys(self._url, usable_keys(await self._get(where), self._url))
        except (IssuerError, ValueError) as error:
            self._found = None  # they may have moved
            raise KeysUnreadableError(str(error)) from error

    async def _jwks_uri(self) -> str:
        now = self._clock().monotonic
        if self._found is None or now - self._found[1] >= REFRESH_SECONDS:
            document = await self._get(f"{self._url.rstrip('/')}/.well-known/openid-configuration")
            self._found = (jwks_uri(self._url, document), now)
        return self._found[0]
