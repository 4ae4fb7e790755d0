"""Sessions of oauth2-proxy 7.15: a ticket in the browser's cookie, and what it opens in Redis."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from typing import Any, Final, cast

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from installation import RELEASE, SYSTEM, kubectl

_NONCE_BYTES: Final = 12


@dataclass(frozen=True)
class Tokens:
    """What a session holds, as the provider gave it."""

    access: str
    id: str
    refresh: str

    @property
    def claims(self) -> dict[str, Any]:
        """Those of the ID token."""
        return cast("dict[str, Any]", json.loads(unpadded(self.id.split(".")[1])))


def key_of(cookie: str) -> str:
    """The session's key in Redis. A cookie is `SIGNED|TIME|SIGNATURE`, signed is `v2.KEY.SECRET`."""
    return unpadded(_ticket(cookie)[1]).decode()


def tokens_of(cookie: str) -> Tokens:
    """What the cookie's session holds now; an AssertionError if there is none."""
    encrypted = redis(f"redis-cli -n 1 --raw get {key_of(cookie)} | head -c -1 | base64 -w0")
    sealed = base64.b64decode(encrypted)
    assert sealed, f"there is no session {key_of(cookie)}"
    opened = AESGCM(unpadded(_ticket(cookie)[2])).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], None)
    # A map of MessagePack whose only texts of this form are these, in this order.
    found = [one.decode() for one in re.findall(rb"eyJ[\w-]+\.[\w-]+\.[\w-]+", opened)]
    return Tokens(*found)


def exists(cookie: str) -> bool:
    """Whether Redis still has the session."""
    return redis(f"redis-cli -n 1 exists {key_of(cookie)}").strip() == "1"


def redis(command: str) -> str:
    """What a shell in Redis' pod says; its redis-cli is the administrator's."""
    return kubectl("exec", "-n", SYSTEM, f"{RELEASE}-redis-0", "--", "sh", "-c", command)


def _ticket(cookie: str) -> list[str]:
    return unpadded(cookie.partition("|")[0]).decode().split(".")


def unpadded(text: str) -> bytes:
    """What base64 says, as cookies and tokens have it."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
