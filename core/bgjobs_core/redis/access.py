"""The address of Redis, and the user, password and certificates with which we connect to it."""

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
    """The address of Redis, and with what we connect to it; "" means that what the address says holds.

    Attributes:
        url: the address, for example `rediss://host:6379/0` or `unix:///path`; a password in it is percent-encoded.
        username: the user, in place of the one in the address; it is not percent-encoded.
        password: the password, in place of the one in the address; it is not percent-encoded.
        ca: a PEM file of certificate authorities to trust besides the public ones.
        client_cert: a PEM file with the certificate that we show to Redis.
        client_key: a PEM file with the key of that certificate.
    """

    url: str = field(repr=False)
    username: str = ""
    password: str = field(default="", repr=False)
    ca: str = ""
    client_cert: str = ""
    client_key: str = ""

    def objections(self) -> Iterator[str]:
        """What is wrong with these settings, one line each, without secrets in them. No connection is made."""
        try:
            parts = urlsplit(self.url)
            usable = parts.scheme in _SCHEMES and parts.port != 0
        except ValueError:
            usable = False
            yield (
                "BGJOBS_REDIS_URL cannot be read: special characters of a password must be percent-encoded in it; "
                "leave the password out, and set BGJOBS_REDIS_PASSWORD"
            )
        else:
            if not usable:
                yield "BGJOBS_REDIS_URL must look like rediss://host:6379/0, redis://host:6379/0 or unix:///path"
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
                yield f"BGJOBS_REDIS_CA {self.ca}: {_why(error, 'it has no certificate in PEM form')}"
        if self.client_cert:
            try:
                context.load_cert_chain(self.client_cert, self.client_key, password="")
            except OSError as error:
                files = f"BGJOBS_REDIS_CLIENT_CERT {self.client_cert}, BGJOBS_REDIS_CLIENT_KEY {self.client_key}"
                unread = "they have no certificate or key in PEM form, or the key needs a passphrase"
                yield f"{files}: {_why(error, unread)}"


def _why(error: OSError, unread: str) -> str:
    """Why a certificate or key cannot be used, as half a sentence."""
    if not isinstance(error, ssl.SSLError):
        return error.strerror or str(error)
    return "the key does not belong to the certificate" if error.reason == "KEY_VALUES_MISMATCH" else unread
