"""What can go wrong with Redis.

`StoreError` is the base, and everything that the store raises is one:

    StoreError                    Redis says that something cannot be done
    ├── StoreUnavailableError     there was no answer; every verb may be sent again
    └── StoreFullError            the memory limit is reached, and nothing was written
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from redis import exceptions as rex

if TYPE_CHECKING:
    from collections.abc import Iterator


class StoreError(Exception):
    """Redis cannot do what was asked."""


class StoreUnavailableError(StoreError):
    """Redis did not answer; every verb may be sent again."""


class StoreFullError(StoreError):
    """Redis is at its memory limit; nothing was written."""


def translate(error: Exception) -> StoreError:
    """Our error for one of redis-py's."""
    if isinstance(error, (rex.ConnectionError, rex.TimeoutError, rex.BusyLoadingError, OSError)):
        return StoreUnavailableError(_refusal(error) or f"Redis does not answer: {error}")
    text = str(error)
    if isinstance(error, rex.OutOfMemoryError) or "OOM" in text:
        return StoreFullError("Redis is at its memory limit (maxmemory); nothing was written")
    return StoreError(text)


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error itself, and the errors that led to it, the latest first."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _refusal(error: Exception) -> str:
    """What is wrong with how we come in, and what to set; "" if nobody said that."""
    for cause in causes(error):
        if isinstance(cause, rex.AuthenticationError):
            if "HELLO" in str(cause) or "required" in str(cause):
                return "Redis wants a password: set BGJOBS_REDIS_PASSWORD"
            return f"Redis refuses user or password ({cause}): check BGJOBS_REDIS_USERNAME and BGJOBS_REDIS_PASSWORD"
        if isinstance(cause, ssl.SSLCertVerificationError):
            why = cause.verify_message.rstrip(".")
            return f"Redis' certificate is not trusted ({why}): check BGJOBS_REDIS_CA and the host in BGJOBS_REDIS_URL"
        if isinstance(cause, ssl.SSLError):
            return _tls_refusal(cause.reason or "")
    return ""


def _tls_refusal(reason: str) -> str:
    if "ALERT" in reason and ("CERTIFICATE" in reason or "UNKNOWN_CA" in reason):
        wants = "wants a client certificate" if "REQUIRED" in reason else "refuses the client certificate"
        return f"Redis {wants} ({reason}): check BGJOBS_REDIS_CLIENT_CERT and BGJOBS_REDIS_CLIENT_KEY"
    return f"Redis and we do not agree on TLS ({reason}): without TLS, BGJOBS_REDIS_URL begins with redis://"
