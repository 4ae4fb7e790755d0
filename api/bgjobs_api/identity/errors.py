"""The errors that are raised while a token is turned into a caller."""

from __future__ import annotations

from typing import NoReturn


class IdentityError(Exception):
    """It is not known who has sent a request.

    Whatever verifies a token raises one of these:

    IdentityError
    ├── UnauthenticatedError   the token is not good, and trying again does not help; answered with 401
    ├── KeysUnavailableError   whether the token is good cannot be told at the moment; answered with 503
    ├── KeysUnreadableError    the issuer of tokens has not told its keys; `KeyRing` turns it into KeysUnavailable
    └── UnknownKeyError        the token names a key that we do not have; `KeyRing` reads the keys again then
    """


class UnauthenticatedError(IdentityError):
    """The token does not prove who the caller is. The message says why, for the one who has sent it."""


class KeysUnavailableError(IdentityError):
    """Whether the token is good cannot be told at the moment, because the keys of its issuer cannot be read.

    Attributes:
        seconds: after how many seconds it makes sense to ask again.
    """

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class KeysUnreadableError(IdentityError):
    """The issuer of tokens did not answer when it was asked for its keys, or its answer cannot be used."""


class UnknownKeyError(IdentityError):
    """The token names a key that is not among those that were read from its issuer; the message is its name."""


def reject_token(why: str) -> NoReturn:
    """Reject a token: raise UnauthenticatedError with a sentence that ends with the reason.

    Args:
        why: what is wrong with the token, as half a sentence: `its header names no key (kid)`.
    """
    raise UnauthenticatedError(f"the token cannot be used: {why}")
