"""What an answer of the API means to a runner: the gate's word, or no decision yet. Pure.

Between a pod and the store stand things that know nothing of the job: a proxy, a Service without endpoints, a replica
of the API whose clock is wrong or that is of another version. Another try, by another connection, may get past them. So
only a reply of ours with one of the actions of its verb decides anything, and a refusal that follows from the job's
record alone (`foreign_pod`). All else is "not now", for as long as the runner has patience.
"""

from __future__ import annotations

import json

from bgjobs.errors import RefusedError, UnreachableError
from bgjobs.light_typing import TYPE_CHECKING, cast
from bgjobs.protocol import CONTINUE, DONE, FOREIGN_POD, GO_AWAY, JOBS, RECORDED, RESULT, RUN, STOP, WAIT

if TYPE_CHECKING:
    from typing import Any, Final

ACTIONS: Final = {
    "start": frozenset({RUN, DONE, WAIT, GO_AWAY}),
    "beat": frozenset({CONTINUE, STOP, GO_AWAY}),
    "finish": frozenset({RECORDED, GO_AWAY}),
    "stack": frozenset({RECORDED, GO_AWAY}),
    "parent": frozenset({RESULT, GO_AWAY}),
    "parent-batch": frozenset({JOBS, GO_AWAY}),
}
_SUCCESS: Final = range(200, 300)
_CLIENT_ERROR: Final = range(400, 500)
# Of these 4xx another replica of the API, or the same one in a moment, may think differently. 401 is what a replica
# whose clock is wrong answers to a good token.
_PASSING: Final = frozenset({401, 408, 425, 429})


def read_reply(verb: str, status: int, answer: bytes) -> dict[str, Any]:
    """The reply that an answer brings.

    Args:
        verb: what was asked: `start`, `beat`, `finish`, `stack`, `parent` or `parent-batch`.
        status: the HTTP status.
        answer: the body.

    Raises:
        UnreachableError: if it decides nothing; the same call may succeed in a moment.
        RefusedError: if a server of ours refuses the request. `is_final` tells whether every server of ours would.
    """
    said = _object(answer)
    if status in _SUCCESS:
        action = said.get("action")
        if action in ACTIONS[verb]:
            return said
        if isinstance(action, str):
            raise UnreachableError(
                f"the API says {action!r} to {verb}, which this runner does not know; is the image older than the "
                "server?"
            )
        raise UnreachableError(
            f"the answer to {verb} is not one of the bgjobs API; another program may listen at its address"
        )
    detail, code = said.get("detail"), said.get("code")
    words = f"{status}: {detail}" if detail else f"{status}"
    is_ours = isinstance(code, str) and said.get("status") == status
    if is_ours and status in _CLIENT_ERROR and status not in _PASSING:
        raise RefusedError(f"{verb} was refused with {words}", status, code=str(code))
    raise UnreachableError(f"the answer to {verb} is {words}")


def is_final(refusal: RefusedError) -> bool:
    """Whether each replica of the API would refuse it, now and later, because of what the job's record says."""
    return refusal.code == FOREIGN_POD


def _object(answer: bytes) -> dict[str, Any]:
    try:
        value: object = json.loads(answer)
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
