"""Where Redis is, and how to get in."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

_SCHEMES: Final = ("redis", "rediss", "unix")


@dataclass(frozen=True)
class RedisAccess:
    """Where Redis is, and how to get in; what is "" is left to the address.

    Attributes:
        url: as `rediss://host:6379/0` or `unix:///path`; a password within it is percent-encoded.
        username: instead of one in the address, as it is.
        password: the same.
        ca: PEM file of who may have signed Redis' certificate, besides the public authorities.
        client_cert: PEM file of a certificate that is shown to Redis.
        client_key: PEM file of its key.
    """

    url: str = field(repr=False)
    username: str = ""
    password: str = field(default="", repr=False)
    ca: str = ""
    client_cert: str = ""
    client_key: str = ""

    def objections(self) -> Iterator[str]:
        """What is wrong with it, one line each, without secrets."""
        try:
            parts = urlsplit(self.url)
            usable = parts.scheme in _SCHEMES and parts.port != 0
        except ValueError:
            usable = False
            yield (
                "BGJOBS_REDIS_URL cannot be read: characters of a password must be percent-encoded in it; "
                "leave the password out, and set BGJOBS_REDIS_PASSWORD"
            )
        else:
            if not usable:
                yield "BGJOBS_REDIS_URL must be as rediss://host:6379/0, redis://host:6379/0 or unix:///path"
        files = {"CA": self.ca, "CLIENT_CERT": self.client_cert, "CLIENT_KEY": self.client_key}
        named = [f"BGJOBS_REDIS_{name}" for name, path in files.items() if path]
        if named and usable and not self.url.startswith("rediss://"):
            yield f"{named[0]} is for TLS: BGJOBS_REDIS_URL must begin with rediss://"
        if bool(self.client_cert) != bool(self.client_key):
            yield "BGJOBS_REDIS_CLIENT_CERT and BGJOBS_REDIS_CLIENT_KEY belong together: set both"
            return
        context = ssl.create_default_context()
        if self.ca:
            try:
                context.load_verify_locations(self.ca)
            except OSError as error:
                yield f"BGJOBS_REDIS_CA {self.ca}: {_why(error, 'no certificate in PEM form')}"
        if self.client_cert:
            try:
                context.load_cert_chain(self.client_cert, self.client_key, password="")
            except OSError as error:
                files = f"BGJOBS_REDIS_CLIENT_CERT {self.client_cert}, BGJOBS_REDIS_CLIENT_KEY {self.client_key}"
                yield f"{files}: {_why(error, 'no certificate or key in PEM form, or a passphrase is needed')}"


def _why(error: OSError, unread: str) -> str:
    """Why a certificate or key cannot be used."""
    if not isinstance(error, ssl.SSLError):
        return error.strerror or str(error)
    return "the key is not that of the certificate" if error.reason == "KEY_VALUES_MISMATCH" else unread
