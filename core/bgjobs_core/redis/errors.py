"""The errors that the store raises when Redis fails, and how they are made from those of redis-py."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Final

from redis import exceptions as rex

if TYPE_CHECKING:
    from collections.abc import Iterator


# The first word of what a script says if the layout is not its own; the layout that it has found follows.
LAYOUT_ERROR: Final = "LAYOUT"


class StoreError(Exception):
    """Redis cannot do what it was asked for.

    Everything that the store raises is one of these:

    StoreError                    Redis has answered that it cannot do this
    ├── StoreUnavailableError     there was no answer; every call of the store may be sent again
    ├── StoreFullError            Redis has reached its memory limit, and nothing was written
    └── StoreLayoutError          what is in Redis was written by a version with another layout
    """


class StoreUnavailableError(StoreError):
    """Redis did not answer, or did not let us in; every call of the store may be sent again."""


class StoreFullError(StoreError):
    """Redis has reached its memory limit (`maxmemory`), and nothing was written."""


class StoreLayoutError(StoreError):
    """What is in Redis was written by a version of bgjobs that lays it out in another way; nothing was changed."""

    def __init__(self, found: str) -> None:
        super().__init__(
            f"Redis holds jobs in layout {found}, which another version of bgjobs has written; this version changes "
            "nothing there. docs/operations.md says under 'A new layout' how to go on"
        )


def translate(error: Exception) -> StoreError:
    """Make our error from an error of redis-py or of the operating system.

    When Redis did not let us in, the message names the settings that are to be checked.
    """
    if isinstance(error, (rex.ConnectionError, rex.TimeoutError, rex.BusyLoadingError, OSError)):
        return StoreUnavailableError(_sign_in_problem(error) or f"Redis does not answer: {error}")
    text = str(error)
    if isinstance(error, rex.OutOfMemoryError) or "OOM" in text:
        return StoreFullError("Redis is at its memory limit (maxmemory); nothing was written")
    if LAYOUT_ERROR in text:
        return StoreLayoutError(text.rpartition(" ")[2])
    return StoreError(text)


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error itself, and the errors that led to it, the latest first."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _sign_in_problem(error: Exception) -> str:
    """What is wrong with our password, user or certificate, and what to set; "" if the cause is something else."""
    for cause in causes(error):
        if isinstance(cause, rex.AuthenticationError):
            if "HELLO" in str(cause) or "required" in str(cause):
                return "Redis needs a password: set BGJOBS_REDIS_PASSWORD"
            check = "check BGJOBS_REDIS_USERNAME and BGJOBS_REDIS_PASSWORD"
            return f"Redis does not accept user or password ({cause}): {check}"
        if isinstance(cause, ssl.SSLCertVerificationError):
            why = cause.verify_message.rstrip(".")
            return f"Redis' certificate is not trusted ({why}): check BGJOBS_REDIS_CA and the host in BGJOBS_REDIS_URL"
        if isinstance(cause, ssl.SSLError):
            return _tls_problem(cause.reason or "")
    return ""


def _tls_problem(reason: str) -> str:
    if "ALERT" in reason and ("CERTIFICATE" in reason or "UNKNOWN_CA" in reason):
        why = "needs a client certificate" if "REQUIRED" in reason else "does not accept the client certificate"
        return f"Redis {why} ({reason}): check BGJOBS_REDIS_CLIENT_CERT and BGJOBS_REDIS_CLIENT_KEY"
    return f"TLS with Redis failed ({reason}): if Redis has no TLS, BGJOBS_REDIS_URL must begin with redis://"
