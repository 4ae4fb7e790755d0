"""The one door to an identity provider: JSON by GET, errors of our own.

What comes from there decides who people are, so nothing on the way may send us elsewhere: no proxy or netrc of the
environment, no redirect, no cookie, no answer of any size.
"""

from __future__ import annotations

import json
import ssl
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, cast

import aiohttp

if TYPE_CHECKING:
    from bgjobs_core.kube.objects import Object

MAX_ANSWER_BYTES: Final = 512 * 1024
_TIMEOUT: Final = aiohttp.ClientTimeout(total=10, connect=3)


class IssuerError(Exception):
    """No answer, or none that can be used."""


class IssuerDoor:
    """Connections to an identity provider. Close it in the end.

    Args:
        ca_file: the only authorities to trust, in PEM; "" for those of the system.

    Raises:
        OSError: if there is no such file, or nothing of use in it.
    """

    def __init__(self, ca_file: str = "") -> None:
        self._tls = ssl.create_default_context(cafile=ca_file or None)
        self._session: aiohttp.ClientSession | None = None

    async def get(self, url: str) -> Object:
        """A JSON object.

        Raises:
            IssuerError: without one.
        """
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self._tls, limit=2),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=_TIMEOUT,
                trust_env=False,
                # A small compressed answer could become a large one.
                auto_decompress=False,
                headers={"Accept": "application/json", "Accept-Encoding": "identity"},
            )
        try:
            async with self._session.get(url, allow_redirects=False) as response:
                if response.status != HTTPStatus.OK:
                    raise IssuerError(f"{url} answers {response.status}")
                raw = bytearray()
                async for piece in response.content.iter_any():
                    raw += piece
                    if len(raw) > MAX_ANSWER_BYTES:
                        raise IssuerError(f"{url} answers with more than {MAX_ANSWER_BYTES:,} bytes")
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise IssuerError(f"{url}: {error or type(error).__name__}") from error
        try:
            found: Any = json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise IssuerError(f"{url} does not answer with JSON") from error
        if not isinstance(found, dict):
            raise IssuerError(f"{url} does not answer with a JSON object")
        return cast("Object", found)

    async def close(self) -> None:
        """Close its connections."""
        if self._session is not None:
            await self._session.close()
