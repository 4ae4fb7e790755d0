"""observe: what happens to KubeJobs is taken into the records.

Pods are listed only when a KubeJob's count of failures rises, when it ends, or when it stays pending. Most events of a
KubeJob change nothing that is read here, and cost no question to Redis; what comes together is asked for together.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

import structlog

from bgjobs.vocabulary import TERMINAL, State
from bgjobs_core.cancellation import end_if_cancelled
from bgjobs_operator.interfaces.launcher import Gone, Listed, Seen
from bgjobs_operator.loops import outcomes
from bgjobs_operator.loops.admit import cancel_with_request
from bgjobs_operator.loops.loop import each

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bgjobs_core.jobs.record import JobRecord
    from bgjobs_core.store.store import Store
    from bgjobs_operator.interfaces.launcher import KubeJobView, Launcher, PodView
    from bgjobs_operator.interfaces.resources import ResourcesApi

_AT_ONCE: Final = 64  # events that are taken in together
_UNBOUND: Final = frozenset({State.LAUNCHING, State.QUEUED, State.SCHEDULED})

log: Any = structlog.get_logger(__name__)


class ObserveStep(Enum):
    """One thing that is done because something was seen of a KubeJob."""

    BIND = "bind"
    DELETE_STRAY = "delete stray"
    POKE_STOP = "poke stop"
    READ_PODS = "read pods"
    COMPLETE = "complete"
    FAILED = "failed"
    CHECK_ABSENT = "check absent"


def plan_seen(view: KubeJobView, job: JobRecord | None, failures_known: int) -> list[ObserveStep]:
    """What is done about a KubeJob that is there.

    Args:
        view: what is seen.
        job: the record that its label names.
        failures_known: how many of its failed pods were looked at before.
    """
    if job is None:
        # The gate at `start` lets none of its code run. A record that is missing since Redis is older than
        # the world is not ours to destroy here; Kubernetes' own TTL ends what has finished.
        return []
    if not job.kube_uid and job.state in _UNBOUND:
        return [ObserveStep.BIND, *plan_launched(view, job, failures_known)]
    if job.kube_uid and job.kube_uid != view.uid:
        return [] if view.deleting else [ObserveStep.DELETE_STRAY]
    if job.state is State.STOPPING:
        return [ObserveStep.POKE_STOP]
    if job.state in TERMINAL:
        # What succeeded or failed ends by itself and is retired later; after a cancel nothing may run. A job that
        # ended without a KubeJob has a stray: its POST arrived late, and nobody else would delete it.
        wrong = job.state is State.CANCELLED or not job.kube_uid
        return [ObserveStep.DELETE_STRAY] if wrong and not view.deleting else []
    if not job.kube_uid:
        return [] if view.deleting else [ObserveStep.DELETE_STRAY]  # paused or blocked: it waits, and nothing may run
    return plan_launched(view, job, failures_known)


def plan_launched(view: KubeJobView, job: JobRecord, failures_known: int) -> list[ObserveStep]:
    """What is done about the KubeJob that a job is bound to."""
    if view.complete:
        return [ObserveStep.COMPLETE]
    if view.failure:
        return [ObserveStep.READ_PODS, ObserveStep.FAILED]
    if view.failed > failures_known and job.state is State.LAUNCHED:
        return [ObserveStep.READ_PODS]
    return []


def plan_gone(view: KubeJobView, job: JobRecord | None) -> list[ObserveStep]:
    """What is done about a KubeJob that is not there any more."""
    if job is None or job.kube_uid != view.uid:
        return []
    if job.state is State.STOPPING:
        return [ObserveStep.POKE_STOP]
    return [ObserveStep.CHECK_ABSENT] if job.state is State.LAUNCHED else []


def is_quiet(view: KubeJobView) -> bool:
    """Whether nothing has happened to a KubeJob but that it was made."""
    return not (view.failed or view.complete or view.failure or view.deleting)


Event = Seen | Gone | Listed


@dataclass
class Observer:
    """Follows the KubeJobs of one namespace and remembers them as last seen.

    Attributes:
        posting: whether the launch loop of this process is creating a job's KubeJob at the moment. It binds what it
            made, so such a KubeJob needs nothing of us while it is new.
    """

    store: Store
    launcher: Launcher
    api: ResourcesApi
    namespace: str
    poke_stop: Callable[[], None]
    on_listed: Callable[[], None]
    posting: Callable[[str], bool] = lambda _: False
    views: dict[str, KubeJobView] = field(default_factory=dict[str, "KubeJobView"])
    _failures: dict[str, int] = field(default_factory=dict[str, int])
    _bound: set[str] = field(default_factory=set[str])  # UIDs of what was bound just now and is not seen yet
    _unread: set[str] = field(default_factory=set[str])  # UIDs of what was seen, and left to the launch loop

    async def run(self) -> None:
        """Never ends. Raises what the store, the launcher and the API raise; call it again then."""
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
        news: dict[str, Seen | Gone] = {}
        for event in events:
            if not isinstance(event, Seen | Gone):
                await self._look_at(news)
                news = {}
                if isinstance(event, Exception):
                    raise event
                self.on_listed()
            elif self._is_news(event):
                if event.view.uid in news:  # what happens to one KubeJob is taken in step by step
                    await self._look_at(news)
                    news = {}
                news[event.view.uid] = event
        await self._look_at(news)

    def _is_news(self, event: Seen | Gone) -> bool:
        """Remember what is seen; whether something may have to be done about it."""
        view = event.view
        if isinstance(event, Gone):
            self.views.pop(view.uid, None)
            self._failures.pop(view.uid, None)
            self._bound.discard(view.uid)
            self._unread.discard(view.uid)
            return True
        before, self.views[view.uid] = self.views.get(view.uid), view
        if before == view and view.uid not in self._unread:
            return False
        just_bound = view.uid in self._bound
        self._bound.discard(view.uid)
        self._unread.discard(view.uid)
        if is_quiet(view) and not just_bound and self.posting(view.job_id):
            self._unread.add(view.uid)  # it may be another one than the one that is bound then
            return False
        return not (is_quiet(view) and just_bound)

    def bound(self, uid: str) -> None:
        """The launch loop has bound this KubeJob, and nothing is to be done about it while it is new."""
        self._unread.discard(uid)
        if uid not in self.views:
            self._bound.add(uid)

    async def _look_at(self, news: dict[str, Seen | Gone]) -> None:
        if not news:
            return
        found = await self.store.jobs([event.view.job_id for event in news.values()])
        jobs = {job.id: job for job in found}
        plans = [(event, self._plan(event, jobs.get(event.view.job_id))) for event in news.values()]
        await each([one for one in plans if one[1]], self._carry_out)
        for event in news.values():
            if isinstance(event, Seen):
                self._failures[event.view.uid] = event.view.failed

    def _plan(self, event: Seen | Gone, job: JobRecord | None) -> list[ObserveStep]:
        if isinstance(event, Gone):
            return plan_gone(event.view, job)
        return plan_seen(event.view, job, self._failures.get(event.view.uid, 0))

    async def _carry_out(self, planned: tuple[Seen | Gone, list[ObserveStep]]) -> None:
        event, steps = planned
        if ObserveStep.DELETE_STRAY in steps:  # others were seen to since the record was read
            steps = self._plan(event, await self.store.job(event.view.job_id))
        await self._apply(steps, event.view)

    async def seen(self, view: KubeJobView) -> None:
        """Take in one KubeJob; also called by reconcile."""
        job = await self.store.job(view.job_id)
        await self._apply(plan_seen(view, job, self._failures.get(view.uid, 0)), view)
        self._failures[view.uid] = view.failed

    async def _apply(self, steps: list[ObserveStep], view: KubeJobView) -> None:
        for step in steps:
            await self._do(step, view)

    async def _do(self, step: ObserveStep, view: KubeJobView) -> None:
        match step:
            case ObserveStep.BIND:
                await self.store.bind(job_id=view.job_id, kube_uid=view.uid)
            case ObserveStep.DELETE_STRAY:
                log.warning("deleting a stray KubeJob", job=view.job_id, kube_uid=view.uid)
                await self.launcher.delete(view.namespace, view.name, view.uid)
            case ObserveStep.POKE_STOP:
                self.poke_stop()
            case ObserveStep.READ_PODS:
                for pod in await self.launcher.pods(view.namespace, view.uid):
                    await self._pod_ended(view, pod)
            case ObserveStep.COMPLETE:
                await self.store.observe_end(job_id=view.job_id, kube_uid=view.uid, what="complete", reason="")
            case ObserveStep.FAILED:
                outcome = outcomes.of_kube_job(view)
                await self.store.observe_end(
                    job_id=view.job_id, kube_uid=view.uid, what="failed", outcome=outcome, reason=_words(view)
                )
            case ObserveStep.CHECK_ABSENT:
                job = await self.store.job(view.job_id)
                if job is not None and job.kube_uid == view.uid:
                    await self.check_absent(job)

    async def check_absent(self, job: JobRecord) -> None:
        """The KubeJob of a launched job is not seen: look for it, never in a cache. Also called by reconcile."""
        found = await self.launcher.find(job.namespace, job.kube_job)
        if found is not None and found.uid == job.kube_uid:
            return
        # Kubernetes deletes a KubeJob with the request that owns it, and that may be seen before the request's end is.
        if await cancel_with_request(self.store, self.api, job):
            self.poke_stop()
        else:
            await self.store.observe_end(
                job_id=job.id, kube_uid=job.kube_uid, what="absent", reason="its KubeJob was deleted"
            )

    async def _pod_ended(self, view: KubeJobView, pod: PodView) -> None:
        if pod.ended:
            ending = outcomes.of_pod(pod)
            await self.store.observe_attempt(
                job_id=view.job_id,
                kube_uid=view.uid,
                pod_uid=pod.uid,
                outcome=ending.outcome,
                exit_code=ending.exit_code,
                failure=ending.error,
            )


def _words(view: KubeJobView) -> str:
    return f"{view.failure}: {view.message}" if view.message else view.failure
