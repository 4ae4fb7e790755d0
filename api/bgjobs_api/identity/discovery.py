"""Where an identity provider publishes its keys, and which they are (OpenID Connect Discovery 1.0)."""

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
    """Where the keys are.

    Raises:
        ValueError: if the document is not this issuer's, or leads away from its scheme.
    """
    said: Any = document.get("issuer")
    if said != issuer:
        raise ValueError(f"the discovery document of {issuer} is that of the issuer {said!r}")
    where: Any = document.get("jwks_uri")
    if not isinstance(where, str):
        raise ValueError(  # noqa: TRY004 - of the document, not of an argument
            f"the discovery document of {issuer} does not say where its keys are (jwks_uri)"
        )
    there, here = urlsplit(where), urlsplit(issuer)
    if there.scheme != here.scheme or not there.hostname:
        raise ValueError(f"the discovery document of {issuer} says that its keys are at {where!r}")
    return where


class Issuer:
    """An identity provider.

    Args:
        url: of the issuer, exactly as its tokens name it.
        get: fetches a JSON object; raises IssuerError.
        clock: says when the discovery document is old.
    """

    def __init__(self, url: str, get: Callable[[str], Awaitable[Object]], clock: Clock) -> None:
        self._url = url
        self._get = get
        self._clock = clock
        self._found: tuple[str, float] | None = None

    async def keys(self) -> IssuerKeys:
        """Those that it publishes now.

        Raises:
            KeysUnreadableError: without a useful answer.
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
