"""What is checked of every token, whoever has issued it: its length, its signature and its claims.

Which claims are expected, and who the caller is by them, is told by `service_accounts` for programs and by `id_tokens`
for people.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from joserfc import jwt
from joserfc.errors import ClaimError, ExpiredTokenError, JoseError

from bgjobs_api.identity.errors import UnauthenticatedError, UnknownKeyError, reject_token
from bgjobs_api.identity.issuer_keys import KEY_TYPES

if TYPE_CHECKING:
    from collections.abc import Collection

    from joserfc import jwk

    from bgjobs_api.identity.issuer_keys import IssuerKeys

MAX_TOKEN_BYTES: Final = 16 * 1024
# For clocks that disagree, as much as Kubernetes itself allows.
LEEWAY_SECONDS: Final = 60


def read_token(
    token: str, known: IssuerKeys, algorithms: Collection[str], expected: jwt.JWTClaimsRegistry
) -> jwt.Token:
    """Header and claims of a token, once its signature and its claims are found to be good.

    The key is found by its name (`kid`) among the known ones. Whatever else the header offers for finding a key
    (`jwk`, `jku`, `x5u`, `x5c`) is not looked at: the sender of the token has written it.

    Args:
        token: the text that was sent in the header `Authorization`, without `Bearer`.
        known: the keys of the issuer that the token should come from.
        algorithms: the signature algorithms that are accepted, for example `RS256`.
        expected: what the claims must say.

    Raises:
        UnauthenticatedError: if the token is not good.
        UnknownKeyError: if it names a key that is not among the known ones.
    """
    if len(token) > MAX_TOKEN_BYTES:
        reject_token("it is too long")

    def find(signed: Any) -> jwk.Key:
        header = signed.headers()
        kid = header.get("kid")
        if not isinstance(kid, str):
            reject_token("its header names no key (kid)")
        if kid not in known.keys:
            raise UnknownKeyError(kid)
        key = known.keys[kid]
        # The algorithm is the key's to choose and not the token's.
        if key.key_type != KEY_TYPES[header["alg"]] or key.get("alg", header["alg"]) != header["alg"]:
            reject_token("its key is not one for its algorithm")
        return key

    try:
        read = jwt.decode(token, find, algorithms=algorithms)
        expected.validate(read.claims)
    except ExpiredTokenError as error:
        raise UnauthenticatedError("the token has expired") from error
    except ClaimError as error:
        what = f"{error.error}, {error.claim}"
        raise UnauthenticatedError(f"the token is not for us, or not yet or no longer good: {what}") from error
    except (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UnauthenticatedError(f"it is not a token that {known.issuer} has signed") from error
    return read
