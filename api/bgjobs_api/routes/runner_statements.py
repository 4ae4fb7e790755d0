"""What a runner says, judged: whether this pod may speak for the job, and what of its words is kept."""

from __future__ import annotations

import binascii
import math
from base64 import b64decode
from typing import TYPE_CHECKING, Final

from bgjobs import strict_json
from bgjobs.protocol import MAX_CHECKPOINT_BYTES, MAX_ERROR_BYTES, MAX_STACK_BYTES
from bgjobs.vocabulary import Outcome
from bgjobs.wire import Failure
from bgjobs_api.http.problems import invalid
from bgjobs_core.jobs import logs
from bgjobs_core.jobs.record import kube_job_name

if TYPE_CHECKING:
    from bgjobs.runner_wire import BeatRequest, FinishRequest, LogChunk, RunnerIdentity, StackRequest
    from bgjobs.wire import Progress
    from bgjobs_api.identity.caller import Identity
    from bgjobs_core.jobs.record import JobRecord

MAX_MESSAGE_CHARACTERS: Final = 500  # of progress
_MOST_DONE: Final = 1e15  # of progress
_TYPE_CHARACTERS: Final = 200
_MESSAGE_CHARACTERS: Final = 8000
_CUT: Final = "... (cut) ...\n"
# zlib adds less than this to what it cannot compress, and a thousandth.
_OVERHEAD_BYTES: Final = 64
# Lua counts in doubles.
_MAX_OFFSET: Final = 2**53


def objection(caller: Identity, job_id: str, record: JobRecord | None) -> str | None:
    """Why this caller may not speak for a pod of this job, by its token alone; None if it may.

    A record that is gone is no objection: the pod is told to go away like any other.
    """
    if caller.pod_uid is None or caller.pod_name is None:
        return "the token is not bound to a pod; a runner uses the one that is projected into its pod"
    if record is not None and caller.namespace != record.namespace:
        return f"the token is of namespace {caller.namespace!r}, and the job is of another one"
    if not caller.pod_name.startswith(f"{kube_job_name(job_id)}-"):
        return f"pod {caller.pod_name!r} does not belong to this job"
    return None


def other_pod(caller: Identity, said: RunnerIdentity) -> str | None:
    """Why this is not said by the pod that it names; None if it is."""
    if caller.pod_uid != said.pod_uid or caller.pod_name != said.pod_name:
        return f"the token is bound to pod {caller.pod_name!r}, and the request names another one"
    return None


def chunk_of(chunk: LogChunk | None) -> tuple[int, int, bytes] | None:
    """Place, length and compressed bytes of a piece of log.

    Raises:
        ProblemError: 422 if it is not one.
    """
    if chunk is None:
        return None
    try:
        data = b64decode(chunk.data, validate=True)
        length = len(logs.unpack(data))
    except binascii.Error as error:
        raise invalid("chunk.data", f"is not base64: {error}") from error
    except logs.BadChunkError as error:
        raise invalid("chunk.data", str(error)) from error
    if len(data) > length + length // 1000 + _OVERHEAD_BYTES:
        raise invalid("chunk.data", "takes more room than what it holds")
    if chunk.offset + length > _MAX_OFFSET:
        raise invalid("chunk.offset", "is beyond any log")
    return chunk.offset, length, data


def progress_of(progress: Progress | None) -> str:
    """The progress that a runner reports, as JSON to be stored, its message cut to the allowed length; "" for none."""
    if progress is None:
        return ""
    message = None if progress.message is None else progress.message[:MAX_MESSAGE_CHARACTERS]
    total = None if progress.total is None else _bounded(progress.total)
    said = {"done": _bounded(progress.done), "total": total, "message": message}
    return progress.model_copy(update=said).model_dump_json(exclude_none=True)


def checkpoint_of(said: BeatRequest | FinishRequest) -> str:
    """As it is stored; "" if nothing is said of it, and `null` if it is to be forgotten.

    Raises:
        ProblemError: 422 if it takes more than 64 KiB.
    """
    if "checkpoint" not in said.model_fields_set:
        return ""
    try:
        return strict_json.dumps(said.checkpoint, "checkpoint", MAX_CHECKPOINT_BYTES)
    except strict_json.NotJSONError as error:
        raise invalid("checkpoint", str(error)) from error


def stack_of(said: StackRequest) -> str:
    """As it is stored: at most 64 KiB of text, which is job code's and not HTML."""
    return said.text.encode("utf-8", "replace")[:MAX_STACK_BYTES].decode("utf-8", "ignore")


def _bounded(number: float) -> float:
    """A number that can be shown and reckoned with, whatever a runner has sent."""
    return max(-_MOST_DONE, min(_MOST_DONE, number)) if math.isfinite(number) else 0.0


def error_of(said: FinishRequest) -> str:
    """As it is stored: at most 64 KiB. A long traceback keeps its end, where the error was raised."""
    if said.error is None:
        return ""
    error = Failure(
        type=said.error.type[:_TYPE_CHARACTERS],
        message=said.error.message[:_MESSAGE_CHARACTERS],
        traceback=said.error.traceback,
    )
    text = error.model_dump_json()
    while (excess := len(text.encode()) - MAX_ERROR_BYTES) > 0:
        # Of control characters one byte takes six in JSON, so one step may not be enough, or take too much.
        kept = (error.traceback or "").removeprefix(_CUT)
        kept = kept[max(1, excess // 6) + len(_CUT) :]
        error = error.model_copy(update={"traceback": _CUT + kept if kept else None})
        text = error.model_dump_json()
    return text


def result_of(said: FinishRequest) -> str:
    """As it is stored; "" without one.

    Raises:
        ProblemError: 422 if it takes more than 256 KiB.
    """
    if not said.has_result or said.outcome != Outcome.SUCCEEDED:
        return ""
    try:
        return strict_json.dumps(said.result, "result")
    except strict_json.NotJSONError as error:
        raise invalid("result", str(error)) from error
