"""Which permissions a process of bgjobs needs in Kubernetes, which of them it lacks, and what helps then.

The API and the operator each have a table of what they need (`bgjobs_operator.health.permissions`,
`bgjobs_api.health.surroundings`), and tests compare the tables with the Roles of the chart. The cluster is asked by
SelfSubjectAccessReview, which everybody may do.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bgjobs_core.health.findings import Finding
from bgjobs_core.kube.errors import KubeError
from bgjobs_core.kube.objects import part

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from bgjobs_core.health.findings import FindingCode
    from bgjobs_core.kube.objects import Object

    Post = Callable[[str, Object], Awaitable[Object]]

_REVIEWS: Final = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_ME: Final = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
_ACCOUNT: Final = "system:serviceaccount:"
_AT_ONCE: Final = 4
_TOLD: Final = 3


@dataclass(frozen=True)
class Permission:
    """The permission to use one verb on one kind of object.

    Attributes:
        verb: the verb of a Role, for example `create`.
        group: the API group of the resource; "" for the core group.
        resource: the plural of the resource's name, with its subresource if there is one: `jobs/status`.
        namespace: the namespace where it is needed; "" for the whole cluster.
        name: the name of the only object that is meant; "" for all of them.
        role: the Role of the chart that grants it, by the part of its name after that of the ServiceAccount.
    """

    verb: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""
    role: str = ""

    @property
    def words(self) -> str:
        """The permission in words for people, for example `create jobs.batch`."""
        plural, slash, sub = self.resource.partition("/")
        full = f"{plural}.{self.group}" if self.group else plural
        return f"{self.verb} {full}{slash}{sub}{f' {self.name}' if self.name else ''}"


def review(wanted: Permission) -> Object:
    """The SelfSubjectAccessReview to POST, which asks whether we have this permission."""
    plural, _, sub = wanted.resource.partition("/")
    attributes = {
        "verb": wanted.verb,
        "group": wanted.group,
        "resource": plural,
        "subresource": sub,
        "namespace": wanted.namespace,
        "name": wanted.name,
    }
    return {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {key: value for key, value in attributes.items() if value}},
    }


async def ask_missing(post: Post, needed: Sequence[Permission]) -> tuple[Permission, ...]:
    """Ask Kubernetes for each of these permissions, and return those that we lack, in their order.

    Args:
        post: POSTs an object to a path; raises KubeError.
        needed: the permissions to ask for.

    Raises:
        KubeError: if one of the questions got no answer.
    """
    slots, troubles = asyncio.Semaphore(_AT_ONCE), list[KubeError]()

    async def allowed(one: Permission) -> bool:
        async with slots:
            if troubles:  # if nobody answers, each question would wait for its own timeout
                return False
            try:
                return part(await post(_REVIEWS, review(one)), "status").get("allowed") is True
            except KubeError as error:
                troubles.append(error)
                return False

    answers = await asyncio.gather(*(allowed(one) for one in needed))
    if troubles:
        raise troubles[0]
    return tuple(one for one, yes in zip(needed, answers, strict=True) if not yes)


async def ask_who_we_are(post: Post) -> str:
    """Ask Kubernetes for our own name there, for example `system:serviceaccount:bgjobs:bgjobs-api`.

    Raises:
        KubeError: if there is no answer.
    """
    answer = await post(_ME, {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"})
    return str(part(answer, "status", "userInfo").get("username") or "")


def findings(
    code: FindingCode, who: str, missing: Iterable[Permission], needed: Sequence[Permission], account: str
) -> list[Finding]:
    """One finding for each Role that does not grant everything it should.

    If none of its permissions is there, its binding is gone, and a command of kubectl makes it again. If some are
    there, the Role is that of another version, and upgrading the chart brings the right one.

    Args:
        code: the code of the findings.
        who: whose permissions these are, for the sentence: `the operator`.
        missing: the permissions that are missing.
        needed: all permissions that are needed.
        account: our own name in Kubernetes; "" if it is not known.
    """
    by_role: dict[tuple[str, str], list[Permission]] = {}
    for one in missing:
        by_role.setdefault((one.namespace, one.role), []).append(one)
    found: list[Finding] = []
    for (namespace, role), some in by_role.items():
        where = f"in namespace {namespace}" if namespace else "in the cluster"
        listed = ", ".join(one.words for one in some[:_TOLD])
        if len(some) > _TOLD:
            listed += f" and {len(some) - _TOLD} more"
        if len(some) == sum((one.namespace, one.role) == (namespace, role) for one in needed):
            detail = f"{who} has none of its permissions {where}: {listed}"
            remedy = _bind(namespace, role, account)
        else:
            detail = f"{who} lacks permissions {where}: {listed}"
            remedy = _upgrade(account)
        found.append(Finding(code, detail, remedy))
    return found


def _account(account: str) -> tuple[str, str] | None:
    """Namespace and name of a ServiceAccount."""
    namespace, _, name = account.removeprefix(_ACCOUNT).partition(":")
    return (namespace, name) if account.startswith(_ACCOUNT) and namespace and name else None


def _bind(namespace: str, role: str, account: str) -> str:
    known = _account(account)
    if known is None:
        return f"bind {account or 'its user'} to its Role of the chart (templates/*/rbac.yaml)"
    subject = f"--serviceaccount={known[0]}:{known[1]}"
    name = f"{known[1]}{role}"
    if namespace:
        return f"kubectl create rolebinding {name} -n {namespace} --role={name} {subject}"
    return f"kubectl create clusterrolebinding {name} --clusterrole={name} {subject}"


def _upgrade(account: str) -> str:
    known = _account(account)
    if known is None:
        return f"give {account or 'its user'} the Role of the chart (templates/*/rbac.yaml)"
    release = known[1].rpartition("-")[0]  # where the release's name has `bgjobs` in it, else that is put behind
    return f"helm upgrade {release} charts/bgjobs -n {known[0]} -f VALUES.yaml"
