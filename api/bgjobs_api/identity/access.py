"""What a caller may do: Kubernetes' own rules, asked by SubjectAccessReview. No answer means no."""

from __future__ import annotations

import asyncio
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import structlog

from bgjobs_core.kube.errors import KubeError
from bgjobs_core.kube.objects import part
from bgjobs_core.resources.models import GROUP, QUEUES, REQUESTS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from bgjobs_api.clock import Moment
    from bgjobs_api.identity.service_accounts import Identity
    from bgjobs_core.kube.door import Kube
    from bgjobs_core.kube.objects import Object

log: Any = structlog.get_logger(__name__)

ALLOW_SECONDS: Final = 10.0
DENY_SECONDS: Final = 2.0
MAX_CACHED: Final = 10_000
_MAX_TOLD: Final = 8
_ACCOUNT: Final = "system:serviceaccount:"
EVERYWHERE: Final = ""  # the namespace of a question about all of them


@dataclass(frozen=True)
class Action:
    """Something that RBAC allows or not."""

    verb: str
    resource: str = REQUESTS
    subresource: str = ""

    @property
    def target(self) -> str:
        """As in a Role: `backgroundjobrequests/cancel`."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


ENQUEUE: Final = Action("create")
GET: Final = Action("get")
LIST: Final = Action("list")
CANCEL: Final = Action("create", subresource="cancel")
READ_LOG: Final = Action("get", subresource="log")
READ_RESULT: Final = Action("get", subresource="result")
LIST_QUEUES: Final = Action("list", QUEUES)


class AccessUnavailableError(Exception):
    """Kubernetes did not say whether it is allowed."""


def review(caller: Identity, action: Action, namespace: str) -> Object:
    """The SubjectAccessReview to POST."""
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


def allows(answer: Object) -> bool:
    """What the API server says to a review."""
    status = part(answer, "status")
    return status.get("allowed") is True and status.get("denied") is not True


def role(action: Action) -> str:
    """The chart's role that is enough for this; see charts/bgjobs/templates/people/roles.yaml."""
    if action.verb in {"get", "list"}:
        return "viewer"
    return "operator" if action.resource == QUEUES else "submitter"


def binding(caller: Identity, action: Action, namespace: str, roles: str) -> str:
    """The command by which an administrator allows it.

    Args:
        caller: who is to be allowed.
        action: what.
        namespace: where.
        roles: how the names of the chart's ClusterRoles begin.
    """
    wanted = f"{roles}-{role(action)}"
    account = caller.user.removeprefix(_ACCOUNT)
    subject = ("--user", caller.user) if account == caller.user else ("--serviceaccount", account)
    # What a path cannot hold, a RoleBinding cannot be called.
    name = re.sub(r"[/%]", "-", f"{wanted}:{account}")
    words = ("kubectl", "create", "rolebinding", name, "--clusterrole", wanted, *subject, "--namespace", namespace)
    return shlex.join(words)


def refusal(caller: Identity, action: Action, namespace: str, roles: str) -> str:
    """What to tell one who may not, and what to show to an administrator. Arguments: as `binding`."""
    where = f"in namespace {namespace!r}"
    return f"{caller.user} cannot {action.verb} {action.target} of {GROUP} {where}; " + _cure(
        caller, action, namespace, roles
    )


def refusal_everywhere(caller: Identity, action: Action, namespaces: Sequence[str], roles: str) -> str:
    """To tell one who may do it in none of several namespaces."""
    where = f"in any of the {len(namespaces)} namespaces of jobs" if len(namespaces) > 1 else "in the namespace of jobs"
    return (
        f"there is nothing here for {caller.user} yet: it cannot {action.verb} {action.target} of {GROUP} {where}; "
        + _cure(caller, action, namespaces[0], roles)
    )


def _cure(caller: Identity, action: Action, namespace: str, roles: str) -> str:
    flags = f" --subresource={action.subresource}" if action.subresource else ""
    flags += f" --namespace {namespace} --as {shlex.quote(caller.user)}"
    # kubectl adds those of Kubernetes itself; hundreds of them would say nothing to anybody.
    groups = [one for one in caller.groups if not one.startswith("system:")]
    flags += "".join(f" --as-group {shlex.quote(one)}" for one in groups[:_MAX_TOLD])
    return (
        f"ask an administrator for `{binding(caller, action, namespace, roles)}` or the like, "
        f"and check it with `kubectl auth can-i {action.verb} {action.resource}.{GROUP}{flags}`"
    )


async def ask_kube(kube: Kube, question: Object) -> bool:
    """Ask the API server. Raises KubeError."""
    return allows(await kube.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", question))


_Question = tuple["Identity", Action, str]


class ReviewedAccess:
    """Asks, and remembers the answer for some seconds; the same question is asked once at a time.

    Args:
        ask: POSTs a review; raises KubeError.
    """

    def __init__(self, ask: Callable[[Object], Awaitable[bool]]) -> None:
        self._ask = ask
        self._decided: dict[_Question, tuple[bool, float]] = {}
        self._asking: dict[_Question, asyncio.Task[bool]] = {}

    async def allowed(self, caller: Identity, action: Action, namespace: str, now: Moment) -> bool:
        """Whether the caller may do this in a namespace (or EVERYWHERE).

        Raises:
            AccessUnavailableError: without an answer, which nobody may take for a yes.
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
            answer = await self._ask(review(*question))
        except KubeError as error:
            log.warning("access review failed", error=str(error))
            raise AccessUnavailableError(str(error)) from error
        while len(self._decided) >= MAX_CACHED:
            del self._decided[next(iter(self._decided))]
        # From when it was asked, not from when the answer came.
        self._decided[question] = (answer, now.monotonic + (ALLOW_SECONDS if answer else DENY_SECONDS))
        return answer

    def _forget(self, question: _Question, task: asyncio.Task[bool]) -> None:
        del self._asking[question]
        if not task.cancelled():
            task.exception()  # nobody may be left to hear it
