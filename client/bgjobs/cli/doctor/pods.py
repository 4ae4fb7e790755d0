"""Finds out from kubectl's JSON which pods of the installation itself do not run as they should."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_COMPONENT: Final = "app.kubernetes.io/component"
_RESOURCES: Final = {"Deployment": "deployment", "StatefulSet": "statefulset"}
# It stands in front of the dashboard, and jobs run without it.
_FOR_PEOPLE: Final = "oauth2-proxy"
# The reasons with which a container waits that was only just created.
_STARTING: Final = frozenset({"ContainerCreating", "PodInitializing"})


@dataclass(frozen=True)
class Trouble:
    """One workload, or one pod, that does not run as it should.

    Attributes:
        down: whether no pod of its component is ready, and jobs need that component.
        what: what is wrong, as half a sentence.
        remedy: a command of kubectl that repairs it, or shows more about it.
    """

    down: bool
    what: str
    remedy: str


@dataclass(frozen=True)
class Pods:
    """The pods of an installation.

    Attributes:
        ready: how many pods of each component are ready.
        troubles: what does not run as it should, in the order in which kubectl has listed it.
    """

    ready: Mapping[str, int]
    troubles: tuple[Trouble, ...]


def read(items: Sequence[Mapping[str, Any]]) -> Pods:
    """Read the items that `kubectl get deployments,statefulsets,pods` has listed."""
    pods = [item for item in items if item.get("kind") == "Pod" and not _ends(item)]
    ready: dict[str, int] = {}
    troubles: list[Trouble] = []
    for item in items:
        resource = _RESOURCES.get(str(item.get("kind")))
        if resource is None:
            continue
        component = _component(item)
        mine = [pod for pod in pods if _component(pod) == component]
        ready[component] = sum(_is_ready(pod) for pod in mine)
        troubles += _of_workload(resource, item, mine, ready[component])
    return Pods(ready, tuple(troubles))


def _of_workload(
    resource: str, item: Mapping[str, Any], pods: Sequence[Mapping[str, Any]], ready: int
) -> list[Trouble]:
    namespace, name = _at(item, "metadata", "namespace"), _at(item, "metadata", "name")
    wanted = _at(item, "spec", "replicas", default=1)
    where = f"{resource} {name} -n {namespace}"
    down = ready == 0 and _component(item) != _FOR_PEOPLE
    if wanted == 0:
        return [Trouble(down, f"{resource} {name} is scaled to 0", f"kubectl scale {where} --replicas=1")]
    if ready >= wanted:
        return []
    found = [
        Trouble(down, f"pod {_at(pod, 'metadata', 'name')} is not ready: {why}", remedy)
        for pod in pods
        if not _is_ready(pod)
        for why, remedy in [_why(pod)]
    ]
    if not found:
        what = f"{resource} {name} has {len(pods)} of {wanted} pods"
        found.append(Trouble(down, what, f"kubectl describe {where}"))
    return found


def _why(pod: Mapping[str, Any]) -> tuple[str, str]:
    """Why a pod is not ready, and the command that shows more about it."""
    where = f"{_at(pod, 'metadata', 'name')} -n {_at(pod, 'metadata', 'namespace')}"
    describe = f"kubectl describe pod {where}"
    for status in cast("list[Mapping[str, Any]]", _at(pod, "status", "containerStatuses", default=[])):
        waiting = _at(status, "state", "waiting", default={})
        last = _at(status, "lastState", "terminated", default={}) or _at(status, "state", "terminated", default={})
        if last:
            code = f"{last.get('reason', 'Error')}, exit code {last.get('exitCode')}"
            words = f"{waiting['reason']} ({code})" if waiting.get("reason") else f"it ended ({code})"
            return words, f"kubectl logs {where} --previous"
        if waiting.get("reason") and waiting["reason"] not in _STARTING:
            message = waiting.get("message")
            return f"{waiting['reason']}: {message}" if message else waiting["reason"], describe
        if waiting:
            return "it is starting", describe
    for condition in cast("list[Mapping[str, Any]]", _at(pod, "status", "conditions", default=[])):
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return f"{condition.get('reason')}: {condition.get('message')}", describe
    return "its readiness probe fails", f"kubectl logs {where}"


def _is_ready(pod: Mapping[str, Any]) -> bool:
    conditions = cast("list[Mapping[str, Any]]", _at(pod, "status", "conditions", default=[]))
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)


def _ends(pod: Mapping[str, Any]) -> bool:
    """Whether a pod is being deleted, or has done its work, like the pod of a Helm hook."""
    return bool(_at(pod, "metadata", "deletionTimestamp")) or _at(pod, "status", "phase") == "Succeeded"


def _component(item: Mapping[str, Any]) -> str:
    return str(_at(item, "metadata", "labels", default={}).get(_COMPONENT, ""))


def _at(item: Mapping[str, Any], *path: str, default: Any = None) -> Any:
    """The value at this path of names; the default if a part of the path is missing."""
    found: Any = item
    for name in path:
        found = cast("Mapping[str, Any]", found).get(name) if isinstance(found, dict) else None
    return default if found is None else found
