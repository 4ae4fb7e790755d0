"""Which jobs of a test need which jobs and batches, by the rules of a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bgjobs.context import ParentBatch, ParentJob
from bgjobs.errors import InvalidJobError
from bgjobs.testing.recorded_batch import RecordedBatch
from bgjobs.vocabulary import TERMINAL, OnParentFailure, State
from bgjobs.wire import Parent

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from bgjobs.testing.recorded import RecordedJob
    from bgjobs.wire import EnqueueRequest


def parents_of(
    request: EnqueueRequest, there: Mapping[str, RecordedJob | RecordedBatch]
) -> list[RecordedJob | RecordedBatch]:
    """The jobs and batches that a request needs.

    Raises:
        InvalidJobError: as a server says it, if one of them is not there.
    """
    namespace = request.namespace or "default"
    missing = [one for one in request.needs if one not in there or there[one].namespace != namespace]
    if missing:
        raise missing_parents(missing)
    return [there[one] for one in request.needs]


def missing_parents(missing: Iterable[str]) -> InvalidJobError:
    """What is raised for a job that needs jobs which are not there."""
    return InvalidJobError(
        f"no such job was enqueued in this test: {', '.join(missing)}; enqueue it first, or leave it out of `needs`",
        "needs",
        code="needs_not_found",
    )


def failed_parent(job: RecordedJob) -> RecordedJob | RecordedBatch | None:
    """The parent because of which a job is cancelled; None if it is not."""
    if job.request.on_parent_failure == OnParentFailure.RUN:
        return None
    return next((one for one in job.parents if one.state in TERMINAL and one.state != State.SUCCEEDED), None)


def is_open(job: RecordedJob) -> bool:
    """Whether a job waits for one that it needs."""
    return any(one.state not in TERMINAL for one in job.parents)


def shown_parents(job: RecordedJob) -> list[Parent]:
    """The jobs and batches that a job needs, as the API shows them."""
    return [
        Parent(
            id=one.id,
            state=one.state,
            outcome=one.outcome,
            has_result=one.result is not None,
            jobs=one.counts if isinstance(one, RecordedBatch) else None,
        )
        for one in job.parents
    ]


def children_of(job: RecordedJob | RecordedBatch, jobs: Collection[RecordedJob]) -> list[RecordedJob]:
    """The jobs that have not ended and need this job or batch."""
    return [one for one in jobs if job in one.parents and one.state not in TERMINAL]


def readable_parents(job: RecordedJob) -> list[ParentJob]:
    """The jobs and batches that a job needs, for its code."""
    by_id = {one.id: one for one in job.parents}

    def read(parent_id: str) -> dict[str, Any]:
        return _said(by_id[parent_id])

    def read_page(batch_id: str, _: str | None) -> dict[str, Any]:
        batch = by_id[batch_id]
        jobs = batch.jobs if isinstance(batch, RecordedBatch) else []
        return {"items": [{"id": one.id, **_said(one)} for one in sorted(jobs, key=lambda one: one.id)]}

    def made(one: RecordedJob | RecordedBatch) -> ParentJob:
        if isinstance(one, RecordedBatch):
            counts = {str(state): number for state, number in one.counts.items()}
            return ParentBatch(one.id, str(one.state), counts, read, read_page)
        return ParentJob(one.id, None, str(one.state), one.outcome, read)

    return [made(one) for one in job.parents]


def _said(parent: RecordedJob | RecordedBatch) -> dict[str, Any]:
    return {"state": str(parent.state), "outcome": parent.outcome, "value": parent.result}
