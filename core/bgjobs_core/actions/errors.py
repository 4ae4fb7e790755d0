"""Why an action on a job was not done.

`ActionError` is the base, and everything that the actions raise of their own is one; its text says to whoever asked
what to do about it:

    ActionError                 the action was not done; nothing was written, but for what `NoRoomError` says
    ├── NotAdmittedError        the rules of the job's queue refuse it
    ├── IdTakenError            the id belongs to a job that was asked for with other words
    ├── NoRoomError             Redis is too full for another job
    │   └── TooManyClassesError the namespace has jobs of too many different queues, states and classes
    ├── OneOfManyError          one of many jobs was refused, and so none of them is stored
    ├── BatchRefusedError       the batch cannot take the job
    ├── BatchNotFoundError      there is no such batch, or no longer
    ├── JobNotFoundError        there is no such job, or no longer
    ├── NotEndedYetError        only a job that has ended can be run again
    ├── ChangeUnfitError        it cannot be run again with this change
    ├── NotWaitingError         only a job that waits can be paused, hastened or given another priority
    ├── NotRunningError         only a launched job can be suspended
    ├── NoAttemptRunsError      only a job whose code runs has stacks to show
    ├── QueueNotFoundError      there is no such queue
    ├── QueueUnchangedError     Kubernetes does not let the queue be changed
    ├── HoldNotFoundError       there is no such hold, or no longer
    ├── HoldTakenError          the id belongs to a hold that was asked for with other words
    ├── TooManyHoldsError       the namespace has as many holds as it may
    ├── ScheduleNotFoundError   there is no such schedule
    ├── ScheduleInvalidError    the spec of the schedule is invalid, so that no job can be made of it
    ├── TokenRefusedError       this token of a preview cannot be used
    ├── PreviewExpiredError     too much time has passed since a bulk was previewed
    ├── TooManyBulksError       the namespace has too many bulks that are not over
    ├── BulkNotFoundError       there is no such bulk, or no longer
    ├── BulkEndedError          it is too late to stop the bulk
    └── AlreadyEndedError       it is too late to cancel the job; the error carries its record

What Redis itself raises (`bgjobs_core.redis.errors.StoreError`) passes through them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bgjobs import refusals
from bgjobs.vocabulary import State
from bgjobs_core.jobs.bulk import MOST_OPEN as MOST_OPEN_BULKS
from bgjobs_core.jobs.record import MAX_SUSPENSIONS

if TYPE_CHECKING:
    from bgjobs_core.jobs.admission import NotAdmitted
    from bgjobs_core.jobs.record import FullJob


class ActionError(Exception):
    """An action was not done, and nothing was written."""


class NotAdmittedError(ActionError):
    """The rules of the job's queue refuse it.

    Attributes:
        refusal: the field that is refused, a stable word for programs, and what to do about it.
    """

    def __init__(self, refusal: NotAdmitted) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class IdTakenError(ActionError):
    """The id belongs to a job that was asked for with other words."""

    def __init__(self, job_id: str) -> None:
        super().__init__(refusals.id_taken(job_id))


class NoRoomError(ActionError):
    """Redis is too full for another job; the jobs that it has go on.

    Of many jobs that were to be stored together some may be stored. Asking again is safe.
    """


class TooManyClassesError(NoRoomError):
    """The namespace has jobs of too many different queues, states and classes, each of which takes memory."""

    def __init__(self, namespace: str) -> None:
        super().__init__(
            f"namespace {namespace} has jobs of too many different queues, states and classes, so no job with a "
            "new combination can be enqueued there; there is room again when older jobs have been dropped"
        )


class OneOfManyError(ActionError):
    """One of the jobs that were to be enqueued together was refused, and so none of them is stored.

    Attributes:
        index: which one; the first is 0.
        error: why.
    """

    def __init__(self, index: int, error: ActionError) -> None:
        super().__init__(f"job {index}: {error}")
        self.index = index
        self.error = error


class BatchRefusedError(ActionError):
    """The batch cannot take the job.

    Attributes:
        code: `batch_closed`, `batch_needed` or `batch_taken`.
    """

    def __init__(self, batch_id: str, code: str) -> None:
        super().__init__(f"batch {batch_id} {_WHY_NOT_INTO_BATCH[code]}")
        self.code = code


_WHY_NOT_INTO_BATCH: Final = {
    "batch_closed": "is closed, and takes no more jobs; ask for a new batch",
    "batch_needed": "is needed by a job already, so that one which needs others cannot come into it: it could wait for "
    "itself",
    "batch_taken": "is that of another namespace, or its id is that of a job; make a new id",
}


class BatchNotFoundError(ActionError):
    """There is no batch with this id, or all of its jobs were dropped after their retention."""

    def __init__(self, batch_id: str) -> None:
        super().__init__(f"there is no batch {batch_id}, or all of its jobs were dropped after their retention")


class HoldNotFoundError(ActionError):
    """There is no hold with this id, or it is over."""

    def __init__(self, hold_id: str) -> None:
        super().__init__(f"there is no hold {hold_id}, or it is over")


class HoldTakenError(ActionError):
    """The id belongs to a hold that was asked for with other words."""

    def __init__(self, hold_id: str) -> None:
        super().__init__(f"the id {hold_id} is that of another hold; make a new id")


class TooManyHoldsError(ActionError):
    """The namespace has as many holds as it may."""

    def __init__(self, namespace: str, most: int) -> None:
        super().__init__(
            f"namespace {namespace} has {most} holds, which is as many as there may be; release one, or use a label "
            "that all of these jobs have. One that is over counts until all of its jobs go on"
        )


class JobNotFoundError(ActionError):
    """There is no job with this id, or its record was dropped after its retention."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"there is no job {job_id}, or it was dropped after its retention")


