"""The errors of actions by code and by kind.

A code is a stable word for programs, which the API answers and bulks count. A kind says what somebody can do who was
refused so; the API has a status for each.
"""

from __future__ import annotations

from enum import Enum
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


class Kind(Enum):
    """What an error says of what was asked for."""

    MISSING = "what it is about is not there"
    CONFLICT = "it does not fit the state of what it is about"
    INVALID = "it would be wrong in any state"
    NOT_NOW = "it may be done in a moment"
    FULL = "there is no room for it"


_KNOWN: Final[Mapping[type[ActionError], tuple[str, Kind]]] = {
    NotAdmittedError: ("", Kind.INVALID),  # this one and the next carry their codes
    BatchRefusedError: ("", Kind.CONFLICT),
    JobNotFoundError: ("job_not_found", Kind.MISSING),
    BatchNotFoundError: ("batch_not_found", Kind.MISSING),
    IdTakenError: ("id_taken", Kind.CONFLICT),
    NotEndedYetError: ("job_not_ended", Kind.CONFLICT),
    AlreadyEndedError: ("job_ended", Kind.CONFLICT),
    NotWaitingError: ("job_not_waiting", Kind.CONFLICT),
    NotRunningError: ("job_not_running", Kind.CONFLICT),
    NoAttemptRunsError: ("job_not_running", Kind.CONFLICT),
    QueueNotFoundError: ("queue_not_found", Kind.MISSING),
    QueueUnchangedError: ("queue_unchanged", Kind.NOT_NOW),
    HoldNotFoundError: ("hold_not_found", Kind.MISSING),
    HoldTakenError: ("id_taken", Kind.CONFLICT),
    TooManyHoldsError: ("too_many_holds", Kind.CONFLICT),
    ScheduleNotFoundError: ("schedule_not_found", Kind.MISSING),
    ScheduleInvalidError: ("schedule_invalid", Kind.CONFLICT),
    BulkNotFoundError: ("bulk_not_found", Kind.MISSING),
    BulkEndedError: ("bulk_ended", Kind.CONFLICT),
    PreviewExpiredError: ("preview_expired", Kind.CONFLICT),
    TooManyBulksError: ("too_many_bulks", Kind.CONFLICT),
    ChangeUnfitError: ("invalid", Kind.INVALID),
    TokenRefusedError: ("invalid", Kind.INVALID),
    TooManyClassesError: ("too_many_classes", Kind.FULL),  # it is a NoRoomError, so it comes first
    NoRoomError: ("store_full", Kind.FULL),
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
            return _known(error)[0]


def kind_of(error: ActionError) -> Kind:
    """The kind of an error.

    Raises:
        KeyError: as for `code_of`.
    """
    return kind_of(error.error) if isinstance(error, OneOfManyError) else _known(error)[1]


def _known(error: ActionError) -> tuple[str, Kind]:
    return _KNOWN[next((one for one in _KNOWN if isinstance(error, one)), type(error))]
