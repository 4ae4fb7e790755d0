"""observe: what happens to KubeJobs is taken into the records.

Pods are listed only when a KubeJob's count of failures rises, when it ends, or when it stays pending.
"""

from __future__ import annotations

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

if TYPE_CHECKING:
    from collections.abc import Callable

    from bgjobs_core.jobs.record import JobRecord
    from bgjobs_core.store.store import Store
    from bgjobs_operator.interfaces.launcher import KubeJobView, Launcher, PodView
    from bgjobs_operator.interfaces.resources import ResourcesApi

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


@dataclass
class Observer:
    """Follows the KubeJobs of one namespace and remembers them as last seen."""

    store: Store
    launcher: Launcher
    api: ResourcesApi
    namespace: str
    poke_stop: Callable[[], None]
    on_listed: Callable[[], None]
    views: dict[str, KubeJobView] = field(default_factory=dict[str, "KubeJobView"])
    _failures: dict[str, int] = field(default_factory=dict[str, int])

    async def run(self) -> None:
        """Never ends. Raises what the store, the launcher and the API raise; call it again then."""
        self.views.clear()  # what went away while nobody watched has no event; reconcile asks for what is not here
        async with aclosing(self.launcher.watch(self.namespace)) as events:
            async for event in events:
                match event:
                    case Seen(view):
                        self.views[view.uid] = view
                        await self.seen(view)
                    case Gone(view):
                        self.views.pop(view.uid, None)
                        self._failures.pop(view.uid, None)
                        await self._apply(plan_gone(view, await self.store.job(view.job_id)), view)
                    case Listed():
                        self.on_listed()
                end_if_cancelled()

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
