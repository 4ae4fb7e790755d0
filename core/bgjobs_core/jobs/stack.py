"""The stacks of a job's process, as the store has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from bgjobs.vocabulary import StackState
from bgjobs.wire import Stack
from bgjobs_core.jobs.views import moment

if TYPE_CHECKING:
    from collections.abc import Mapping


class StackRecord(NamedTuple):
    """A wish for them, and what it has brought. Times are Unix milliseconds.

    Attributes:
        number: of the wish; those of a job are counted.
        attempt: which ran when it was made.
        asked_at: when that was.
        taken_at: when the answer has come; None until then.
        text: the stacks, once there is an answer.
        is_over: whether the attempt has ended before it has answered.
    """

    number: int
    attempt: int
    asked_at: int
    taken_at: int | None = None
    text: str = ""
    is_over: bool = False

    @classmethod
    def read(cls, fields: Mapping[bytes, bytes]) -> StackRecord:
        """Read it from its hash in Redis."""
        taken_at = fields.get(b"taken_at")
        return cls(
            int(fields[b"number"]),
            int(fields[b"attempt"]),
            int(fields[b"asked_at"]),
            None if taken_at is None else int(taken_at),
            fields.get(b"text", b"").decode("utf-8", "replace"),
        )

    @property
    def state(self) -> StackState:
        """Whether there is an answer, and may be one."""
        if self.taken_at is not None:
            return StackState.TAKEN
        return StackState.MISSED if self.is_over else StackState.ASKED


def stack_view(record: StackRecord) -> Stack:
    """As the API shows it."""
    return Stack.model_validate(
        {
            "number": record.number,
            "state": record.state,
            "attempt": record.attempt,
            "asked_at": moment(record.asked_at),
            "taken_at": moment(record.taken_at),
            "text": record.text if record.taken_at is not None else None,
        }
    )
