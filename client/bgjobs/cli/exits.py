"""Exit codes, spelled once, and which error ends with which. The standard library alone is imported."""

from __future__ import annotations

from typing import Final, NamedTuple

from bgjobs.errors import (
    BgjobsError,
    ConfigurationError,
    ConflictError,
    ForbiddenError,
    InvalidJobError,
    NotFoundError,
    RefusedError,
)

DONE: Final = 0
FAILED: Final = 1
USAGE: Final = 2
NOT_FOUND: Final = 3
FORBIDDEN: Final = 4
CONFLICT: Final = 5
NO_SERVER: Final = 6
TIMED_OUT: Final = 7
BUG: Final = 70
INTERRUPTED: Final = 130

MEANINGS: Final = (
    (DONE, "done"),
    (FAILED, "the job failed or was cancelled (run --wait, wait, rerun --wait); doctor found a fault"),
    (USAGE, "wrong usage, or the job cannot be asked for like this"),
    (NOT_FOUND, "no such job"),
    (FORBIDDEN, "not allowed, or no token"),
    (CONFLICT, "the job's state does not allow it"),
    (NO_SERVER, "no server, or it does not answer as it should"),
    (TIMED_OUT, "the time to wait has passed; the job goes on"),
    (BUG, "a mistake in the command itself"),
    (INTERRUPTED, "Ctrl-C"),
)

_BAD_REQUESTS: Final = frozenset({400, 413, 415})
_UNAUTHENTICATED: Final = 401


class UsageError(BgjobsError):
    """What was typed cannot be meant; nothing was sent."""


class NoJobError(BgjobsError):
    """No job of the latest ones is meant."""


class NoServerError(BgjobsError):
    """No server is known, or the way to it is closed."""


class NoTokenError(BgjobsError):
    """The server wants a token, and there is none."""


class ReaderGoneError(BgjobsError):
    """Whoever read standard output has seen enough, as `head` does."""


class End(NamedTuple):
    """How the command ends: its exit code and what to do next."""

    code: int
    hint: str = ""


def end_of(error: BaseException) -> End:
    """What an error of ours means for the one who typed the command."""
    if isinstance(error, UsageError):
        return End(USAGE)
    if isinstance(error, InvalidJobError):
        return End(USAGE, "`bgjobs queues` shows what may be run")
    if isinstance(error, ConfigurationError):
        return End(USAGE)
    if isinstance(error, (NotFoundError, NoJobError)):
        return End(NOT_FOUND, "`bgjobs list` shows the jobs there are")
    if isinstance(error, NoTokenError):
        return End(FORBIDDEN)
    if isinstance(error, ForbiddenError):
        # Who is known hears from the server which Role is missing.
        return End(FORBIDDEN, "get a new token" if error.status == _UNAUTHENTICATED else "")
    if isinstance(error, ConflictError):
        return End(CONFLICT, "`bgjobs show ID` shows its state")
    if isinstance(error, RefusedError) and error.status in _BAD_REQUESTS:
        return End(USAGE)
    if isinstance(error, NoServerError):
        return End(NO_SERVER)
    if isinstance(error, TimeoutError):
        return End(TIMED_OUT)
    return End(NO_SERVER, "`bgjobs doctor` looks for the cause")
