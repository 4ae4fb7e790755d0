"""What a caller is told who is not allowed something: one value, and the only place that puts it into words.

The words are shown to the caller, who shows them to an administrator. So they say what is missing, how to check it, and
with which command it is allowed.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bgjobs_core.resources.models import GROUP, QUEUES

if TYPE_CHECKING:
    from bgjobs_api.identity.access import Action
    from bgjobs_api.identity.caller import Identity

_ACCOUNT: Final = "system:serviceaccount:"
# kubectl adds the groups of Kubernetes itself; more of the others than this would make the command unreadable.
_MAX_GROUPS: Final = 8


@dataclass(frozen=True)
class AccessRefusal:
    """Kubernetes does not allow a caller to do something.

    Attributes:
        caller: who asked.
        action: what the caller wanted to do.
        namespaces: where that is not allowed, one at least. The remedy allows it in the first one.
        roles: how the names of the chart's ClusterRoles begin, for example `bgjobs`.
        anywhere: whether the caller has named no namespace, and may do this in none of those that have jobs.
    """

    caller: Identity
    action: Action
    namespaces: tuple[str, ...]
    roles: str
    anywhere: bool = False

    @property
    def user(self) -> str:
        """The name of the caller in Kubernetes."""
        return self.caller.user

    @property
    def namespace(self) -> str:
        """The namespace that the remedy is for."""
        return self.namespaces[0]

    @property
    def role(self) -> str:
        """The ClusterRole of the chart that allows it; they are in charts/bgjobs/templates/people/roles.yaml."""
        if self.action.verb in {"get", "list"} and self.action.subresource != "stack":
            return f"{self.roles}-viewer"
        return f"{self.roles}-operator" if self.action.resource == QUEUES else f"{self.roles}-submitter"

    @property
    def detail(self) -> str:
        """The sentence that says what is not allowed, and how an administrator checks that with kubectl."""
        what = f"cannot {self.action.verb} {self.action.target} of {GROUP}"
        if not self.anywhere:
            said = f"{self.user} {what} in namespace {self.namespace!r}"
        elif len(self.namespaces) == 1:
            said = f"there is nothing here for {self.user} yet: it {what} in the namespace of jobs"
        else:
            where = f"in any of the {len(self.namespaces)} namespaces of jobs"
            said = f"there is nothing here for {self.user} yet: it {what} {where}"
        return f"{said}; check it with `{self.check}`"

    @property
    def check(self) -> str:
        """The command by which an administrator asks Kubernetes whether the caller is allowed to do it."""
        flags = f" --subresource={self.action.subresource}" if self.action.subresource else ""
        flags += f" --namespace {self.namespace} --as {shlex.quote(self.user)}"
        groups = [one for one in self.caller.groups if not one.startswith("system:")]
        flags += "".join(f" --as-group {shlex.quote(one)}" for one in groups[:_MAX_GROUPS])
        return f"kubectl auth can-i {self.action.verb} {self.action.resource}.{GROUP}{flags}"

    @property
    def remedy(self) -> str:
        """The command by which an administrator allows it."""
        account = self.user.removeprefix(_ACCOUNT)
        subject = ("--user", self.user) if account == self.user else ("--serviceaccount", account)
        # A RoleBinding cannot have a name with characters that no path can hold.
        name = re.sub(r"[/%]", "-", f"{self.role}:{account}")
        return shlex.join((
            "kubectl", "create", "rolebinding", name, "--clusterrole", self.role, *subject,
            "--namespace", self.namespace,
        ))  # fmt: skip
