"""The launcher on a cluster: KubeJobs through the Kubernetes API.

Every delete names the UID and a propagation: a raw delete of a batch/v1 Job would orphan its pods, and
their code would go on running.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import aclosing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from bgjobs_core.kube.errors import KubeRefusedError, KubeUnreachableError, KubeUnreadableError
from bgjobs_core.kube.pages import pages
from bgjobs_core.kube.reading import decoded
from bgjobs_operator.cluster import kueue
from bgjobs_operator.cluster.kube_resources import FIELD_MANAGER
from bgjobs_operator.cluster.kubejob import CONTROLLER_UID, LABEL_INSTALL, manifest
from bgjobs_operator.cluster.refusals import classify, is_gone
from bgjobs_operator.cluster.views import Event, Pod, pod_view, unreadable_pod, view_of, view_of_line
from bgjobs_operator.cluster.watch import Absent, ListWatch, Present
from bgjobs_operator.interfaces.earlier import is_of_earlier_job
from bgjobs_operator.interfaces.launcher import (
    EventView,
    Glance,
    Gone,
    KubeJobView,
    LauncherObjectError,
    LauncherUnreachableError,
    LaunchRefusedError,
    Listed,
    PodView,
    Refusal,
    Seen,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping, Sequence

    from bgjobs_core.jobs.queue import QueueRecord
    from bgjobs_core.jobs.record import JobRecord
    from bgjobs_core.kube.door import Kube
    from bgjobs_core.kube.objects import Object
    from bgjobs_core.kube.pages import Page

_NOT_FOUND: Final = 404
_CONFLICT: Final = 409

_STRATEGIC: Final = "application/strategic-merge-patch+json"  # conditions are merged by their types


class _Made(msgspec.Struct):
    uid: str


class _Created(msgspec.Struct):
    metadata: _Made


_created: Final = msgspec.json.Decoder(_Created)
_pod: Final = msgspec.json.Decoder(Pod)
_event: Final = msgspec.json.Decoder(Event)
T = TypeVar("T")


class KubeLauncher:
    """Implements `launcher.Launcher`.

    Args:
        kube: the connection.
        install: id of this installation; KubeJobs of others are not seen.
        api_url: where runners find the API.
        tell: hears why a namespace cannot be watched, and "" when it can again.
        with_kueue: whether it may read and change Workloads of Kueue.
    """

    def __init__(
        self,
        kube: Kube,
        install: str,
        api_url: str,
        tell: Callable[[str, str], None] = lambda _, __: None,
        *,
        with_kueue: bool = False,
    ) -> None:
        self._kube = kube
        self._install = install
        self._api_url = api_url
        self._tell = tell
        self._with_kueue = with_kueue

    async def create(self, job: JobRecord, queue: QueueRecord) -> str:
        """See `Launcher.create`."""
        body = manifest(job, queue, self._install, self._api_url)
        try:
            created = await self._kube.read("POST", _jobs(job.namespace), _created, body)
        except KubeUnreachableError as error:
            # Also for an answer that cannot be read: the next POST meets what this one has made.
            raise LauncherUnreachableError(str(error)) from error
        except KubeRefusedError as error:
            if error.status != _CONFLICT or error.reason != "AlreadyExists":
                raise LaunchRefusedError(classify(error), error.message, error.retry_after) from error
        else:
            return created.metadata.uid
        found = await self.find(job.namespace, job.kube_job)
        if found is None:  # deleted between the two calls: the name is free again
            raise LauncherObjectError(f"{job.kube_job} was there and is gone")
        if found.job_id != job.id:
            raise LaunchRefusedError(Refusal.INVALID, f"another object has the name {job.kube_job}")
        if found.deleting:  # its code may still run, and will not again: it is not the one that was asked for
            raise LauncherObjectError(f"{job.kube_job} is being deleted, and its name is taken until it is gone")
        if is_of_earlier_job(found, job):
            await self.delete(job.namespace, found.name, found.uid)
            raise LauncherObjectError(f"{job.kube_job} is of an earlier job, and its name is taken until it is gone")
        return found.uid

    async def find(self, namespace: str, name: str) -> KubeJobView | None:
        """See `Launcher.find`."""
        path = f"{_jobs(namespace)}/{name}"
        try:
            raw, _ = await self._kube.answer("GET", path)
            return decoded(raw, view_of, f"GET {path}")
        except KubeRefusedError as error:
            if error.status == _NOT_FOUND:
                return None
            raise _told(error) from error
        except KubeUnreachableError as error:
            raise _told(error) from error

    async def suspend(self, namespace: str, name: str, uid: str, *, suspend: bool) -> None:
        """See `Launcher.suspend`; by a merge patch, which the API server refuses if the UID is another."""
        body = {"metadata": {"uid": uid}, "spec": {"suspend": suspend}}
        path, query = f"{_jobs(namespace)}/{name}", {"fieldManager": FIELD_MANAGER}
        await self._unless_gone("PATCH", path, body, "application/merge-patch+json", query)

    async def offer_to_kueue(self, namespace: str, uid: str, *, active: bool) -> None:
        """See `Launcher.offer_to_kueue`; by the Workload, because Kueue undoes what others do to the KubeJob."""
        if not self._with_kueue:
            raise LauncherObjectError(kueue.NOT_ENABLED)
        found: list[kueue.Workload] = []
        async for page in self._pages(kueue.path(namespace), kueue.workload, kueue.of_jobs([uid])):
            found += [one for one in page.items if one.active != active]
        for one in found:
            body = {"metadata": {"uid": one.metadata.uid}, "spec": {"active": active}}
            path, query = f"{kueue.path(namespace)}/{one.metadata.name}", {"fieldManager": FIELD_MANAGER}
            await self._unless_gone("PATCH", path, body, "application/merge-patch+json", query)

    async def not_admitted(self, namespace: str, kube_uids: Sequence[str]) -> Mapping[str, str]:
        """See `Launcher.not_admitted`."""
        if not self._with_kueue:
            return dict.fromkeys(kube_uids, kueue.NOT_ENABLED)
        said = dict.fromkeys(kube_uids, kueue.NO_WORKLOAD)
        decode, query = kueue.workload.decode, kueue.of_jobs(kube_uids)
        try:
            async with aclosing(pages(self._kube, kueue.path(namespace), decode, query)) as found:
                async for page in found:
                    said |= {one.kube_uid: kueue.why_not_admitted(one) for one in page.items if one.kube_uid in said}
        except KubeRefusedError as error:
            if error.status == _NOT_FOUND:
                return dict.fromkeys(kube_uids, kueue.NOT_INSTALLED)
            raise _told(error) from error
        except KubeUnreachableError as error:
            raise _told(error) from error
        return said

    async def delete(self, namespace: str, name: str, uid: str) -> None:
        """See `Launcher.delete`."""
        await self._delete(f"{_jobs(namespace)}/{name}", uid)

    async def delete_pod(self, namespace: str, name: str, uid: str) -> None:
        """See `Launcher.delete_pod`."""
        await self._delete(f"{_pods(namespace)}/{name}", uid)

    async def _delete(self, path: str, uid: str) -> None:
        # Foreground: the KubeJob stays until its pods are gone, so its absence is theirs too.
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Foreground",
            "preconditions": {"uid": uid},
        }
        await self._unless_gone("DELETE", path, options, "application/json")

    async def _unless_gone(
        self, method: str, path: str, body: Object, content_type: str, query: Mapping[str, str] | None = None
    ) -> None:
        try:
            await self._kube.answer(method, path, body, query, {"Content-Type": content_type})
        except KubeUnreachableError as error:
            raise _told(error) from error
        except KubeRefusedError as error:
            if not is_gone(error):
                raise _told(error) from error

    async def give_up_pod(self, namespace: str, name: str, uid: str, why: str) -> None:
        """See `Launcher.give_up_pod`; Kubernetes does the same to pods of nodes that were taken out of the cluster."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        words = {"reason": "NodeLost", "message": why}
        target = {"type": "DisruptionTarget", "status": "True", "lastTransitionTime": now, **words}
        body = {"metadata": {"uid": uid}, "status": {"phase": "Failed", "conditions": [target], **words}}
        await self._unless_gone("PATCH", f"{_pods(namespace)}/{name}/status", body, _STRATEGIC)

    async def pods(self, namespace: str, kube_uid: str) -> list[PodView]:
        """See `Launcher.pods`."""
        found: list[PodView] = []
        async for page in self._pages(_pods(namespace), _pod, {"labelSelector": f"{CONTROLLER_UID}={kube_uid}"}):
            found += map(pod_view, page.items)
            found += map(unreadable_pod, page.unreadable)
        return found

    async def complaint(self, namespace: str, kube_uid: str) -> str:
        """See `Launcher.complaint`."""
        newest = await self._complaints(namespace, f"involvedObject.uid={kube_uid},type=Warning")
        return newest.get(kube_uid, "")

    async def events(self, namespace: str, uid: str) -> list[EventView]:
        """See `Launcher.events`."""
        found: list[Event] = []
        query = {"fieldSelector": f"involvedObject.uid={uid}"}
        async for page in self._pages(_events(namespace), _event, query):
            found += page.items
        return [one.view for one in sorted(found, key=lambda one: one.at, reverse=True)]

    async def glance(self, namespace: str) -> Glance:
        """See `Launcher.glance`."""
        waiting: defaultdict[str, list[PodView]] = defaultdict(list)
        query = {"labelSelector": f"{LABEL_INSTALL}={self._install}", "fieldSelector": "status.phase=Pending"}
        async for page in self._pages(_pods(namespace), _pod, query):
            for pod in page.items:
                waiting[pod.kube_uid].append(pod_view(pod))
        complaints = await self._complaints(namespace, "involvedObject.kind=Job,type=Warning")
        if waiting:
            complaints |= await self._complaints(namespace, "involvedObject.kind=Pod,type=Warning")
        return Glance(waiting, complaints)

    async def _complaints(self, namespace: str, fields: str) -> dict[str, str]:
        """The words of the newest event of each object, by its UID."""
        newest: dict[str, tuple[str, str]] = {}
        async for page in self._pages(_events(namespace), _event, {"fieldSelector": fields}):
            for event in page.items:
                uid = event.involved_object.uid
                if uid not in newest or event.at > newest[uid][0]:
                    newest[uid] = event.at, event.words
        return {uid: words for uid, (_, words) in newest.items()}

    async def _pages(
        self, path: str, decoder: msgspec.json.Decoder[T], query: Mapping[str, str]
    ) -> AsyncGenerator[Page[T], None]:
        try:
            async with aclosing(pages(self._kube, path, decoder.decode, query)) as found:
                async for page in found:
                    yield page
        except (KubeUnreachableError, KubeRefusedError) as error:
            raise _told(error) from error

    async def watch(self, namespace: str) -> AsyncGenerator[Seen | Gone | Listed, None]:
        """See `Launcher.watch`."""
        follow = ListWatch(
            self._kube,
            _jobs(namespace),
            f"{LABEL_INSTALL}={self._install}",
            view_of,
            lambda view: view.uid,
            tell=lambda trouble: self._tell(namespace, trouble),
            at_one_go=view_of_line,
        )
        async with aclosing(follow.events()) as events:
            async for event in events:
                match event:
                    case Present(item, _):
                        yield Seen(item)
                    case Absent(item):
                        yield Gone(item)
                    case _:
                        yield Listed(namespace)


def _told(error: KubeUnreachableError | KubeRefusedError) -> LauncherUnreachableError:
    kind = LauncherObjectError if isinstance(error, KubeUnreadableError) else LauncherUnreachableError
    return kind(str(error))


def _jobs(namespace: str) -> str:
    return f"/apis/batch/v1/namespaces/{namespace}/jobs"


def _events(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/events"


def _pods(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/pods"
