"""The launcher on a cluster: KubeJobs through the Kubernetes API.

Every delete names the UID and a propagation: a raw delete of a batch/v1 Job would orphan its pods, and
their code would go on running.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import aclosing
from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec

from bgjobs_core.kube.errors import KubeRefusedError, KubeUnreachableError
from bgjobs_core.kube.objects import Object, part, parts
from bgjobs_operator.cluster.kubejob import CONTAINER, CONTROLLER_UID, LABEL_INSTALL, LABEL_JOB, manifest
from bgjobs_operator.cluster.refusals import classify
from bgjobs_operator.cluster.watch import Absent, ListWatch, Metadata, Present
from bgjobs_operator.interfaces.launcher import (
    Glance,
    Gone,
    KubeJobView,
    LauncherUnreachableError,
    LaunchRefusedError,
    Listed,
    PodView,
    Refusal,
    Seen,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable

    from bgjobs_core.jobs.queue import QueueRecord
    from bgjobs_core.jobs.record import JobRecord
    from bgjobs_core.kube.door import Kube

_NOT_FOUND: Final = 404
_CONFLICT: Final = 409
_DEADLINE: Final = "DeadlineExceeded"
_PAGE: Final = "500"


class _Condition(msgspec.Struct):
    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""


class _Status(msgspec.Struct):
    failed: int = 0
    conditions: list[_Condition] = []


class _KubeJob(msgspec.Struct):
    metadata: Metadata
    status: _Status = msgspec.field(default_factory=_Status)


class _Made(msgspec.Struct):
    uid: str


class _Created(msgspec.Struct):
    metadata: _Made


_decoder: Final = msgspec.json.Decoder(_KubeJob)
_created: Final = msgspec.json.Decoder(_Created)


def view_of(raw: bytes) -> KubeJobView:
    """What is read of a KubeJob's JSON."""
    return _view(_decoder.decode(raw))


def _view(found: _KubeJob) -> KubeJobView:
    true = {condition.type: condition for condition in found.status.conditions if condition.status == "True"}
    failed = true.get("Failed")
    return KubeJobView(
        namespace=found.metadata.namespace,
        name=found.metadata.name,
        uid=found.metadata.uid,
        job_id=found.metadata.labels.get(LABEL_JOB, ""),
        failed=found.status.failed,
        complete="Complete" in true,
        failure=(failed.reason or "Failed") if failed else "",
        message=failed.message if failed else "",
        deleting=found.metadata.deletion_timestamp is not None,
    )


def pod_view(pod: Object) -> PodView:
    """What is read of a pod."""
    status = part(pod, "status")
    conditions = {str(one["type"]): one for one in parts(status, "conditions")}
    containers = [one for one in parts(status, "containerStatuses") if one.get("name") == CONTAINER]
    terminated = part(containers[0], "state", "terminated") if containers else {}
    waiting = part(containers[0], "state", "waiting") if containers else {}
    scheduled = part(conditions, "PodScheduled")
    if not waiting.get("reason") and scheduled.get("status") == "False":
        waiting = scheduled
    return PodView(
        name=pod["metadata"]["name"],
        uid=pod["metadata"]["uid"],
        ended=status.get("phase") in {"Succeeded", "Failed"},
        created_at=_ms(pod["metadata"].get("creationTimestamp")),
        disrupted=part(conditions, "DisruptionTarget").get("status") == "True",
        exit_code=terminated.get("exitCode"),
        # The kubelet says of the pod, not of its container, that its deadline has passed; the container just ended.
        terminated_reason=status["reason"] if status.get("reason") == _DEADLINE else terminated.get("reason") or "",
        termination_message=terminated.get("message") or "",
        waiting_reason=waiting.get("reason") or "",
        waiting_message=waiting.get("message") or "",
    )


def _ms(timestamp: str | None) -> int | None:
    return round(datetime.fromisoformat(timestamp).timestamp() * 1000) if timestamp else None