class NotEndedYetError(ActionError):
    """The job has not ended, so it cannot be run again yet."""

    def __init__(self, state: State) -> None:
        super().__init__(refusals.not_ended_yet(state))


class ChangeUnfitError(ActionError):
    """The job cannot be run again with a change that was asked for.

    Attributes:
        field: which one, as the API names it.
        message: what is wrong with it.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field} {message}" if message.startswith(("must", "cannot")) else message)
        self.field = field
        self.message = message


class NotWaitingError(ActionError):
    """The job does not wait for what could be changed about it: it has started, or something else holds it.

    Args:
        state: of the job.
        done: what was to be done with it, as in "it cannot be paused".
    """

    def __init__(self, state: State, done: str) -> None:
        super().__init__(refusals.not_waiting(state, done))


class NotRunningError(ActionError):
    """The job cannot be suspended: it does not run, nor is about to, or was suspended too often.

    Args:
        state: of the job.
        too_often: whether it was suspended as often as a job may be.
    """

    def __init__(self, state: str, *, too_often: bool = False) -> None:
        said = refusals.suspended_too_often(MAX_SUSPENSIONS) if too_often else refusals.not_running(State(state))
        super().__init__(said)


class NoAttemptRunsError(ActionError):
    """No attempt of the job runs, so it has no stacks to show.

    Args:
        state: of the job.
    """

    def __init__(self, state: State) -> None:
        super().__init__(refusals.no_attempt_runs(state))


class QueueNotFoundError(ActionError):
    """There is no such queue, or the operator has not seen it yet.

    Args:
        key: of the queue, as `namespace/name`.
    """

    def __init__(self, key: str) -> None:
        namespace, _, name = key.partition("/")
        super().__init__(
            f"there is no BackgroundJobQueue {name!r} in namespace {namespace!r}; "
            f"see `kubectl get backgroundjobqueues -n {namespace}`"
        )


class QueueUnchangedError(ActionError):
    """The object of a queue could not be changed, and is as it was.

    Args:
        message: what Kubernetes said.
    """

    def __init__(self, message: str) -> None:
        super().__init__(f"the queue was not changed: {message}; try again, or change spec.paused with kubectl")


class AlreadyEndedError(ActionError):
    """The job had ended before anything could be done about it.

    Attributes:
        record: the job as it ended.
    """

    def __init__(self, record: FullJob) -> None:
        super().__init__(refusals.already_ended(record.state))
        self.record = record


class ScheduleNotFoundError(ActionError):
    """There is no such schedule, or the operator has not seen it yet.

    Args:
        key: of the schedule, as `namespace/name`.
    """

    def __init__(self, key: str) -> None:
        namespace, _, name = key.partition("/")
        super().__init__(
            f"there is no BackgroundJobSchedule {name!r} in namespace {namespace!r}; "
            f"see `kubectl get backgroundjobschedules -n {namespace}`"
        )


class ScheduleInvalidError(ActionError):
    """The spec of the schedule is invalid, so that no job can be made of it.

    Args:
        message: what is wrong with it.
    """

    def __init__(self, message: str) -> None:
        super().__init__(f"the schedule is invalid: {message}")


class TokenRefusedError(ActionError):
    """A token of a preview cannot be used.

    Attributes:
        message: what is wrong with it.
    """

    def __init__(self, message: str) -> None:
        super().__init__(f"the token {message}")
        self.message = message


class PreviewExpiredError(ActionError):
    """A bulk was previewed too long ago: by now its filter may mean other jobs than somebody has seen."""

    def __init__(self) -> None:
        super().__init__("this preview is more than five minutes old; look at a new one")


class TooManyBulksError(ActionError):
    """A namespace has too many bulks that are not over."""

    def __init__(self, namespace: str) -> None:
        super().__init__(
            f"namespace {namespace} has {MOST_OPEN_BULKS} bulks that are not over; wait until one is, or stop one"
        )


class BulkNotFoundError(ActionError):
    """There is no bulk with this id, or it was over more than seven days ago."""

    def __init__(self, bulk_id: str) -> None:
        super().__init__(f"there is no bulk {bulk_id}, or it was over more than seven days ago")


class BulkEndedError(ActionError):
    """A bulk was done before it could be stopped."""

    def __init__(self, bulk_id: str) -> None:
        super().__init__(f"bulk {bulk_id} is done, so that it cannot be stopped any more")
