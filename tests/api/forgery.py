"""Tokens as somebody without the issuer's private key puts them together."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any, Final, cast

from joserfc import jwe, jwk

from tests.api.provider import EC, RSA
from tests.api.tokens import new_key, sign

THIEF: Final = new_key("p-rsa")  # another key of the same name
THIEF_EC: Final = new_key("p-ec", "EC")
STRANGER: Final = new_key("stranger")
STRANGER_EC: Final = new_key("stranger-ec", "EC")


def b64(data: bytes | str) -> str:
    return base64.urlsafe_b64encode(data if isinstance(data, bytes) else data.encode()).rstrip(b"=").decode()


def by_hand(header: Any, payload: Any, signature: bytes = b"") -> str:
    parts = [part if isinstance(part, str) else json.dumps(part) for part in (header, payload)]
    return ".".join([*map(b64, parts), b64(signature)])


def none(alg: Any, payload: dict[str, Any]) -> str:
    header = {"kid": "p-rsa", "alg": alg}
    return by_hand({name: value for name, value in header.items() if value != "-"}, payload)


def hmac_signed(secret: bytes, payload: dict[str, Any], kid: str = "p-rsa") -> str:
    """HS256 with something as its secret that is known to all."""
    signed = f"{b64(json.dumps({'alg': 'HS256', 'kid': kid}))}.{b64(json.dumps(payload))}"
    return f"{signed}.{b64(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"


def public(form: str) -> bytes:
    """The provider's published key, in bytes."""
    key = cast("Any", RSA)
    if form == "jwk":
        return json.dumps(key.as_dict(private=False)).encode()
    return key.as_pem(private=False) if form == "pem" else key.as_der(private=False)


def changed(token: str, payload: dict[str, Any]) -> str:
    """Another payload under the signature."""
    header, _, signature = token.split(".")
    return f"{header}.{b64(json.dumps(payload))}.{signature}"


def bringing_its_key(key: jwk.Key, payload: dict[str, Any]) -> str:
    """With the key that it is signed with in its header; an elliptic one, as long headers are refused anyway."""
    return sign(key, payload, alg="ES256", jwk=key.as_dict(private=False))


def with_header(payload: dict[str, Any], **header: Any) -> str:
    """Signed by the thief, with a header that should lead to the thief's key."""
    return sign(THIEF, payload, **header)


def encrypted(payload: dict[str, Any]) -> str:
    """A JWE: whoever knows the public key can make one."""
    key = jwk.RSAKey.import_key(cast("Any", RSA).as_dict(private=False) | {"use": "enc"})
    return jwe.encrypt_compact({"alg": "RSA-OAEP", "enc": "A128CBC-HS256", "kid": "p-rsa"}, json.dumps(payload), key)


def swapped(alg: str, payload: dict[str, Any]) -> str:
    """A good signature of the elliptic key, under the header of another algorithm."""
    good = sign(EC, payload, alg="ES256")
    _, body, signature = good.split(".")
    return f"{b64(json.dumps({'alg': alg, 'kid': 'p-ec'}))}.{body}.{signature}"
