"""The only place that sends requests to an identity provider: it reads JSON objects by GET.

The answers decide who people are, so nothing may lead the requests to another server. Proxies and netrc files of the
environment, redirects and cookies are not used, and answers are limited in size.
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
    """The identity provider did not answer, or its answer cannot be used. The message has the URL and the reason."""


class IssuerDoor:
    """Connections to an identity provider. Call `close` when it is not needed any more.

    Args:
        ca_file: a PEM file with the only certificate authorities to trust; "" for those of the system.

    Raises:
        OSError: if the file cannot be read, or has no certificate in it.
    """

    def __init__(self, ca_file: str = "") -> None:
        self._tls = ssl.create_default_context(cafile=ca_file or None)
        self._session: aiohttp.ClientSession | None = None

    async def get(self, url: str) -> Object:
        """Fetch a JSON object from a URL.

        Raises:
            IssuerError: if there is no answer, or if it is not a JSON object of status 200 and of bearable size.
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
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
