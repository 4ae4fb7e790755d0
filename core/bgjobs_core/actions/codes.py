"""The codes of the errors of actions: stable words for programs, which the API answers and bulks count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bgjobs_core.actions.errors import (
    ActionError,
    AlreadyEndedError,
    BatchNotFoundError,
    BatchRefusedError,
    BulkEndedError,
    BulkNotFoundError,
    ChangeUnfitError,
    HoldNotFoundError,
    HoldTakenError,
    IdTakenError,
    JobNotFoundError,
    NoAttemptRunsError,
    NoRoomError,
    NotAdmittedError,
    NotEndedYetError,
    NotRunningError,
    NotWaitingError,
    OneOfManyError,
    PreviewExpiredError,
    QueueNotFoundError,
    QueueUnchangedError,
    ScheduleInvalidError,
    ScheduleNotFoundError,
    TokenRefusedError,
    TooManyBulksError,
    TooManyClassesError,
    TooManyHoldsError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_CODES: Final[Mapping[type[ActionError], str]] = {
    JobNotFoundError: "job_not_found",
    BatchNotFoundError: "batch_not_found",
    IdTakenError: "id_taken",
    NotEndedYetError: "job_not_ended",
    AlreadyEndedError: "job_ended",
    NotWaitingError: "job_not_waiting",
    NotRunningError: "job_not_running",
    NoAttemptRunsError: "job_not_running",
    QueueNotFoundError: "queue_not_found",
    QueueUnchangedError: "queue_unchanged",
    HoldNotFoundError: "hold_not_found",
    HoldTakenError: "id_taken",
    TooManyHoldsError: "too_many_holds",
    ScheduleNotFoundError: "schedule_not_found",
    ScheduleInvalidError: "schedule_invalid",
    BulkNotFoundError: "bulk_not_found",
    BulkEndedError: "bulk_ended",
    PreviewExpiredError: "preview_expired",
    TooManyBulksError: "too_many_bulks",
    ChangeUnfitError: "invalid",
    TokenRefusedError: "invalid",
    TooManyClassesError: "too_many_classes",
    NoRoomError: "store_full",
}


def code_of(error: ActionError) -> str:
    """The code of an error.

    Raises:
        KeyError: it is of a class that has none, nor has any that it is derived from.
    """
    match error:
        case NotAdmittedError(refusal=refusal):
            return refusal.code
        case BatchRefusedError(code=code):
            return code
        case OneOfManyError(error=one):
            return code_of(one)
        case _:
            kind = next((one for one in _CODES if isinstance(error, one)), type(error))
            return _CODES[kind]
