"""The exit codes of the command, and which error ends it with which code. It imports only the standard library."""

from __future__ import annotations

from typing import Final, NamedTuple

from bgjobs.errors import (
    BgjobsError,
    ConfigurationError,
    ConflictError,
    EnqueueManyError,
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
    (
        FAILED,
        "the job failed or was cancelled (run --wait, wait, rerun --wait); --all was answered with no, was stopped, "
        "or failed for some jobs; doctor found a fault",
    ),
    (USAGE, "wrong usage, or the API refuses such a job"),
    (NOT_FOUND, "no such job"),
    (FORBIDDEN, "not allowed, or no token that the server accepts"),
    (CONFLICT, "the job's state does not allow it"),
    (NO_SERVER, "no server, or it does not answer as it should"),
    (TIMED_OUT, "the time to wait has passed; the job goes on"),
    (BUG, "a bug in the command itself"),
    (INTERRUPTED, "ended by Ctrl-C"),
)

# What `bgjobs run` calls what the API calls so.
_OPTIONS: Final = {
    "queue": "--queue",
    "priority": "--priority",
    "delay_seconds": "--delay",
    "max_retries": "--max-retries",
    "timeout_seconds": "--timeout",
    "retry": "--retry-on",
    "retry_on": "--retry-on",
    "abort_on": "--abort-on",
    "backoff_seconds": "--backoff",
    "backoff_cap_seconds": "--backoff-cap",
    "image": "--image",
    "concurrency_key": "--concurrency-key",
    "unique_key": "--unique-key",
    "unique_mode": "--unique-mode",
    "unique_for_seconds": "--unique-for",
    "labels": "--label",
    "traceparent": "--traceparent",
    "needs": "--needs",
}
_BAD_REQUESTS: Final = frozenset({400, 413, 415})
_UNAUTHENTICATED: Final = 401


class UsageError(BgjobsError):
    """What was typed makes no sense. The message says what to type instead; nothing was sent."""


class NoJobError(BgjobsError):
    """None of the latest jobs has the id that was typed."""


class NoServerError(BgjobsError):
    """No server is known, or it cannot be reached."""


class NoTokenError(BgjobsError):
    """The server needs a token, and the environment has none."""


class ReaderGoneError(BgjobsError):
    """The program that reads standard output has ended, as `head` does; that is no failure."""


class End(NamedTuple):
    """How the command ends.

    Attributes:
        code: its exit code.
        hint: what the user can do next, as half a sentence; "" where the error says it already.
    """

    code: int
    hint: str = ""


def end_of(error: BaseException) -> End:
    """With which exit code and hint the command ends after this error."""
    if isinstance(error, EnqueueManyError) and error.__cause__ is not None:
        return End(end_of(error.__cause__).code)
    if isinstance(error, UsageError):
        return End(USAGE)
    if isinstance(error, InvalidJobError):
        return End(USAGE, _hint_for(error))
    if isinstance(error, ConfigurationError):
        return End(USAGE)
    if isinstance(error, (NotFoundError, NoJobError)):
        return End(NOT_FOUND, "`bgjobs list` shows the jobs there are")
    if isinstance(error, NoTokenError):
        return End(FORBIDDEN)
    if isinstance(error, ForbiddenError):
        # For somebody whom it knows, the server says what is missing.
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


def _hint_for(error: InvalidJobError) -> str:
    """What helps whoever asks for a job that cannot be; the queue's own rules are those of an answer with a code."""
    field = (error.field or "").rpartition(".")[2]
    if error.code not in {"", "invalid"}:
        return "`bgjobs queues` shows what may be run"
    if field in {"id", "key"}:
        return "without --id and --key an id is made"
    return f"see {_OPTIONS[field]} in `bgjobs run --help`" if field in _OPTIONS else ""
