"""What can go wrong for a caller. Every message says what to do next."""

from __future__ import annotations


class BgjobsError(Exception):
    """Anything that bgjobs raises on purpose."""


class InvalidJobError(BgjobsError, ValueError):
    """The job cannot be asked for like this; nothing was sent, or the API refused it (422).

    Attributes:
        field: the name of what is wrong, as in the API (`parameters`, `delay_seconds`), if it is known.
    """

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class ConfigurationError(BgjobsError):
    """The client does not know which server to talk to, or has no token."""


class UnreachableError(BgjobsError):
    """The API did not answer, even after retries. Whether a job was enqueued is unknown: send the same id again."""


class RefusedError(BgjobsError):
    """The API answered with an error.

    Attributes:
        status: the HTTP status.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class ForbiddenError(RefusedError):
    """The cluster's RBAC does not allow it; the message names the missing verb (401, 403)."""


class NotFoundError(RefusedError):
    """No such job, or it was dropped after its retention (404)."""


class ConflictError(RefusedError):
    """The state of the job does not allow it, or its id is in use for something else (409)."""


class JobFailedError(BgjobsError):
    """`result()` of a job that did not succeed.

    Attributes:
        state: `failed` or `cancelled`.
        outcome: why, as `error` or `timed_out`.
        traceback: of the last attempt, if it raised.
    """

    def __init__(self, message: str, state: str, outcome: str | None, traceback: str | None) -> None:
        super().__init__(message)
        self.state = state
        self.outcome = outcome
        self.traceback = traceback
