"""A cluster in memory behind the launcher's interface, with faults that tests script.

What matters of Kubernetes is kept: one object for a name, a UID for each object, a foreground deletion that ends
when the pods are gone, and a watch that tells of everything a moment later.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

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
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence

    from bgjobs_core.jobs.queue import QueueRecord
    from bgjobs_core.jobs.record import JobRecord

Event = Seen | Gone | Listed


@dataclass(frozen=True)
class Unreachable:
    """No answer. The effect was there before (`done`), comes when the test says so (`late`), or never."""

    done: bool = False
    late: bool = False


@dataclass(frozen=True)
class Refuse:
    """A definite no."""

    refusal: Refusal
    message: str = "no"
    retry_after: float | None = None


@dataclass
class Held:
    """The POST is under way until the test opens the gate; `arrived` is set once it is there."""

    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event = field(default_factory=asyncio.Event)


Fault = Unreachable | Refuse | Held


class FakeLauncher:
    """Implements `launcher.Launcher`.

    Attributes:
        created: UID of every KubeJob that ever came to be, with its job.
        posts: the job of each POST.
        deletes: (name, UID) of each DELETE of a KubeJob.
        pod_deletes: the same of each DELETE of a pod.
        given_up: name of each pod that was given up, and why.
        suspends: (name, UID, whether to suspend) of each PATCH.
        kueue_queue: the queue of Kueue that KubeJobs are made for; "" for none.
        kueue_is_away: nobody answers for Kueue.
        offers: (UID, whether active) of each change of a Workload of Kueue.
        kueue_says: why Kueue has not admitted a KubeJob, by its UID.
        asked_kueue: the UIDs of each such question.
        instant: a deletion ends at once; else with `finish_deletions`.
        away: every call is unreachable.
        complaints: what Kubernetes says of a KubeJob that has no pod, by its UID.
        told: what is known of pods, by their UIDs.
        looks: UIDs of the KubeJobs whose pods were listed.
        before_pods: called while pods are listed, to let something happen in between.
        on_glance: called when all pods of a namespace are listed at once.
        watched: how many watches were begun.
    """

    def __init__(self) -> None:
        self.created: dict[str, str] = {}
        self.posts: list[str] = []
        self.deletes: list[tuple[str, str]] = []
        self.given_up: list[tuple[str, str]] = []
        self.pod_deletes: list[tuple[str, str]] = []
        self.suspends: list[tuple[str, str, bool]] = []
        self.kueue_queue = ""
        self.kueue_is_away = False
        self.offers: list[tuple[str, bool]] = []
        self.kueue_says: dict[str, str] = {}
        self.asked_kueue: list[list[str]] = []
        self.instant = True
        self.away = False
        self.watched = 0
        self.refused_namespaces: set[str] = set()
        self.before_pods: Callable[[], Awaitable[None]] | None = None
        self.on_glance: Callable[[], None] | None = None
        self.complaints: dict[str, str] = {}
        self.told: dict[str, list[EventView]] = {}
        self.looks: list[str] = []
        self._faults: deque[Fault] = deque()
        self._late: list[JobRecord] = []
        self._objects: dict[tuple[str, str], KubeJobView] = {}
        self._pods: dict[str, dict[str, PodView]] = {}
        self._watchers: list[tuple[str, asyncio.Queue[Event | Exception]]] = []

    # ------------------------------------------------------------- what tests say
    def script(self, *faults: Fault) -> None:
        """What happens to the next POSTs; after that they go well."""
        self._faults.extend(faults)

    def arrive(self) -> None:
        """The POSTs that were on their way arrive now."""
        for job in self._late:
            self._create(job)
        self._late.clear()

    def view(self, job_id: str) -> KubeJobView | None:
        """The KubeJob of a job."""
        return next((view for view in self._objects.values() if view.job_id == job_id), None)

    def uid(self, job_id: str) -> str:
        """Of the KubeJob of a job, which must be there."""
        view = self.view(job_id)
        assert view is not None, f"there is no KubeJob of {job_id}"
        return view.uid

    def change(self, job_id: str, **changes: object) -> KubeJobView:
        """The KubeJob becomes so."""
        changed = self.become_unseen(job_id, **changes)
        self.tell(Seen(changed))
        return changed

    def become_unseen(self, job_id: str, **changes: object) -> KubeJobView:
        """The KubeJob becomes so, and the event of that is still on its way."""
        view = self.view(job_id)
        assert view is not None, f"there is no KubeJob of {job_id}"
        changed = replace(view, **changes)  # pyright: ignore[reportArgumentType] - fields of KubeJobView
        self._objects[view.namespace, view.name] = changed
        return changed

    def pod(self, job_id: str, pod: PodView) -> None:
        """The KubeJob has this pod, as this."""
        self._pods[self.uid(job_id)][pod.uid] = pod

    def stray(self, job_id: str, like: JobRecord) -> str:
        """A KubeJob appears that nobody asked for; returns its UID."""
        return self._create(replace(like, id=job_id))

    def vanish(self, job_id: str, *, silently: bool = False, pods_stay: bool = False) -> None:
        """Somebody else deletes the KubeJob; silently: no watch ever tells."""
        view = self.view(job_id)
        assert view is not None, f"there is no KubeJob of {job_id}"
        del self._objects[view.namespace, view.name]
        if not pods_stay:
            self._pods[view.uid].clear()
        if not silently:
            self.tell(Gone(view))

    def pods_vanish(self, kube_uid: str) -> None:
        """The pods of a KubeJob are gone."""
        self._pods[kube_uid].clear()

    def finish_deletions(self) -> None:
        """The pods of what is being deleted are gone, and so it is."""
        for view in [one for one in self._objects.values() if one.deleting]:
            self.vanish(view.job_id)

    def break_watches(self, error: Exception) -> None:
        """Whoever watches gets this."""
        for _, queue in self._watchers:
            queue.put_nowait(error)

    # ------------------------------------------------------------- launcher.Launcher
    async def create(self, job: JobRecord, queue: QueueRecord) -> str:  # noqa: ARG002 - as the interface has it
        self.posts.append(job.id)
        await asyncio.sleep(0)
        fault = self._faults.popleft() if self._faults else None
        match fault:
            case Refuse(refusal, message, retry_after):
                raise LaunchRefusedError(refusal, message, retry_after)
            case Held(arrived, gate):
                arrived.set()
                await gate.wait()
            case Unreachable(done, late):
                if done:
                    self._create(job)
                if late:
                    self._late.append(job)
                raise LauncherUnreachableError("connection reset")
            case None:
                self._answer(job.namespace)
        there = self._objects.get((job.namespace, job.kube_job))
        if there is not None and there.deleting:
            raise LauncherObjectError(f"{job.kube_job} is being deleted")
        return self._create(job)

    async def find(self, namespace: str, name: str) -> KubeJobView | None:
        await asyncio.sleep(0)
        self._answer(namespace)
        return self._objects.get((namespace, name))

    async def suspend(self, namespace: str, name: str, uid: str, *, suspend: bool) -> None:
        self.suspends.append((name, uid, suspend))
        await asyncio.sleep(0)
        self._answer(namespace)
        view = self._objects.get((namespace, name))
        if view is None or view.uid != uid:
            return
        self.change(view.job_id, suspended=suspend)
        if suspend and self.instant:
            self.pods_vanish(uid)

    async def offer_to_kueue(self, namespace: str, uid: str, *, active: bool) -> None:
        await asyncio.sleep(0)
        self._answer(namespace)
        self.offers.append((uid, active))

    async def not_admitted(self, namespace: str, kube_uids: Sequence[str]) -> Mapping[str, str]:
        await asyncio.sleep(0)
        self._answer(namespace)
        self.asked_kueue.append(list(kube_uids))
        if self.kueue_is_away:
            raise LauncherUnreachableError("conversion webhook: connection refused")
        return {uid: self.kueue_says.get(uid, "Kueue: it has not looked at the KubeJob yet") for uid in kube_uids}

    async def delete(self, namespace: str, name: str, uid: str) -> None:
        self.deletes.append((name, uid))
        await asyncio.sleep(0)
        self._answer(namespace)
        view = self._objects.get((namespace, name))
        if view is None or view.uid != uid:
            return
        self.change(view.job_id, deleting=True)
        if self.instant:
            self.vanish(view.job_id)

    async def delete_pod(self, namespace: str, name: str, uid: str) -> None:
        self.pod_deletes.append((name, uid))
        await asyncio.sleep(0)
        self._answer(namespace)
        for pods in self._pods.values():
            if uid in pods and pods[uid].name == name:
                del pods[uid]

    async def give_up_pod(self, namespace: str, name: str, uid: str, why: str) -> None:
        await asyncio.sleep(0)
        self._answer(namespace)
        for kube_uid, pods in self._pods.items():
            if uid in pods and pods[uid].name == name:
                pods[uid] = replace(pods[uid], ended=True, disrupted=True)
                self.given_up.append((name, why))
                self.change(self.created[kube_uid], terminating=0)

    async def pods(self, namespace: str, kube_uid: str) -> list[PodView]:
        self.looks.append(kube_uid)
        await asyncio.sleep(0)
        self._answer(namespace)
        if self.before_pods is not None:
            await self.before_pods()
        return list(self._pods.get(kube_uid, {}).values())

    async def complaint(self, namespace: str, kube_uid: str) -> str:
        self._answer(namespace)
        return self.complaints.get(kube_uid, "")

    async def events(self, namespace: str, uid: str) -> list[EventView]:
        self._answer(namespace)
        return self.told.get(uid, [])

    async def glance(self, namespace: str) -> Glance:
        self._answer(namespace)
        if self.on_glance is not None:
            self.on_glance()
        waiting = {uid: [pod for pod in pods.values() if pod.waiting_reason] for uid, pods in self._pods.items()}
        return Glance(waiting, self.complaints)

    async def watch(self, namespace: str) -> AsyncGenerator[Event, None]:
        queue: asyncio.Queue[Event | Exception] = asyncio.Queue()
        for view in self._objects.values():
            if view.namespace == namespace:
                queue.put_nowait(Seen(view))
        queue.put_nowait(Listed(namespace))
        entry = (namespace, queue)
        self._watchers.append(entry)
        self.watched += 1
        try:
            while True:
                event = await queue.get()
                if isinstance(event, Exception):
                    raise event
                yield event
        finally:
            self._watchers.remove(entry)

    # ------------------------------------------------------------------------------
    def _answer(self, namespace: str) -> None:
        if self.away:
            raise LauncherUnreachableError("connection refused")
        if namespace in self.refused_namespaces:
            raise LauncherUnreachableError(f"403 Forbidden: in namespace {namespace}")

    def _create(self, job: JobRecord) -> str:
        found = self._objects.get((job.namespace, job.kube_job))
        if found is not None:  # AlreadyExists
            return found.uid
        uid = f"kube-{len(self.created) + 1}"
        self.created[uid] = job.id
        view = KubeJobView(namespace=job.namespace, name=job.kube_job, uid=uid, job_id=job.id)
        if self.kueue_queue:
            view = replace(view, kueue_queue=self.kueue_queue, suspended=True)
        self._objects[job.namespace, job.kube_job] = view
        self._pods[uid] = {}
        self.tell(Seen(view))
        return uid

    def tell(self, event: Seen | Gone) -> None:
        """Whoever watches gets this."""
        for namespace, queue in self._watchers:
            if namespace == event.view.namespace:
                queue.put_nowait(event)
