"""The exceptions that programs may get from bgjobs. Every message says what is wrong and what to do next."""

from __future__ import annotations


class BgjobsError(Exception):
    """The base class of every exception that bgjobs raises on purpose."""


class InvalidJobError(BgjobsError, ValueError):
    """What was said about the job is not valid: nothing was sent, or the API refused it (422). No job was made.

    Attributes:
        field: the name of the wrong field, as in the API (`parameters`, `delay_seconds`); None if it is not known.
    """

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class ConfigurationError(BgjobsError):
    """The client does not know which server to talk to, or has no token for it."""


class UnreachableError(BgjobsError):
    """The API did not answer, even after retries. Whether a job was enqueued is not known: send the same id again."""


class RefusedError(BgjobsError):
    """The API answered with an error; more specific ones are the subclasses.

    Attributes:
        status: the HTTP status of the answer; 0 if the URL could not be used at all.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class ForbiddenError(RefusedError):
    """The token was not accepted (401), or the cluster's RBAC does not allow it (403): the message names the verb."""


class NotFoundError(RefusedError):
    """There is no such job, or its record was deleted after its retention (404)."""


class ConflictError(RefusedError):
    """The state of the job does not allow this, or its id is already used for a different job (409)."""


class JobFailedError(BgjobsError):
    """`result()` was called for a job that did not succeed.

    Attributes:
        state: `failed` or `cancelled`.
        outcome: why the job ended, such as `error` or `timed_out`; None if it is not known.
        traceback: of the exception in the last attempt; None if there was none.
    """

    def __init__(self, message: str, state: str, outcome: str | None, traceback: str | None) -> None:
        super().__init__(message)
        self.state = state
        self.outcome = outcome
        self.traceback = traceback
