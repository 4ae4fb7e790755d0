"""pending: jobs whose code does not start say why, and are given up after the deadline of their queue.

A deadline has no event, and Kubernetes says why a pod does not start only to those who look. Where many wait at once,
one glance at all of them tells who must be looked at: two questions for each of a thousand would keep Kubernetes from
starting them.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bgjobs.vocabulary import Outcome, Phase, State
from bgjobs_core.jobs.kube_words import stops_a_pod
from bgjobs_core.resources.models import QueueSpec
from bgjobs_core.store import keys
from bgjobs_operator.interfaces.launcher import LauncherUnreachableError
from bgjobs_operator.loops.fair_queue import Clock, FairQueue

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence

    from bgjobs_core.jobs.queue import QueueRecord
    from bgjobs_core.jobs.record import JobRecord
    from bgjobs_core.store.store import Store
    from bgjobs_operator.interfaces.launcher import Glance, Launcher, PodView
    from bgjobs_operator.loops.flows import Item, WorkEnd
    from bgjobs_operator.loops.troubles import Trouble

PERIOD: Final = 5.0  # seconds between two looks
_SHARE: Final = 20  # a look at a namespace may take this part of the time
_LONGEST_PAUSE: Final = 60.0  # seconds between two looks at a namespace that has very many jobs
AFTER_MS: Final = 5000  # a job that holds its slot for less is not looked at
_BATCH: Final = 100  # ids of one page
_AT_A_TIME: Final = 20  # records that are read: some 1 ms of this process, in which nothing else is done
_REST_SECONDS: Final = 0.004  # after each time, so that whatever else is to be done comes first
_ALL: Final = "all"  # key of the look at a whole namespace; no job has this id
_PENDING: Final = frozenset({State.LAUNCHING, State.LAUNCHED})
_DEFAULTS: Final = QueueSpec()
_FEW: Final = 10  # so many of a namespace are looked at one by one


async def _always() -> int | None:
    return 0


def pending_reason(pods: Sequence[PodView]) -> str:
    """Why a launched job has not started, in Kubernetes' own words; "" if nothing is wrong."""
    for pod in pods:
        if pod.waiting_reason and pod.waiting_reason not in {"ContainerCreating", "PodInitializing"}:
            return f"{pod.waiting_reason}: {pod.waiting_message}" if pod.waiting_message else pod.waiting_reason
    return ""


def pause_after(seconds: float) -> float:
    """For how many seconds a namespace is left alone after a look that took so long."""
    return min(_LONGEST_PAUSE, seconds * _SHARE)


def waits_since(job: JobRecord, pods: Sequence[PodView]) -> int | None:
    """Since when a pod of it could have run its code (Unix ms); None: none has to.

    The time before a suspension was lifted does not count. Between two attempts that is since there is the next pod:
    the back-off before it is meant, and so is the pause that the code has asked for.
    """
    if job.attempt == 0:
        since = job.launched_at or job.claimed_at
        return since if since is None else max(since, job.resumed_at or 0)
    # The pod whose attempt has ended may look alive for some seconds, or for as long as its node is away.
    others = (pod for pod in pods if not pod.ended and pod.uid != job.fence)
    created = min((pod.created_at for pod in others if pod.created_at is not None), default=None)
    return None if created is None else max(created, job.retry_at or 0)


def overdue(since: int | None, queue: QueueRecord | None, now: int) -> bool:
    """Whether a job has waited for the start of its code for longer than the queue allows; times in Unix ms.

    One whose queue is gone waits for as long as in a queue that says nothing of it.
    """
    seconds = (queue.spec if queue is not None else _DEFAULTS).pending_deadline_seconds
    return since is not None and now - since > seconds * 1000


@dataclass
class _Turn:
    """What one turn reads once: the time, and the settings of queues.

    Attributes:
        rested: seconds for which it has done nothing, so that others come first.
    """

    store: Store
    now: int
    rested: float = 0.0
    _queues: dict[str, QueueRecord | None] = field(default_factory=dict[str, "QueueRecord | None"])

    async def is_overdue(self, job: JobRecord, pods: Sequence[PodView], not_before: int = 0) -> bool:
        """Whether the job has waited for longer than its queue allows; time before `not_before` (ms) does not count."""
        if job.queue_key not in self._queues:
            self._queues[job.queue_key] = await self.store.queue(job.queue_key)
        since = waits_since(job, pods)
        return since is not None and overdue(max(since, not_before), self._queues[job.queue_key], self.now)


