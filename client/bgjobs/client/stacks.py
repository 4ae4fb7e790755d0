"""Waits for the stacks of a running job: when to ask again, and what an answer means. Nothing is done here."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from bgjobs.client import polling
from bgjobs.errors import ConflictError
from bgjobs.vocabulary import StackState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgjobs.wire import Stack

# A pod hears of a wish within ten seconds, and answers within two more.
SECONDS: Final = 20.0


class StackWaiting:
    """Waits for the answer to one wish.

    Args:
        job_id: of the job.
        number: of the wish.
        timeout: seconds to wait at most.
    """

    def __init__(self, job_id: str, number: int, timeout: float) -> None:
        self._job_id = job_id
        self._number = number
        self._timeout = timeout
        self._waited = 0.0
        self._pauses: Iterator[float] = polling.pauses()

    def pause(self, stack: Stack) -> float | None:
        """Seconds before asking again; None if this is the answer.

        Raises:
            ConflictError: if the attempt has ended, and none will come.
            TimeoutError: if none has come in time.
        """
        if stack.state == StackState.TAKEN and stack.number >= self._number:
            return None
        if stack.state == StackState.MISSED:
            message = f"attempt {stack.attempt} of job {self._job_id} has ended before it could be asked"
            raise ConflictError(message, HTTPStatus.CONFLICT)
        left = self._timeout - self._waited
        if left <= 0:
            raise TimeoutError(
                f"the pod of job {self._job_id} has not answered within {self._timeout:g} s: its node may be out of "
                "reach, or its image has a bgjobs from before there were stacks"
            )
        pause = min(next(self._pauses), left)
        self._waited += pause
        return pause
