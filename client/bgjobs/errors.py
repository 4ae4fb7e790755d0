"""The errors that a program gets which uses bgjobs. Every message says what is wrong and what to do next."""

from __future__ import annotations

from bgjobs.light_typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any


class Portable(Exception):  # noqa: N818 - a part of errors, and none by itself
    """An error that can be pickled and copied, whatever its class takes to make one.

    Python makes a pickled exception anew from its message alone. That is a TypeError where the class wants more, and
    for a pool of processes a parent that waits for ever.
    """

    def __reduce__(self) -> tuple[Callable[..., Portable], tuple[object, ...]]:
        # What has caused it is a part of what it says; a cause of another package might not be picklable.
        cause = self.__cause__ if isinstance(self.__cause__, Portable) else None
        return _restored, (type(self), self.args, self.__dict__, cause)


def _restored(
    kind: type[Portable], args: tuple[object, ...], attributes: Mapping[str, object], cause: Portable | None
) -> Portable:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(attributes)
    if cause is not None:
        error.__cause__ = cause
    return error


class BgjobsError(Portable):
    """The base of every error that bgjobs raises on purpose.

    BgjobsError
    ├── InvalidJobError        the job cannot be asked for like this (also a ValueError)
    ├── ConfigurationError     the client does not know which server to talk to, or has no token
    ├── UnreachableError       the API did not answer
    ├── RefusedError           the API answered with an error
    │   ├── ForbiddenError     who asks is not known, or is not allowed to do it
    │   ├── NotFoundError      there is no such job
    │   └── ConflictError      the job's state does not allow it, or its id is used already
    ├── EnqueueManyError       of many jobs that were asked for at once, not all are stored
    └── JobFailedError         a result was asked for of a job that did not succeed
    """


class InvalidJobError(BgjobsError, ValueError):
    """The job cannot be asked for like this; nothing was sent, or the API has refused it with status 422.

    Attributes:
        field: the name that the wrong field has in the API, for example `parameters`; None if it is not known.
        code: the API's word for what is wrong, for example `class_not_approved`; "" if nothing was sent.
        index: which of many jobs is wrong, from 0 on; None if only one was asked for.
    """

    def __init__(self, message: str, field: str | None = None, *, code: str = "", index: int | None = None) -> None:
        super().__init__(message)
        self.field = field
        self.code = code
        self.index = index


class ConfigurationError(BgjobsError):
    """The client does not know which server to talk to, or has no token to show."""


class UnreachableError(BgjobsError):
    """The API did not answer, even after retries. Whether a job was enqueued is unknown: send the same id again.

    The same id is the same job, so that it is not enqueued twice.
    """


class RefusedError(BgjobsError):
    """The API answered with an error; the attributes `code` and `remedy` are what it said.

    The message, which `str()` gives, is detail and remedy.

    Attributes:
        status: the HTTP status of the answer.
        detail: what is wrong, as a sentence.
        code: the API's word for what is wrong, for example `job_not_found`; "" if the answer had none.
        remedy: what helps, as a command or one sentence; "" if nothing is known.
        index: which of many jobs it is about, from 0 on; None if it is about all, or only one was asked for.
    """

    def __init__(self, detail: str, status: int, *, code: str = "", remedy: str = "", index: int | None = None) -> None:
        super().__init__(self._in_words(detail, remedy))
        self.status = status
        self.detail = detail
        self.code = code
        self.remedy = remedy
        self.index = index

    @staticmethod
    def _in_words(detail: str, remedy: str) -> str:
        return f"{detail}; {remedy}" if remedy else detail


class ForbiddenError(RefusedError):
    """The API does not know who asks (status 401), or the cluster's RBAC does not allow it (status 403).

    What is not known is "": all of it for status 401, and where the server is of an older version.

    Attributes:
        user: who is not allowed to do it, by the name in Kubernetes: `system:serviceaccount:shop:web`.
        verb: the verb of a Role that is missing, for example `create`.
        resource: the resource, with its subresource if there is one: `backgroundjobrequests/cancel`.
        namespace: a namespace in which it is not allowed.
        remedy: the command by which an administrator allows it there.
    """

    def __init__(
        self,
        detail: str,
        status: int,
        *,
        code: str = "",
        remedy: str = "",
        user: str = "",
        verb: str = "",
        resource: str = "",
        namespace: str = "",
        index: int | None = None,
    ) -> None:
        super().__init__(detail, status, code=code, remedy=remedy, index=index)
        self.user = user
        self.verb = verb
        self.resource = resource
        self.namespace = namespace

    @staticmethod
    def _in_words(detail: str, remedy: str) -> str:
        return f"{detail}; an administrator can allow it with `{remedy}`" if remedy else detail


class NotFoundError(RefusedError):
    """There is no such job, or it was deleted after its retention (status 404)."""


class ConflictError(RefusedError):
    """The job's state does not allow it, or its id belongs to another job (status 409)."""


class EnqueueManyError(BgjobsError):
    """Not all jobs of `enqueue_many` are stored; `__cause__` is the error that says why.

    They are sent in pieces of up to 1,000 jobs. Of each piece, all jobs are stored or none, and after the first piece
    that fails no other is sent.

    Attributes:
        stored: the ids of the jobs that are safely stored; in these three, a job that has a key is named by its key.
        unknown: the ids of the jobs of which it is unknown, because the server did not answer or has failed.
        not_stored: the ids of the others.
        rest: what was asked for with `unknown` and `not_stored`. `send_many(error.rest)` asks for it again; a job that
            was stored after all is the same job then.
        index: which job was refused, from 0 on; None if it was not about one of them.
        batch: id of the batch that they were to be, which is open; None if they were to be none.
    """

    def __init__(
        self,
        message: str,
        *,
        stored: Sequence[str],
        unknown: Sequence[str],
        not_stored: Sequence[str],
        rest: Sequence[Any],
        index: int | None = None,
        batch: str | None = None,
    ) -> None:
        super().__init__(message)
        self.stored = stored
        self.unknown = unknown
        self.not_stored = not_stored
        self.rest = rest
        self.index = index
        self.batch = batch


class JobFailedError(BgjobsError):
    """The result was asked for of a job that did not succeed.

    Attributes:
        state: `failed` or `cancelled`.
        outcome: why, for example `error` or `timed_out`.
        traceback: that of the last attempt, if the job's code raised an exception.
    """

    def __init__(self, message: str, state: str, outcome: str | None, traceback: str | None) -> None:
        super().__init__(message)
        self.state = state
        self.outcome = outcome
        self.traceback = traceback
