"""What the pods of a queue may not have unless the installation allows it: decided here alone.

By default a queue may ask for what the Pod Security Standard "restricted" lets a pod have, and for nothing more: a
queue belongs to a team, and the node and the other teams' pods do not. Each refusal has a word by which the
installation allows it (`jobs.allowedPodFeatures` in the values of the chart). Privileged containers, the network,
processes and ports of the node, and added capabilities have no field in a queue at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from bgjobs_core.resources.models import QueueSpec

# Kinds of volumes that "restricted" allows; any other one reaches the node, or a server by the kubelet's rights.
_VOLUMES: Final = frozenset(
    {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
)
# Fields of a container or a pod that people write into `securityContext`, where Kubernetes would drop them.
_NOT_THERE: Final = frozenset(
    {"privileged", "capabilities", "allowPrivilegeEscalation", "procMount", "hostNetwork", "hostPID", "hostIPC",
     "hostPorts", "hostUsers"}
)  # fmt: skip
_UNCONFINED: Final = "Unconfined"
_APPARMOR: Final = "container.apparmor.security.beta.kubernetes.io/"
RUN_AS_ROOT: Final = "runAsRoot"
SECCOMP: Final = "seccompUnconfined"
APPARMOR: Final = "appArmorUnconfined"
SELINUX: Final = "seLinuxOptions"
SYSCTLS: Final = "sysctls"
HOST_PROCESS: Final = "hostProcess"
SYSTEM_PRIORITY: Final = "systemPriority"


@dataclass(frozen=True)
class Objection:
    """Something that the pods of a queue may not have here.

    Attributes:
        field: where it stands in the queue's object.
        feature: the word that allows it; "" if nothing does.
    """

    field: str
    feature: str

    @property
    def words(self) -> str:
        """For the queue's condition, its jobs, and who asks for one: what it is, and who can allow it."""
        if not self.feature:
            return f"{self.field} cannot be set for a queue; remove it"
        return (
            f"{self.field} is not allowed here; remove it, or have an administrator of bgjobs allow it by "
            f"jobs.allowedPodFeatures: [{self.feature}] in the values of the chart"
        )


def objection(spec: QueueSpec, allowed: Collection[str] = ()) -> Objection | None:
    """The first thing that the pods of a queue may not have; None if all is well.

    Args:
        spec: the queue's settings.
        allowed: words of what the installation allows.
    """
    return next((one for one in _all(spec) if not one.feature or one.feature not in allowed), None)


def _all(spec: QueueSpec) -> Iterator[Objection]:
    for number, volume in enumerate(spec.pod.volumes):
        for kind in sorted(volume.keys() - {"name"}):
            if kind not in _VOLUMES:
                yield Objection(f"spec.pod.volumes[{number}].{kind}", kind)
    for name, value in spec.pod.annotations.items():
        if name.startswith(_APPARMOR) and value == "unconfined":
            yield Objection(f"spec.pod.annotations[{name}]", APPARMOR)
    for field, feature in _of_security(spec.pod.security_context):
        yield Objection(f"spec.pod.securityContext.{field}", feature)
    for field, name in (("low", spec.priority_classes.low), ("high", spec.priority_classes.high)):
        if name.startswith("system-"):
            yield Objection(f"spec.priorityClasses.{field}", SYSTEM_PRIORITY)


def _of_security(context: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Fields of a pod's security context, each with the word that allows it. What is absent is restricted."""
    for field in sorted(_NOT_THERE & context.keys()):
        yield field, ""
    if "runAsUser" in context and context["runAsUser"] == 0:
        yield "runAsUser", RUN_AS_ROOT
    if "runAsNonRoot" in context and context["runAsNonRoot"] is not True:
        yield "runAsNonRoot", RUN_AS_ROOT
    # Without a profile it is the node's to say whether there is one.
    if "seccompProfile" in context and _kind_of(context["seccompProfile"]) in {"", _UNCONFINED}:
        yield "seccompProfile", SECCOMP
    if _kind_of(context.get("appArmorProfile")) == _UNCONFINED:
        yield "appArmorProfile", APPARMOR
    if context.get("seLinuxOptions"):
        yield "seLinuxOptions", SELINUX
    if context.get("sysctls"):
        yield "sysctls", SYSCTLS
    if context.get("windowsOptions"):
        yield "windowsOptions", HOST_PROCESS


def _kind_of(profile: object) -> str:
    return str(cast("dict[str, Any]", profile).get("type") or "") if isinstance(profile, dict) else ""
