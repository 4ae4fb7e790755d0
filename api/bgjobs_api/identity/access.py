"""What a caller may do. Kubernetes decides that by its own rules, and is asked with a SubjectAccessReview.

As long as Kubernetes does not answer, nothing is allowed.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import structlog

from bgjobs_api.turns import Turns
from bgjobs_core.kube.errors import KubeError
from bgjobs_core.kube.objects import part
from bgjobs_core.resources.models import GROUP, QUEUES, REQUESTS, SCHEDULES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bgjobs_api.clock import Moment
    from bgjobs_api.identity.caller import Identity
    from bgjobs_core.kube.door import Kube
    from bgjobs_core.kube.objects import Object

log: Any = structlog.get_logger(__name__)

# For how long an answer of Kubernetes is used again.
ALLOW_SECONDS: Final = 10.0
DENY_SECONDS: Final = 2.0
MAX_CACHED: Final = 10_000
MOST_AT_ONCE: Final = 16  # questions about one caller; whoever asks more waits, and nobody else does
EVERYWHERE: Final = ""  # in place of a namespace: in all namespaces at once


@dataclass(frozen=True)
class Action:
    """Something that a caller wants to do, in the terms of RBAC.

    Attributes:
        verb: the verb of a Role, for example `create`.
        resource: the plural of the resource's name.
        subresource: the name of the subresource, for example `cancel`; "" for the resource itself.
    """

    verb: str
    resource: str = REQUESTS
    subresource: str = ""

    @property
    def target(self) -> str:
        """Resource and subresource as a Role names them, for example `backgroundjobrequests/cancel`."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


ENQUEUE: Final = Action("create")
GET: Final = Action("get")
LIST: Final = Action("list")
CANCEL: Final = Action("create", subresource="cancel")
PAUSE: Final = Action("create", subresource="pause")  # also to resume, hasten and change the priority
READ_LOG: Final = Action("get", subresource="log")
READ_RESULT: Final = Action("get", subresource="result")
SEE_STACK: Final = Action("get", subresource="stack")  # also to ask for it
LIST_QUEUES: Final = Action("list", QUEUES)
PAUSE_QUEUE: Final = Action("update", QUEUES, "pause")  # also to resume it
LIST_SCHEDULES: Final = Action("list", SCHEDULES)
PATCH_SCHEDULE: Final = Action("patch", SCHEDULES)


class AccessUnavailableError(Exception):
    """Kubernetes did not say whether something is allowed, so it must be treated as not allowed."""


def review(caller: Identity, action: Action, namespace: str) -> Object:
    """The SubjectAccessReview to POST: may this caller do this in this namespace (or EVERYWHERE)?"""
    attributes = {"group": GROUP, "resource": action.resource, "verb": action.verb}
    if action.subresource:
        attributes["subresource"] = action.subresource
    if namespace:
        attributes["namespace"] = namespace
    return {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": caller.user, "groups": list(caller.groups), "resourceAttributes": attributes},
    }


def allowed_by(answer: Object) -> bool:
    """Whether the API server's answer to a review says clearly that it is allowed."""
    status = part(answer, "status")
    return status.get("allowed") is True and status.get("denied") is not True


async def ask_kube(kube: Kube, question: Object) -> bool:
    """POST a review to the API server, and tell whether it is allowed.

    Raises:
        KubeError: if the API server does not answer, or answers with an error.
    """
    return allowed_by(await kube.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", question))


_Question = tuple["Identity", Action, str]


class ReviewedAccess:
    """Asks Kubernetes what a caller may do, and remembers each answer for some seconds.

    Callers that want to know the same at the same time share one question, and no caller has more than a few questions
    asked at once. Implements `http.deps.Access`.

    Args:
        ask: POSTs a review, and tells whether it is allowed; raises KubeError.
    """

    def __init__(self, ask: Callable[[Object], Awaitable[bool]]) -> None:
        self._ask = ask
        self._decided: dict[_Question, tuple[bool, float]] = {}
        self._asking: dict[_Question, asyncio.Task[bool]] = {}
        self._turns: Turns[Identity] = Turns(MOST_AT_ONCE)

    async def allowed(self, caller: Identity, action: Action, namespace: str, now: Moment) -> bool:
        """Whether the caller may do this in a namespace (or EVERYWHERE).

        Raises:
            AccessUnavailableError: if Kubernetes does not say; nobody may take that for a yes.
        """
        question = (caller, action, namespace)
        if known := self._decided.get(question):
            if now.monotonic < known[1]:
                return known[0]
            del self._decided[question]
        task = self._asking.get(question)
        if task is None:
            task = asyncio.create_task(self._decide(question, now))
            self._asking[question] = task
            task.add_done_callback(lambda done: self._forget(question, done))
        # Shielded: the one who asked first may go away while others wait for the same answer.
        return await asyncio.shield(task)

    async def _decide(self, question: _Question, now: Moment) -> bool:
        try:
            async with self._turns.of(question[0]):
                answer = await self._ask(review(*question))
        except KubeError as error:
            log.warning("access review failed", error=str(error))
            raise AccessUnavailableError(str(error)) from error
        while len(self._decided) >= MAX_CACHED:
            del self._decided[next(iter(self._decided))]
        # It holds from when it was asked, and not from when the answer came.
        self._decided[question] = (answer, now.monotonic + (ALLOW_SECONDS if answer else DENY_SECONDS))
        return answer

    def _forget(self, question: _Question, task: asyncio.Task[bool]) -> None:
        del self._asking[question]
        if not task.cancelled():
            # Whoever asked may be gone; asyncio would complain of an error that nobody has looked at.
            task.exception()