def told_by(glance: Glance, job: JobRecord) -> str | None:
    """Why a job's pod does not start, as far as a glance tells; None: it must be looked at.

    A glance has the pods that have not started and the complaints, and a complaint may be older than a pod that runs.
    """
    pods = glance.waiting.get(job.kube_uid, ())
    if not pods and (complaint := glance.complaints.get(job.kube_uid, "")):
        return complaint if complaint[:1024] == job.reason else None
    if not (words := pending_reason(pods)):  # a volume or a sandbox that fails is told by an Event alone
        said = (glance.complaints.get(pod.uid, "") for pod in pods)
        words = next((one for one in said if stops_a_pod(one)), "")
    return words


@dataclass
class Pending:
    """Jobs whose code does not start, the first time or again, say why, and are given up after the queue's deadline.

    Attributes:
        namespaces: of jobs.
        tell, clock: see `FairQueue`.
        launches_since: since when jobs are launched at all, in Unix ms; None: all launches are held, so that nobody is
            late. See `Rollback.launches_since`.
        sleep: waits for so many seconds; of tests.
    """

    store: Store
    launcher: Launcher
    namespaces: Collection[str]
    tell: Callable[[str, str, Trouble | None], None] = lambda _, __, ___: None
    clock: Clock = field(default_factory=asyncio.get_running_loop)
    launches_since: Callable[[], Awaitable[int | None]] = _always
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    fair: FairQueue[JobRecord | None] = field(init=False)
    _passed: dict[str, int] = field(default_factory=dict[str, int])  # how many were passed where there was no room
    _next: dict[str, float] = field(default_factory=dict[str, float])  # when a namespace is looked at again

    def __post_init__(self) -> None:
        self.fair = FairQueue("pending", self._work, tell=self.tell, clock=self.clock)

    async def turn(self) -> float | None:
        """One look at every namespace; there, at every job that holds a slot for a while and has not started."""
        for namespace in self.namespaces:
            if self.clock.time() >= self._next.get(namespace, 0.0):
                self.fair.offer(namespace, _ALL, None)
        return None

    def _waits(self, job: JobRecord, now: int) -> bool:
        # No pod of it has to start: it is suspended or not admitted, or its code has asked for a pause.
        is_suspended = job.phase == Phase.SUSPENDED or job.kueue_at is not None
        is_held = job.paused_by or is_suspended or (job.retry_at or 0) > now
        is_due = not is_held and (job.attempt == 0 or job.phase == Phase.RETRYING)
        return is_due and job.namespace in self.namespaces

    async def _work(self, item: Item[JobRecord | None]) -> WorkEnd | None:
        now = await self.store.now_ms()
        if item.what is None:
            self.fair.hears(item)  # Kubernetes is not asked yet, and to read a long list of Redis is no trouble of it
            began, turn = self.clock.time(), _Turn(self.store, now)
            try:
                return await self._namespace(item.namespace, turn)
            finally:
                worked = self.clock.time() - began - turn.rested
                self._next[item.namespace] = self.clock.time() + pause_after(worked)
        job = await self.store.job(item.key)  # it may have waited for long
        if job is not None and job.state in _PENDING and self._waits(job, now):
            await self._look(_Turn(self.store, now), job)
        return None

    async def _namespace(self, namespace: str, turn: _Turn) -> WorkEnd | None:
        """Page by page; those of which a glance does not tell enough are looked at one by one, beside this."""
        glance: Glance | None = None
        to_pass, passed = self._passed.pop(namespace, 0), 0
        for index in (keys.launched, keys.launching):
            start = 0
            while ids := await self.store.ids_in(index, namespace, turn.now - AFTER_MS, _BATCH, start):
                found = await self._read(turn, await self.store.yet_to_start(ids))
                await self._ask_kueue(namespace, [job for job in found if job.kueue_at is not None])
                waiting = [job for job in found if self._waits(job, turn.now)]
                first = [job for job in waiting if job.state is State.LAUNCHED and job.attempt == 0]
                looks = waiting
                if len(first) > _FEW:
                    glance = glance or await self.launcher.glance(namespace)
                    told = [job for job in first if await self._told(turn, glance, job)]
                    ids_told = {job.id for job in told}
                    looks = [job for job in waiting if job.id not in ids_told]
                for job in looks:
                    passed += 1
                    if passed > to_pass and not self.fair.offer(namespace, job.id, job):
                        self._passed[namespace] = passed - 1  # the next turn goes on here
                        return None
                start += len(ids)
                if len(ids) == _BATCH:
                    await self._rest(turn)
        return None

    async def _read(self, turn: _Turn, ids: Sequence[str]) -> list[JobRecord]:
        found: list[JobRecord] = []
        for start in range(0, len(ids), _AT_A_TIME):
            if start:
                await self._rest(turn)
            found += await self.store.jobs(ids[start : start + _AT_A_TIME])
        return found

    async def _rest(self, turn: _Turn) -> None:
        await self.sleep(_REST_SECONDS)
        turn.rested += _REST_SECONDS

    async def _ask_kueue(self, namespace: str, jobs: Sequence[JobRecord]) -> None:
        """Jobs whose KubeJobs Kueue has not admitted say why; no deadline runs meanwhile."""
        asked = {job.kube_uid: job for job in jobs if job.state is State.LAUNCHED and not job.paused_by}
        if not asked:
            return
        try:
            said = await self.launcher.not_admitted(namespace, list(asked))
        except LauncherUnreachableError as error:  # of the others here, whether they are late is still to be seen
            said = dict.fromkeys(asked, f"Kueue: it cannot be asked why the KubeJob waits: {error}")
        for uid, words in said.items():
            job, reason = asked[uid], words[:1024]
            if job.reason != reason:
                await self.store.observe_admission(job_id=job.id, kube_uid=uid, admitted="still_no", reason=reason)

    async def _told(self, turn: _Turn, glance: Glance, job: JobRecord) -> bool:
        """Whether a glance tells enough of a job."""
        words = told_by(glance, job)
        if words is None or await turn.is_overdue(job, ()):
            return False
        await self._say(job, words)
        return True

    async def _look(self, turn: _Turn, job: JobRecord) -> None:
        reason = job.reason
        pods: list[PodView] = []
        if job.state is State.LAUNCHED:
            pods = await self.launcher.pods(job.namespace, job.kube_uid)
            words = pending_reason(pods)
            if not pods:  # those that quota or admission refuses are nowhere: only an Event of the KubeJob says so
                words = await self.launcher.complaint(job.namespace, job.kube_uid)
            elif not words:
                words = await self._event_of(job, pods)
            reason = await self._say(job, words)
        if await turn.is_overdue(job, pods) and await self._might_have_started(turn, job, pods):
            what = f"attempt {job.attempt + 1}" if job.attempt else "its code"
            note = f"{what} did not start in time{': ' if reason else ''}{reason}"
            await self.store.stop(job_id=job.id, verdict=Outcome.NEVER_STARTED, by="bgjobs", note=note)

    async def _might_have_started(self, turn: _Turn, job: JobRecord, pods: Sequence[PodView]) -> bool:
        """Whether a job without a KubeJob could have got one: not while all launches are held."""
        if job.state is not State.LAUNCHING:
            return True
        since = await self.launches_since()
        return since is not None and await turn.is_overdue(job, pods, since)

    async def _event_of(self, job: JobRecord, pods: Sequence[PodView]) -> str:
        """Why a container is only being created: a volume or a sandbox that fails is told by an Event alone."""
        quiet = next((pod for pod in pods if not pod.ended and pod.uid != job.fence), None)
        if quiet is None:
            return ""
        words = await self.launcher.complaint(job.namespace, quiet.uid)
        return words if stops_a_pod(words) else ""

    async def _say(self, job: JobRecord, words: str) -> str:
        """Record why it does not start, unless the record says the same."""
        reason, phase = words[:1024], Phase.RETRYING if job.attempt else Phase.PENDING
        if (job.phase, job.reason) != (phase, reason):
            await self.store.observe_phase(job_id=job.id, kube_uid=job.kube_uid, phase=phase, reason=reason)
        return reason
