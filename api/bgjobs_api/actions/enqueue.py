"""From a request to a job: what was asked, whether it may be, and whether it was asked before."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from bgjobs import strict_json
from bgjobs.vocabulary import TERMINAL
from bgjobs.wire import FieldProblem
from bgjobs_api.http.problems import ProblemError, invalid, store_full
from bgjobs_core.jobs.admission import NotAdmitted, decide
from bgjobs_core.jobs.record import AskedJob

if TYPE_CHECKING:
    from bgjobs.wire import EnqueueRequest
    from bgjobs_api.http.deps import Deps
    from bgjobs_api.identity.caller import Identity
    from bgjobs_core.jobs.record import JobRecord


def asked_by(body: EnqueueRequest, caller: Identity) -> AskedJob:
    """What was asked for.

    Raises:
        ProblemError: 422 if the parameters are too large, or no namespace is named by one who belongs to none.
    """
    namespace = body.namespace or caller.namespace
    if not namespace:
        raise invalid("namespace", "is needed: you belong to none")
    try:
        parameters = strict_json.dumps(body.parameters, "parameters")
    except strict_json.NotJSONError as error:
        raise invalid("parameters", str(error)) from error
    return AskedJob(id=body.id, namespace=namespace, spec=body, parameters=parameters, created_by=caller.user)


async def enqueue(deps: Deps, asked: AskedJob) -> tuple[JobRecord, bool]:
    """Store the job; says whether it is new.

    Raises:
        ProblemError: 422 if it is refused, 409 if the id is taken, 507 if there is no room.
    """
    queue = await deps.store.queue(asked.queue_key)
    decision = decide(asked, queue.spec if queue else None)
    if isinstance(decision, NotAdmitted):
        return await _again(deps, asked, _refusal(decision)), False
    if not await deps.gate.is_open(deps.clock()):
        return await _again(deps, asked, store_full()), False
    reply = await deps.store.enqueue(decision)
    if reply.did == "conflict":
        return await _again(deps, asked, conflict(asked.id)), False
    record = await deps.store.job(asked.id)
    if record is None:
        raise RuntimeError(f"job {asked.id} was stored and is gone")
    return record, reply.did == "created"


async def rerun(deps: Deps, caller: Identity, record: JobRecord, job_id: str) -> JobRecord:
    """Enqueue what a job asked for once more, as a new job; its parameters are taken over byte for byte.

    It runs in the queue's image of today, since it is mostly run again when its code was mended; in its old one
    only where the queue leaves the image to those who ask.

    Args:
        deps: the store and the memory gate.
        caller: who wants it.
        record: the job that has ended.
        job_id: of the new job; the same id again is the same job.

    Raises:
        ProblemError: 409 while the job has not ended, and as `enqueue`: the queue's rules are those of today.
    """
    if record.state not in TERMINAL:
        raise ProblemError(
            HTTPStatus.CONFLICT, "job_not_ended", f"the job has not ended: it is {record.state}; cancel it first"
        )
    # The image that is not named is today's of the queue.
    again = {"delay_seconds": 0, "image": None}
    asked = AskedJob(
        id=job_id,
        namespace=record.namespace,
        spec=record.spec.model_copy(update=again),
        parameters=record.parameters.decode(),
        created_by=caller.user,
        rerun_of=record.id,
        last_image=record.spec.image or "",
    )
    return (await enqueue(deps, asked))[0]


async def _again(deps: Deps, asked: AskedJob, problem: ProblemError) -> JobRecord:
    """The job that the same request made before; without one, the problem stands."""
    record = await deps.store.job(asked.id)
    if record is None:
        raise problem
    if asked.digest != record.digest:
        raise conflict(asked.id)
    return record


def conflict(job_id: str) -> ProblemError:
    """409."""
    return ProblemError(
        HTTPStatus.CONFLICT, "id_taken", f"the id {job_id} belongs to another job; ask again with a new UUIDv7"
    )


def _refusal(refused: NotAdmitted) -> ProblemError:
    return ProblemError(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        refused.code,
        refused.message,
        [FieldProblem(field=refused.field, message=refused.message)],
    )