def latest_complaint(events: list[Object]) -> str:
    """The words of the newest event; "" if there is none."""
    if not events:
        return ""
    newest = max(events, key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime") or ""))
    return f"{newest.get('reason', '')}: {newest.get('message', '')}"


class KubeLauncher:
    """Implements `launcher.Launcher`.

    Args:
        kube: the connection.
        install: id of this installation; KubeJobs of others are not seen.
        api_url: where runners find the API.
        tell: hears why a namespace cannot be watched, and "" when it can again.
    """

    def __init__(
        self, kube: Kube, install: str, api_url: str, tell: Callable[[str, str], None] = lambda _, __: None
    ) -> None:
        self._kube = kube
        self._install = install
        self._api_url = api_url
        self._tell = tell

    async def create(self, job: JobRecord, queue: QueueRecord) -> str:
        """See `Launcher.create`."""
        body = manifest(job, queue, self._install, self._api_url)
        try:
            created = await self._kube.read("POST", _jobs(job.namespace), _created, body)
        except KubeUnreachableError as error:
            raise LauncherUnreachableError(str(error)) from error
        except KubeRefusedError as error:
            if error.status != _CONFLICT or error.reason != "AlreadyExists":
                raise LaunchRefusedError(classify(error), error.message, error.retry_after) from error
        else:
            return created.metadata.uid
        found = await self.find(job.namespace, job.kube_job)
        if found is None:  # deleted between the two calls: the name is free again
            raise LauncherUnreachableError(f"{job.kube_job} was there and is gone")
        if found.deleting and (found.complete or found.failure):
            # Of an earlier job with the same key, whose record is gone. Its end would be taken for that of this job.
            raise LauncherUnreachableError(f"{job.kube_job} of an earlier job with this id is still being deleted")
        if found.job_id != job.id:
            raise LaunchRefusedError(Refusal.INVALID, f"another object has the name {job.kube_job}")
        return found.uid

    async def find(self, namespace: str, name: str) -> KubeJobView | None:
        """See `Launcher.find`."""
        try:
            found = await self._kube.read("GET", f"{_jobs(namespace)}/{name}", _decoder)
        except KubeUnreachableError as error:
            raise LauncherUnreachableError(str(error)) from error
        except KubeRefusedError as error:
            if error.status == _NOT_FOUND:
                return None
            raise LauncherUnreachableError(str(error)) from error
        return _view(found)

    async def delete(self, namespace: str, name: str, uid: str) -> None:
        """See `Launcher.delete`."""
        # Foreground: the KubeJob stays until its pods are gone, so its absence is theirs too.
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Foreground",
            "preconditions": {"uid": uid},
        }
        try:
            await self._kube.request("DELETE", f"{_jobs(namespace)}/{name}", options)
        except KubeUnreachableError as error:
            raise LauncherUnreachableError(str(error)) from error
        except KubeRefusedError as error:
            if error.status not in {_NOT_FOUND, _CONFLICT}:  # gone, or another one has the name by now
                raise LauncherUnreachableError(str(error)) from error

    async def pods(self, namespace: str, kube_uid: str) -> list[PodView]:
        """See `Launcher.pods`."""
        try:
            found = await self._kube.request(
                "GET", f"/api/v1/namespaces/{namespace}/pods", query={"labelSelector": f"{CONTROLLER_UID}={kube_uid}"}
            )
        except (KubeUnreachableError, KubeRefusedError) as error:
            raise LauncherUnreachableError(str(error)) from error
        return [pod_view(pod) for pod in parts(found, "items")]

    async def complaint(self, namespace: str, kube_uid: str) -> str:
        """See `Launcher.complaint`."""
        query = {"fieldSelector": f"involvedObject.uid={kube_uid},type=Warning", "limit": "50"}
        try:
            found = await self._kube.request("GET", f"/api/v1/namespaces/{namespace}/events", query=query)
        except (KubeUnreachableError, KubeRefusedError) as error:
            raise LauncherUnreachableError(str(error)) from error
        return latest_complaint(parts(found, "items"))

    async def glance(self, namespace: str) -> Glance:
        """See `Launcher.glance`."""
        waiting: defaultdict[str, list[PodView]] = defaultdict(list)
        events: defaultdict[str, list[Object]] = defaultdict(list)
        try:
            labels = {"labelSelector": f"{LABEL_INSTALL}={self._install}", "fieldSelector": "status.phase=Pending"}
            async for pod in self._all(f"/api/v1/namespaces/{namespace}/pods", labels):
                waiting[part(pod, "metadata", "labels").get(CONTROLLER_UID, "")].append(pod_view(pod))
            warnings = {"fieldSelector": "involvedObject.kind=Job,type=Warning"}
            async for event in self._all(f"/api/v1/namespaces/{namespace}/events", warnings):
                events[part(event, "involvedObject").get("uid", "")].append(event)
        except (KubeUnreachableError, KubeRefusedError) as error:
            raise LauncherUnreachableError(str(error)) from error
        return Glance(waiting, {uid: latest_complaint(of_one) for uid, of_one in events.items()})

    async def _all(self, path: str, query: dict[str, str]) -> AsyncIterator[Object]:
        further = ""
        while True:
            page = await self._kube.request("GET", path, query={**query, "limit": _PAGE, **_from(further)})
            for item in parts(page, "items"):
                yield item
            further = str(part(page, "metadata").get("continue") or "")
            if not further:
                return

    async def watch(self, namespace: str) -> AsyncGenerator[Seen | Gone | Listed, None]:
        """See `Launcher.watch`."""
        follow = ListWatch(
            self._kube,
            _jobs(namespace),
            f"{LABEL_INSTALL}={self._install}",
            view_of,
            lambda view: view.uid,
            tell=lambda trouble: self._tell(namespace, trouble),
        )
        async with aclosing(follow.events()) as events:
            async for event in events:
                match event:
                    case Present(item):
                        yield Seen(item)
                    case Absent(item):
                        yield Gone(item)
                    case _:
                        yield Listed(namespace)


def _from(further: str) -> dict[str, str]:
    return {"continue": further} if further else {}


def _jobs(namespace: str) -> str:
    return f"/apis/batch/v1/namespaces/{namespace}/jobs"
