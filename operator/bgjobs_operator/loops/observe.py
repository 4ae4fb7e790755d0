"""observe: what happens to KubeJobs is taken into the records.

Pods are listed only when a KubeJob's count of failures rises, when a pod of it was deleted, when it ends, or when it
stays pending. Most events of a KubeJob change nothing that is read here, and cost no question to Redis; what comes
together is asked for together. A pod that is gone before it was read is known by what Kubernetes has told of it.

A KubeJob is looked at as it was last seen, and what is to be done is done by a fair queue: one that makes trouble is
looked at again later, and keeps nobody from what is seen of the others.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import structlog

from bgjobs.vocabulary import Phase, State
from bgjobs_core.cancellation import end_if_cancelled
from bgjobs_core.redis.errors import StoreError
from bgjobs_operator.interfaces.launcher import Gone, Listed, Seen
from bgjobs_operator.loops import nodes, outcomes
from bgjobs_operator.loops.admit import cancel_with_request
from bgjobs_operator.loops.fair_queue import Clock, FairQueue
from bgjobs_operator.loops.flows import Item, WorkEnd
from bgjobs_operator.loops.observe_plan import (
    IN_A_POD,
    NEVER_LOOKED,
    Looked,
    ObserveStep,
    is_quiet,
    plan_gone,
    plan_seen,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from bgjobs_core.jobs.record import JobRecord
    from bgjobs_core.store.store import Store
    from bgjobs_operator.interfaces.launcher import KubeJobView, Launcher
    from bgjobs_operator.interfaces.resources import ResourcesApi
    from bgjobs_operator.loops.outcomes import Ending
    from bgjobs_operator.loops.troubles import Trouble

_AT_ONCE: Final = 64  # events that are taken in together
_PLACES: Final = 16
_RETRY_SECONDS: Final = 1.0
_NOT_ADMITTED: Final = "Kueue: it has not admitted the KubeJob yet"  # until the loop `pending` has asked it

log: Any = structlog.get_logger(__name__)


_PHASES: Final = {
    ObserveStep.NOTE_SUSPENDED: Phase.SUSPENDED,
    ObserveStep.NOTE_PENDING: Phase.PENDING,
    ObserveStep.NOTE_RETRYING: Phase.RETRYING,
    ObserveStep.NOTE_RUNNING: Phase.RUNNING,
}
# These ask Kubernetes something, so that its answer tells how its namespace is.
_ASKS: Final = frozenset({ObserveStep.DELETE_STRAY, ObserveStep.READ_PODS, ObserveStep.CHECK_ABSENT})

Event = Seen | Gone | Listed


@dataclass(frozen=True)
class Missing:
    """The KubeJob of a launched job is not among those that are seen."""

    job: JobRecord


def observe_queue(tell: Callable[[str, str, Trouble | None], None], clock: Clock | None = None) -> FairQueue[Observer]:
    """The queue in which the observers of all namespaces look at KubeJobs, each known by its UID."""
    return FairQueue("observe", _look_at, places=_PLACES, tell=tell, clock=clock)


async def _look_at(item: Item[Observer]) -> WorkEnd | None:
    return await item.what.look_at(item)


@dataclass
class Observer:
    """Follows the KubeJobs of one namespace and remembers them as last seen.

    Attributes:
        poke_stop: hears of the namespace and id of a job that is to be stopped, when something happens to its KubeJob.
        on_listed: all KubeJobs of the namespace were seen.
        posting: whether the launch loop of this process is creating a job's KubeJob at the moment. It binds what it
            made, so such a KubeJob needs nothing of us while it is new.
        poke_suspend: the same of one that is to be suspended, while its KubeJob is not.
        on_ended: a KubeJob has ended or is gone, so that there may be room for another one.
        fair: where KubeJobs are looked at.
    """

    store: Store
    launcher: Launcher
    api: ResourcesApi
    namespace: str
    fair: FairQueue[Observer]
    poke_stop: Callable[[str, str], None]
    on_listed: Callable[[], None]
    posting: Callable[[str], bool] = lambda _: False
    on_ended: Callable[[str], None] = lambda _: None
    poke_suspend: Callable[[str, str], None] = lambda _, __: None
    views: dict[str, KubeJobView] = field(default_factory=dict[str, "KubeJobView"])
    # By the UID of a KubeJob: how it was when its pods were looked at, if that is not NEVER_LOOKED; and the UID of its
    # pod that is being evicted.
    _looked: dict[str, Looked] = field(default_factory=dict[str, Looked])
    _disrupted: dict[str, str] = field(default_factory=dict[str, str])
    _unheard: set[str] = field(default_factory=set[str])  # UIDs of those whose pod was unreachable
    _bound: set[str] = field(default_factory=set[str])  # UIDs of what was bound just now and is not seen yet
    _unread: set[str] = field(default_factory=set[str])  # UIDs of what was seen, and left to the launch loop
    # What is to be looked at, by UID: as it was last seen, and that it is gone. Records as they were read for that.
    _open: dict[str, list[Seen | Gone | Missing]] = field(default_factory=dict[str, "list[Seen | Gone | Missing]"])
    _records: dict[str, JobRecord | None] = field(default_factory=dict[str, "JobRecord | None"])

    async def run(self) -> None:
        """Never ends. Raises what the watch raises; call it again then."""
        self.views.clear()  # what went away while nobody watched has no event; reconcile asks for what is not here
        self._bound.clear()
        self._unread.clear()
        arrived: asyncio.Queue[Event | Exception] = asyncio.Queue(_AT_ONCE)
        reading = asyncio.create_task(self._read(arrived), name=f"watch {self.namespace}")
        try:
            while True:
                events = [await arrived.get()]
                while not arrived.empty() and len(events) < _AT_ONCE:
                    events.append(arrived.get_nowait())
                await self._take_in(events)
                end_if_cancelled()
        finally:
            reading.cancel()
            await asyncio.wait({reading})

    async def _read(self, arrived: asyncio.Queue[Event | Exception]) -> None:
        try:
            async with aclosing(self.launcher.watch(self.namespace)) as events:
                async for event in events:
                    await arrived.put(event)
        except Exception as error:  # noqa: BLE001 - `run` raises it, after what came before it
            await arrived.put(error)

    async def _take_in(self, events: Iterable[Event | Exception]) -> None:
        news: dict[str, Seen | Gone | Missing] = {}
        for event in events:
            if not isinstance(event, Seen | Gone):
                await self._offer(news)
                news = {}
                if isinstance(event, Exception):
                    raise event
                self.on_listed()
            elif self._is_news(event):
                if event.view.uid in news:  # what happens to one KubeJob is taken in step by step
                    await self._offer(news)
                    news = {}
                news[event.view.uid] = event
        await self._offer(news)

    def _is_news(self, event: Seen | Gone) -> bool:
        """Remember what is seen; whether something may have to be done about it."""
        view = event.view
        if isinstance(event, Gone):
            self._unheard.discard(view.uid)
            self.views.pop(view.uid, None)
            self._looked.pop(view.uid, None)
            self._disrupted.pop(view.uid, None)
            self._bound.discard(view.uid)
            self._unread.discard(view.uid)
            self.on_ended(self.namespace)
            return True
        before, self.views[view.uid] = self.views.get(view.uid), view
        if view.complete or view.failure:
            self.on_ended(self.namespace)
        if before and before == view and view.uid not in self._unread and not self._is_heard_otherwise(before, view):
            return False
        just_bound = view.uid in self._bound
        self._bound.discard(view.uid)
        self._unread.discard(view.uid)
        if is_quiet(view) and not just_bound and self.posting(view.job_id):
            self._unread.add(view.uid)  # it may be another one than the one that is bound then
            return False
        return not (is_quiet(view) and just_bound)

    def _is_heard_otherwise(self, before: KubeJobView | None, view: KubeJobView) -> bool:
        """Whether a pod that ran is not ready any more, or not there, or one that was unreachable is ready again."""
        if view.ready and view.uid in self._unheard:
            self._unheard.discard(view.uid)
            return True
        if before is None:
            return False
        return bool(before.ready and view.active and not view.ready) or bool(before.active and view.without_pod)

    def bound(self, uid: str) -> None:
        """The launch loop has bound this KubeJob, and nothing is to be done about it while it is new."""
        self._unread.discard(uid)
        if uid not in self.views:
            self._bound.add(uid)

    async def _offer(self, news: dict[str, Seen | Gone | Missing]) -> None:
        """Offer that of which something is to be done; what comes together is read together."""
        if not news:
            return
        jobs = await self._read_jobs([_job_id(event) for event in news.values()])
        for uid, event in news.items():
            if jobs is not None and uid not in self._open:
                job = jobs.get(_job_id(event))
                if not self._plan(event, job):
                    self._has_looked_at(uid, event)
                    continue
                self._records[uid] = job
            await self._look_soon(uid, event)

    async def _look_soon(self, uid: str, event: Seen | Gone | Missing) -> None:
        steps = self._open.setdefault(uid, [])
        if steps and isinstance(steps[-1], Seen) and isinstance(event, Seen):
            steps.pop()  # as it is now says more
        steps.append(event)
        await self.fair.has_room(self.namespace)
        self.fair.offer(self.namespace, uid, self)

    async def _read_jobs(self, ids: list[str]) -> dict[str, JobRecord] | None:
        """The jobs; None if one of them cannot be read, so that each is to be read by itself."""
        while True:
            try:
                return {job.id: job for job in await self.store.jobs(ids)}
            except StoreError as error:
                log.warning("observer waits for Redis", namespace=self.namespace, error=str(error))
            except Exception:
                log.exception("a record cannot be read", namespace=self.namespace)
                return None
            await asyncio.sleep(_RETRY_SECONDS)
            end_if_cancelled()

    def _plan(self, event: Seen | Gone | Missing, job: JobRecord | None) -> list[ObserveStep]:
        match event:
            case Gone(view):
                return plan_gone(view, job)
            case Seen(view):
                return plan_seen(view, job, self._looked.get(view.uid, NEVER_LOOKED))
            case Missing():
                return [ObserveStep.CHECK_ABSENT]

    async def look_at(self, item: Item[Observer]) -> WorkEnd | None:
        """Do what is to be done about a KubeJob, whose UID is the key."""
        uid, asked = item.key, False
        while events := self._open.get(uid):
            event = events[0]
            job = self._records.pop(uid, None) or await self.store.job(_job_id(event))
            steps = self._plan(event, job)
            if ObserveStep.DELETE_STRAY in steps:  # others were seen to since the record was read
                steps = self._plan(event, await self.store.job(_job_id(event)))
            for step in steps:
                if not await self._do(step, event):
                    break
            asked = asked or any(step in _ASKS for step in steps)
            self._has_looked_at(uid, event)
            if events and events[0] is event:
                events.pop(0)
            if not events:
                self._open.pop(uid, None)
        return WorkEnd(heard=asked)

    def _has_looked_at(self, uid: str, event: Seen | Gone | Missing) -> None:
        if isinstance(event, Seen):
            looked = Looked(event.view.failed, event.view.terminating)
            if looked == NEVER_LOOKED or uid not in self.views:  # or it is gone since
                self._looked.pop(uid, None)
            else:
                self._looked[uid] = looked

    async def compare(self, jobs: Sequence[JobRecord]) -> None:
        """Take in what no event has told of launched jobs of this namespace; for reconcile."""
        for job in jobs:
            view = self.views.get(job.kube_uid)
            if view is not None and view.terminating:
                self._looked.pop(job.kube_uid, None)  # a deadline has no event
            event = Missing(job) if view is None else Seen(view)
            if job.kube_uid in self._open:
                await self.fair.has_room(self.namespace)
                self.fair.offer(self.namespace, job.kube_uid, self)  # in case that it was forgotten there
            elif self._plan(event, job):
                await self._look_soon(job.kube_uid, event)

    async def _do(self, step: ObserveStep, event: Seen | Gone | Missing) -> bool:
        """Do one thing; whether what is planned after it is to be done."""
        if isinstance(event, Missing):
            await self._check_absent(event.job.id, event.job.kube_uid)
            return True
        view = event.view
        match step:
            case ObserveStep.BIND:
                bound = await self.store.bind(job_id=view.job_id, kube_uid=view.uid)
                if bound.did == "unclaimed":  # it is left alone: if Redis has lost the claim, the next claim finds it
                    log.warning("a KubeJob of a job that was never claimed", job=view.job_id, kube_uid=view.uid)
                return bound.did == "bound"
            case ObserveStep.DELETE_STRAY:
                log.warning("deleting a stray KubeJob", job=view.job_id, kube_uid=view.uid)
                await self.launcher.delete(view.namespace, view.name, view.uid)
            case ObserveStep.POKE_STOP:
                self.poke_stop(self.namespace, view.job_id)
            case ObserveStep.READ_PODS:
                await self._read_pods(view)
            case ObserveStep.COMPLETE:
                await self.store.observe_end(job_id=view.job_id, kube_uid=view.uid, what="complete", reason="")
            case ObserveStep.FAILED:
                outcome = outcomes.of_kube_job(view)
                await self.store.observe_end(
                    job_id=view.job_id, kube_uid=view.uid, what="failed", outcome=outcome, reason=_words(view)
                )
            case ObserveStep.CHECK_ABSENT:
                await self._check_absent(view.job_id, view.uid)
            case ObserveStep.POKE_SUSPEND:
                self.poke_suspend(self.namespace, view.job_id)
            case ObserveStep.NOTE_ADMITTED | ObserveStep.NOTE_NOT_ADMITTED:
                await self._note_admission(view)
            case _:  # NOTE_…
                await self.store.observe_phase(job_id=view.job_id, kube_uid=view.uid, phase=_PHASES[step], reason="")
        return True

    async def _note_admission(self, view: KubeJobView) -> None:
        """Kueue lets a KubeJob have pods, or holds it back: it waits, or its place was taken back.

        What was seen may be older than the attempt that runs, since a pod's word comes by another way than an event.
        So before a place counts as taken back, the KubeJob is looked at anew, never in a cache.
        """
        if not view.is_held_by_kueue:
            await self.store.observe_admission(job_id=view.job_id, kube_uid=view.uid, admitted="yes", reason="")
            return
        job = await self.store.job(view.job_id)
        if job is None or (job.attempt and not await self._was_taken_back(view, job)):
            return
        await self.store.observe_admission(
            job_id=view.job_id, kube_uid=view.uid, admitted="no", reason=_NOT_ADMITTED, attempt=job.attempt
        )

    async def _was_taken_back(self, view: KubeJobView, job: JobRecord) -> bool:
        """Whether Kueue has taken back a place after the latest attempt of a job had begun.

        If it has admitted the KubeJob again by now, the pod of that attempt was deleted all the same.
        """
        found = await self.launcher.find(view.namespace, view.name)
        if found is None or found.uid != view.uid:  # there is an event of that, too
            return False
        if found.is_held_by_kueue:
            return True
        pods = await self.launcher.pods(view.namespace, view.uid)
        return all(pod.uid != job.fence or pod.ends_by is not None for pod in pods)

    async def _check_absent(self, job_id: str, kube_uid: str) -> None:
        """The KubeJob of a launched job is not seen: look for it, never in a cache."""
        job = await self.store.job(job_id)
        if job is None or job.kube_uid != kube_uid or job.state is not State.LAUNCHED:
            return
        found = await self.launcher.find(job.namespace, job.kube_job)
        if found is not None and found.uid == job.kube_uid:
            return
        # Kubernetes deletes a KubeJob with the request that owns it, and that may be seen before the request's end is.
        if await cancel_with_request(self.store, self.api, job):
            self.poke_stop(self.namespace, job.id)
        else:
            await self.store.observe_end(
                job_id=job.id, kube_uid=job.kube_uid, what="absent", reason="its KubeJob was deleted"
            )

    async def _read_pods(self, view: KubeJobView) -> None:
        job = await self.store.job(view.job_id)  # before the look, so that the pod of a later attempt is not missed
        pods = await self.launcher.pods(view.namespace, view.uid)
        now = await self.store.now_ms()
        for pod in pods:
            if job is not None and job.phase == Phase.RUNNING and pod.uid == job.fence and nodes.is_away(pod, now):
                self._unheard.add(view.uid)
                await self.store.observe_phase(
                    job_id=job.id, kube_uid=view.uid, phase=Phase.UNREACHABLE, reason=nodes.AWAY
                )
            if pod.ended:
                await self._attempt_ended(view, pod.uid, outcomes.of_pod(pod))
            elif nodes.is_lost(pod, now):
                log.warning("a pod is given up, as its node does not answer", job=view.job_id, pod=pod.name)
                await self.launcher.give_up_pod(view.namespace, pod.name, pod.uid, nodes.LOST)
            elif pod.disrupted:
                self._disrupted[view.uid] = pod.uid
        if job is not None and _runs(job, view) and all(pod.uid != job.fence for pod in pods):
            # What a suspension ends is not counted, whether we or somebody else has suspended it, as Kueue does.
            is_suspended = bool(job.paused_by) or view.suspended or job.kueue_at is not None
            disrupted = is_suspended or self._disrupted.get(view.uid) == job.fence
            events = [] if disrupted else await self.launcher.events(view.namespace, job.fence)
            await self._attempt_ended(view, job.fence, outcomes.of_gone_pod(events, disrupted=disrupted))

    async def _attempt_ended(self, view: KubeJobView, pod_uid: str, ending: Ending) -> None:
        await self.store.observe_attempt(
            job_id=view.job_id,
            kube_uid=view.uid,
            pod_uid=pod_uid,
            outcome=ending.outcome,
            exit_code=ending.exit_code,
            failure=ending.error,
        )


def _runs(job: JobRecord, view: KubeJobView) -> bool:
    """Whether an attempt of a job may run in a pod of this KubeJob, as far as the record knows."""
    may_run = job.phase in {*IN_A_POD, Phase.SUSPENDED}  # the latter is told while the pod is still ending
    return may_run and (job.state, job.kube_uid) == (State.LAUNCHED, view.uid)


def _job_id(event: Seen | Gone | Missing) -> str:
    return event.job.id if isinstance(event, Missing) else event.view.job_id


def _words(view: KubeJobView) -> str:
    return f"{view.failure}: {view.message}" if view.message else view.failure
