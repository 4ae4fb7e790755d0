"""The API's address and the caller's token. Only the standard library is imported here.

Shared by the client and the runner, so that both read the same variables in the same way.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from bgjobs.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

# The kubelet replaces a projected token well before it expires, so a copy of this age is still valid.
TOKEN_MAX_AGE_SECONDS: Final = 60.0


class TokenFile:
    """A token in a file that the kubelet (or somebody else) replaces now and then.

    Args:
        path: of the file.
        max_age_seconds: for how long a token that was read is used before the file is read again.
        clock: monotonic seconds.
    """

    def __init__(
        self, path: str, max_age_seconds: float = TOKEN_MAX_AGE_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._path = Path(path)
        self._max_age = max_age_seconds
        self._clock = clock
        self._token = ""
        self._read_at = float("-inf")

    def read(self, *, fresh: bool = False) -> str:
        """Return the token; the file is read again if the copy is too old.

        Args:
            fresh: whether to read the file in any case.

        Raises:
            ConfigurationError: if the file cannot be read or is empty, and no token was read from it before.
        """
        now = self._clock()
        if fresh or now - self._read_at > self._max_age:
            try:
                token = self._path.read_text(encoding="ascii").strip()
            except (OSError, UnicodeDecodeError) as error:
                # While the kubelet replaces the file, the old token is still valid.
                if not self._token:
                    raise ConfigurationError(f"the token file {self._path} cannot be read: {error}") from error
                return self._token
            if not token and not self._token:
                raise ConfigurationError(f"the token file {self._path} is empty")
            self._token = token or self._token
            self._read_at = now
        return self._token


class Address(NamedTuple):
    """A server's URL in its parts.

    Attributes:
        scheme: `http` or `https`.
        host: a name or an address; an IPv6 address has no brackets.
        port: the number of the port.
        base: the path before `/api/v1` and `/runner/v1`, without a slash at its end.
    """

    scheme: str
    host: str
    port: int
    base: str

    @property
    def url(self) -> str:
        """The whole URL, without a slash at its end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.base}"

    @property
    def is_local(self) -> bool:
        """Whether this is plain HTTP to this machine, as in local mode, which needs no token."""
        return self.scheme == "http" and (self.host in ("localhost", "::1") or self.host.startswith("127."))


def parse_url(url: str) -> Address:
    """Split a server's URL into its parts.

    Raises:
        ConfigurationError: if it is not `http` or `https` with a host, or has a user, a query or a fragment.
    """
    from urllib.parse import urlsplit  # noqa: PLC0415 - 5 ms that only a process that connects needs

    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError as error:
        raise ConfigurationError(f"the server's URL {url!r} is not valid: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(f"the server's URL {url!r} must be http://host[:port] or https://host[:port]")
    if parts.query or parts.fragment or parts.username or parts.password:
        raise ConfigurationError(f"the server's URL {parts.hostname!r} must have no user, query or fragment")
    return Address(
        parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80), parts.path.rstrip("/")
    )
