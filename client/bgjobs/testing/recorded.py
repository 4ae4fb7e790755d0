"""One job as a test sees it: what was asked for, and what became of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from bgjobs import strict_json
from bgjobs.runner import stack_text, stacks
from bgjobs.testing.family import is_open, shown_parents
from bgjobs.vocabulary import TERMINAL, WAITING, Outcome, Phase, StackState, State
from bgjobs.wire import Attempt, EnqueueRequest, Failure, Job, Progress, Stack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgjobs.runner.call_outcome import CallOutcome
    from bgjobs.testing.recorded_batch import RecordedBatch
    from bgjobs.vocabulary import UniqueAnswer

# What a queue says of them unless somebody else does.
DEFAULT_MAX_RETRIES: Final = 3
DEFAULT_TIMEOUT_SECONDS: Final = 3600.0


class RecordedJob:
    """A job that was asked for in a test, and what has become of it.

    Attributes:
        request: what would have been sent to a server.
        state: as on a server.
        outcome: why it ended.
        result: what its method returned, as it comes back through JSON.
        error: what went wrong in the latest attempt.
        progress: what the job last said of itself.
        checkpoint: where it last said that its next attempt can go on; None if nowhere. It stays here when the job has
            ended, while a server forgets it then, unless the job has failed.
        attempts: the first one first.
        retry_after: how many seconds the code wanted to wait when its latest attempt ended, by `Retry` or the backoff
            of its class; None if it did not say. In a test nobody waits.
        rerun_of: id of the job that was run again as this one.
        priority: 0 is low, 1 is high: as it was asked for, unless it was changed since.
        parents: the jobs and batches that it needs.
        children: how many jobs that have not ended need it.
        due_at: when a server would begin to look for a place for it.
        replaced_id: id of the job that waited with its unique key, and was cancelled because of it.
        key_taken_by: id of the job that has got its unique key, while it waited or ran.
    """

    def __init__(
        self,
        request: EnqueueRequest,
        rerun_of: str | None = None,
        parents: Sequence[RecordedJob | RecordedBatch] = (),
    ) -> None:
        self.request = request
        self.parents = parents
        self.children = 0
        self.rerun_of = rerun_of
        self.created_at = self.changed_at = datetime.now(UTC)
        self.state = State.SCHEDULED if request.delay_seconds else State.QUEUED
        if is_open(self):
            self.state = State.BLOCKED
        self.outcome: Outcome | None = None
        self.result: Any = None
        self.error: Failure | None = None
        self.progress: Progress | None = None
        self.checkpoint: Any = None
        self.attempts: list[Attempt] = []
        self.retry_after: float | None = None
        self.note: str | None = None
        self.reason: str | None = None
        self.replaced_id: str | None = None
        self.key_taken_by: str | None = None
        self.priority = request.priority
        self.due_at = self.created_at + timedelta(seconds=request.delay_seconds)
        self._logs: list[list[str]] = []
        self._stacks = 0

    def __repr__(self) -> str:
        return f"<RecordedJob {self} {self.state}>"

    def __str__(self) -> str:
        """The call, as one would write it."""
        if isinstance(self.parameters, dict):
            shown = ", ".join(f"{name}={value!r}" for name, value in self.parameters.items())
        else:
            shown = ", ".join(repr(value) for value in self.parameters)
        return f"{self.cls}.{self.method}({shown})"

    @property
    def id(self) -> str:
        """The job's UUID."""
        return self.request.id

    @property
    def namespace(self) -> str:
        """The namespace that was asked for, else `default`."""
        return self.request.namespace or "default"

    @property
    def cls(self) -> str:
        """Dotted name of the class that is called."""
        return self.request.cls

    @property
    def method(self) -> str:
        """Name of the method that is called."""
        return self.request.method

    @property
    def parameters(self) -> list[Any] | dict[str, Any]:
        """What the method is called with, as it comes out of JSON: a tuple is a list."""
        return self.request.parameters

    @property
    def delay(self) -> float:
        """For how long the job was to wait before it becomes due, in seconds."""
        return self.request.delay_seconds

    @property
    def queue(self) -> str:
        """Name of the queue that was asked for."""
        return self.request.queue

    @property
    def max_retries(self) -> int:
        """How many more attempts may follow a failed one: as asked for, else what queues have by default."""
        return DEFAULT_MAX_RETRIES if self.request.max_retries is None else self.request.max_retries

    @property
    def expires_at(self) -> datetime | None:
        """When a server would cancel it if it had not begun to start; None: never."""
        seconds = self.request.expires_after_seconds
        return None if seconds is None else self.created_at + timedelta(seconds=seconds)

    def log(self, attempt: int | None = None) -> str:
        """What an attempt printed, by default the latest."""
        number = attempt or len(self._logs)
        return "".join(self._logs[number - 1]) if 1 <= number <= len(self._logs) else ""

    def write_log(self, text: str) -> None:
        """Add to the log of the attempt that runs."""
        self._logs[-1].append(text)

    def begin(self) -> None:
        """Begin the next attempt; the job runs from now on."""
        self._change(State.LAUNCHED)
        number = len(self.attempts) + 1
        self._logs.append([])
        self.attempts.append(Attempt(number=number, pod_name="in-place", started_at=self.changed_at))

    def end(self, call_outcome: CallOutcome, *, final: bool) -> None:
        """End the attempt, and with it the job, unless another may follow."""
        if call_outcome.text:
            self.write_log(f"{call_outcome.text.rstrip()}\n")
        error = None if call_outcome.error is None else Failure.model_validate(call_outcome.error)
        now, outcome = datetime.now(UTC), Outcome(call_outcome.outcome)
        log_bytes = len(self.log().encode("utf-8", "backslashreplace"))
        self.attempts[-1] = self.attempts[-1].model_copy(
            update={"ended_at": now, "outcome": outcome, "error": error, "log_bytes": log_bytes}
        )
        if self.state == State.STOPPING:
            self.cancelled(self.note)
            return
        self.error = error
        self.retry_after = call_outcome.retry_after
        if call_outcome.outcome == Outcome.ERROR and len(self.attempts) <= self.max_retries and not final:
            return
        self.outcome = outcome
        if error is None:
            # As it comes back from a server, where it was JSON.
            self.result = strict_json.loads(strict_json.dumps(call_outcome.result))
        self._change(State.SUCCEEDED if error is None else State.FAILED)

    def stop(self, note: str | None) -> None:
        """Tell the attempt that runs to stop."""
        self.note = note
        self._change(State.STOPPING)

    def hold(self, note: str | None) -> None:
        """Pause it."""
        self.note = note
        self._change(State.PAUSED)

    def go_on(self) -> None:
        """Resume it, or let it go on when the jobs have ended that it needs."""
        self.note = None
        waits = State.SCHEDULED if self.due_at > datetime.now(UTC) else State.QUEUED
        self._change(State.BLOCKED if is_open(self) else waits)

    def hasten(self) -> None:
        """Make it due."""
        self.due_at = datetime.now(UTC)
        self._change(State.QUEUED)

    def expire(self, now: datetime) -> bool:
        """End it if it waits, and its time to start is over; whether that was so."""
        is_over = self.state in WAITING and self.expires_at is not None and self.expires_at <= now
        if is_over:
            self.cancelled(None)
        return is_over

    def cancelled(self, note: str | None, reason: str | None = None) -> None:
        """End the job without an attempt that counts."""
        self.note = note
        self.reason = reason
        self.outcome = Outcome.CANCELLED
        self._change(State.CANCELLED)

    def shown(self, unique: UniqueAnswer | None = None) -> Job:
        """The job as the API of a server would show it, and what has happened if it was just asked for."""
        first, last = (self.attempts[0], self.attempts[-1]) if self.attempts else (None, None)
        checkpoint = None if self.state in {State.SUCCEEDED, State.CANCELLED} else self.checkpoint
        running = last is not None and self.state not in TERMINAL and self.state not in WAITING
        return Job.model_validate(
            {
                **self.request.model_dump(by_alias=True),
                "namespace": self.request.namespace or "default",
                "state": self.state,
                "phase": Phase.RUNNING if running else None,
                "outcome": self.outcome,
                "error": self.error,
                "progress": self.progress,
                "has_result": self.result is not None,
                "has_checkpoint": checkpoint is not None,
                "checkpoint": checkpoint,
                "attempt": len(self.attempts),
                "max_retries": self.max_retries,
                "timeout_seconds": self.request.timeout_seconds or DEFAULT_TIMEOUT_SECONDS,
                "created_at": self.created_at,
                "not_before": self.due_at if self.delay else None,
                "started_at": first.started_at if first else None,
                "finished_at": self.changed_at if self.state in TERMINAL else None,
                "changed_at": self.changed_at,
                "priority": self.priority,
                "expires_at": self.expires_at,
                "paused_by": "bgjobs.testing" if self.state == State.PAUSED else None,
                "paused_at": self.changed_at if self.state == State.PAUSED else None,
                "created_by": "bgjobs.testing",
                "note": self.note,
                "rerun_of": self.rerun_of,
                "reason": self.reason,
                "unique": unique,
                "replaced_id": self.replaced_id,
                "key_taken_by": self.key_taken_by,
                "needs": len(self.parents),
                "on_parent_failure": self.request.on_parent_failure if self.parents else None,
                "parents": [one.model_dump() for one in shown_parents(self)],
                "children": self.children,
                "rev": 1,
            }
        )

    def stack(self) -> Stack:
        """What the threads of this process do, but for the one that asks; the job runs in one of them."""
        self._stacks += 1
        now = datetime.now(UTC)
        return Stack(
            number=self._stacks,
            state=StackState.TAKEN,
            attempt=len(self.attempts),
            asked_at=now,
            taken_at=now,
            text=stack_text.from_python(stacks.look()),
        )

    def _change(self, state: State) -> None:
        self.state = state
        self.changed_at = datetime.now(UTC)
