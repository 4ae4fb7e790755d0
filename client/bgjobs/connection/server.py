"""The address of the API, and the file with the token that shows who calls.

The client and the runner both use it, so that both read the same settings in the same way. It imports only the standard
library.
"""

from __future__ import annotations

import time

from bgjobs.errors import ConfigurationError
from bgjobs.light_typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

# The kubelet replaces a projected token well before it expires, so a copy of this age is still good.
TOKEN_MAX_AGE_SECONDS: Final = 60.0

_PORTS: Final = {"http": 80, "https": 443}
_MOST_PORT: Final = 65_535
_DIGITS_OF_A_PORT: Final = 5
_OF_A_HOST: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.-")
_OF_A_PATH: Final = _OF_A_HOST | frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ_~/")


class TokenFile:
    """A token in a file that somebody else replaces from time to time, for example the kubelet.

    Args:
        path: the path of the file.
        max_age_seconds: after how many seconds the file is read again.
        clock: tells the time in seconds.
    """

    def __init__(
        self, path: str, max_age_seconds: float = TOKEN_MAX_AGE_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._path = path
        self._max_age = max_age_seconds
        self._clock = clock
        self._token = ""
        self._read_at = float("-inf")

    def read(self, *, fresh: bool = False) -> str:
        """The token. The file is read if the copy in memory is too old, or if a fresh one is asked for.

        Raises:
            ConfigurationError: if the file cannot be read or is empty, and there is no copy.
        """
        now = self._clock()
        if fresh or now - self._read_at > self._max_age:
            try:
                with open(self._path, "rb") as file:  # noqa: PTH123 - each job would pay for the import of pathlib
                    token = file.read().decode("ascii").strip()
            except (OSError, UnicodeDecodeError) as error:
                # While the kubelet replaces the file, the old token is still good.
                if not self._token:
                    raise ConfigurationError(f"the token file {self._path} cannot be read: {error}") from error
                return self._token
            if not token and not self._token:
                raise ConfigurationError(f"the token file {self._path} is empty")
            self._token = token or self._token
            self._read_at = now
        return self._token


class Address(NamedTuple):
    """The URL of a server, in its parts.

    Attributes:
        scheme: `http` or `https`.
        host: a name, or an address without brackets.
        port: the port, also where the URL names none.
        base: the path in front of `/api/v1` and `/runner/v1`, without a slash at its end; mostly "".
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
        """Whether it is plain HTTP to this machine, where `bgjobs dev` serves, whose token is in a file."""
        return self.scheme == "http" and (self.host in ("localhost", "::1") or self.host.startswith("127."))


def parse_url(url: str) -> Address:
    """Read the URL of a server.

    Raises:
        ConfigurationError: if it is not `http` or `https` with a host, or if it has a user, query or fragment.
    """
    if (plain := _plain(url)) is not None:
        return plain
    from urllib.parse import urlsplit  # noqa: PLC0415 - 4 ms that hardly any job pays

    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError as error:
        raise ConfigurationError(f"the server's URL {url!r} is not a URL: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(f"the server's URL {url!r} must look like http://host[:port] or https://host[:port]")
    if parts.query or parts.fragment or parts.username or parts.password:
        raise ConfigurationError(f"the server's URL {parts.hostname!r} must have no user, query or fragment")
    return Address(parts.scheme, parts.hostname, port or _PORTS[parts.scheme], parts.path.rstrip("/"))


def _plain(url: str) -> Address | None:
    """A URL such as `http://bgjobs-api.bgjobs.svc:80/base`, read without `urllib`; None if it is not so plain."""
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    host, colon, port = authority.partition(":")
    if scheme not in _PORTS or not host or not (_OF_A_HOST.issuperset(host) and _OF_A_PATH.issuperset(path)):
        return None
    if colon and not (
        port.isascii() and port.isdecimal() and len(port) <= _DIGITS_OF_A_PORT and int(port) <= _MOST_PORT
    ):
        return None
    return Address(scheme, host, int(port or 0) or _PORTS[scheme], f"{slash}{path}".rstrip("/"))
