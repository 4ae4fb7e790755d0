"""For a test that calls job code itself."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from bgjobs import context, strict_json
from bgjobs.client.request import build_request
from bgjobs.protocol import MAX_CHECKPOINT_BYTES
from bgjobs.runner.call_outcome import CallOutcome
from bgjobs.testing.in_place import InPlaceJob
from bgjobs.testing.recorded import RecordedJob
from bgjobs.vocabulary import Outcome

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence


@contextlib.contextmanager
def within_job(
    *,
    attempt: int = 1,
    stopping: bool = False,
    checkpoint: Any = None,
    parameters: Sequence[Any] | Mapping[str, Any] = (),
) -> Generator[RecordedJob]:
    """Have `current_job()` work in the test itself.

    Example:
        `with within_job(attempt=2) as job: assert Invoices().render(2026, 11) == {"invoices": 5}`

    Args:
        attempt: what `current_job().attempt` says.
        stopping: what `is_stopping()` says.
        checkpoint: what `current_job().checkpointed` says; what JSON can carry.
        parameters: what `current_job().parameters` says.

    Returns:
        The job; its `progress` and `checkpoint` are what the code has said last.

    Raises:
        ValueError: if the checkpoint is not JSON, or takes more than 64 KiB.
    """
    job = RecordedJob(build_request("job.under.Test", "run", parameters, max_retries=max(3, attempt)))
    for _ in range(attempt - 1):
        job.begin()
        job.end(CallOutcome(Outcome.ERROR, {"type": "Error", "message": "an attempt before"}), final=False)
    job.begin()
    job.checkpoint = strict_json.loads(strict_json.dumps(checkpoint, "checkpoint", MAX_CHECKPOINT_BYTES))
    if stopping:
        job.stop(None)
    with context.running(InPlaceJob(job)):
        yield job
