"""launch: for every intent (a job in `launching`) the KubeJob is POSTed and its UID bound.

Dispatch hands over what it has claimed; the index of launching jobs, which is read now and then, has what an earlier
leader claimed and what nobody heard of because a reply was lost.

What is needed for a POST is read before, many at once, and a place is held only until the answer is there. After an
unknown result the same name is POSTed again until the answer is 201 or 409 (`after_refusal` has the rest). While a
namespace refuses or does not answer, nothing more is claimed there but one job for the next try.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

import structlog

from bgjobs.vocabulary import Outcome, State
from bgjobs_core.redis.errors import StoreError
from bgjobs_core.store import keys
from bgjobs_operator.interfaces.earlier import is_of_earlier_job
from bgjobs_operator.interfaces.launcher import LauncherUnreachableError, LaunchRefusedError, Refusal
from bgjobs_operator.loops.after_refusal import AfterRefusal, is_final, plan_after_refusal, seconds_after_unknown
from bgjobs_operator.loops.fair_queue import Clock, FairQueue
from bgjobs_operator.loops.flows import DONE, Item, WorkEnd
from bgjobs_operator.loops.troubles import Kind, trouble_of
from bgjobs_operator.loops.walk import walk

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence

    from bgjobs_core.jobs.queue import QueueRecord
    from bgjobs_core.jobs.record import JobRecord
    from bgjobs_core.store.store import Store
    from bgjobs_operator.interfaces.launcher import Launcher
    from bgjobs_operator.loops.after_refusal import RefusalPlan
    from bgjobs_operator.loops.troubles import Trouble

IN_FLIGHT: Final = 32
PERIOD: Final = 2.0  # seconds between two looks at the index
SYSTEM: Final = "bgjobs"
_NOTHING_ASKED: Final = WorkEnd(heard=False)
# Whoever waits behind such a refusal would get the same one.
_ALL_GO_BACK: Final = frozenset({Kind.QUOTA, Kind.FORBIDDEN})

log: Any = structlog.get_logger(__name__)


@dataclass
class Intent:
    """A job to be launched.

    Attributes:
        job: as it was read when it was taken up, for its first try; None: to be read.
        queue: the settings of its queue, as they were then.
        tries: POSTs without a known result.
    """

    job_id: str
    job: JobRecord | None = None
    queue: QueueRecord | None = None
    tries: int = 0


@dataclass
class Launch:
    """Carries out intents.

    Attributes:
        poke_stop: hears of the namespace and id of a job that is to be stopped, and has a KubeJob now.
        cancel_if_unwanted: cancels a job whose request was deleted, and says whether it was. Its event may have been
            lost, and the next reconcile may come too late.
        namespaces: of jobs; intents elsewhere are left as they are.
        in_flight: how many POSTs are under way at once.
        poke_dispatch: there is room for more, after there was none.
        bound: hears the namespace and UID of each KubeJob right after it was bound.
        tell, clock: see `FairQueue`.
        fresh: those of some namespaces whose queues have been seen since this leader took over.
        posting: the jobs whose try is under way at the moment: it binds what it makes.
    """

    store: Store
    launcher: Launcher
    epoch: str
    poke_stop: Callable[[str, str], None]
    tasks: asyncio.TaskGroup
    cancel_if_unwanted: Callable[[JobRecord], Awaitable[bool]]
    namespaces: Collection[str]
    in_flight: int = IN_FLIGHT
    poke_dispatch: Callable[[], None] = lambda: None
    bound: Callable[[str, str], None] = lambda _, __: None
    tell: Callable[[str, str, Trouble | None], None] = lambda _, __, ___: None
    clock: Clock = field(default_factory=asyncio.get_running_loop)
    fresh: Callable[[Collection[str]], Collection[str]] = lambda namespaces: namespaces
    posting: set[str] = field(default_factory=set[str])
    fair: FairQueue[Intent] = field(init=False)
    # A POST of these may have been done, or be on its way still: since when. It is remembered over an interruption.
    _unsure: dict[str, float] = field(default_factory=dict[str, float])
    # The same of those that are to be stopped by now, for as long as such a POST may still arrive.
    _late: dict[str, float] = field(default_factory=dict[str, float])
    # These are being read, or given back; False: what is read of them may be out of date.
    _aside: dict[str, bool] = field(default_factory=dict[str, bool])
    _reading: Counter[str] = field(default_factory=Counter[str])  # how many are being read, by namespace
    _is_crowded: bool = False
    _began: float = field(init=False)

    def __post_init__(self) -> None:
        alone = len(self.namespaces) == 1
        of_one = self.in_flight if alone else max(1, self.in_flight * 3 // 4)
        self.fair = FairQueue(
            "launch", self._work, places=self.in_flight, line=self.in_flight, of_one=of_one, tell=self._tell,
            clock=self.clock,
        )  # fmt: skip
        self._began = self.clock.time()

    async def turn(self) -> float | None:
        """Take up every intent that is not under way, as far as there is room."""
        now = self.clock.time()
        self._late = {job_id: since for job_id, since in self._late.items() if not is_final(now - since)}
        found: dict[str, list[str]] = {}

        def take(namespace: str, job_id: str) -> bool:
            ids = found.setdefault(namespace, [])
            if len(ids) >= self.fair.room(namespace):
                return False
            if not self._is_known(namespace, job_id):
                ids.append(job_id)
            return True

        await walk(self.store, keys.launching, self.fresh(self.namespaces), take)
        for namespace, ids in found.items():
            # Dispatch may have handed over some of them while the index was read.
            ids[:] = [job_id for job_id in ids if not self._is_known(namespace, job_id)]
            self._set_aside(namespace, ids)
        await asyncio.gather(*(self._take_up(namespace, ids, None) for namespace, ids in found.items()))
        return None

    def room(self) -> int:
        """How many more intents can be carried out soon: what is claimed sooner stands before all that comes later."""
        return self.in_flight - self.fair.waiting() - self._reading.total()

    def room_in(self, namespace: str) -> int:
        """How many more can be carried out soon in one namespace."""
        return self.fair.may_begin_soon(namespace) - self._reading[namespace]

    def take(self, queue: str, ids: Sequence[str]) -> None:
        """Take up what was just claimed of a queue (`namespace/name`)."""
        namespace = queue.partition("/")[0]
        new = [job_id for job_id in ids if not self._is_known(namespace, job_id)]
        self._set_aside(namespace, new)
        self.tasks.create_task(self._take_up(namespace, new, queue), name=f"read {queue}")

    def halt(self, job_id: str, namespace: str) -> bool:
        """A job is to be stopped: no POST of it begins from now on; whether one is under way."""
        if job_id in self._aside:
            self._aside[job_id] = False
        known = self.fair.knows(namespace, job_id)
        if known is not None:
            known.what.job = None  # it is read again before its POST
        return job_id in self.posting

    def may_arrive(self, job: JobRecord) -> bool:
        """Whether a POST without an answer may still make the KubeJob of a job that is to be stopped."""
        since = self._unsure.get(job.id, self._late.get(job.id, None if job.epoch == self.epoch else self._began))
        return not is_final(None if since is None else self.clock.time() - since)

    def is_at_rest(self) -> bool:
        """Whether nothing is under way."""
        return not self._aside and self.fair.at_rest()

    def _is_known(self, namespace: str, job_id: str) -> bool:
        return job_id in self._aside or self.fair.knows(namespace, job_id) is not None

    def _set_aside(self, namespace: str, ids: Sequence[str]) -> None:
        self._aside.update(dict.fromkeys(ids, True))
        self._reading[namespace] += len(ids)
        self._is_crowded = self._is_crowded or self.room() < max(1, self.in_flight // 2)

    async def _take_up(self, namespace: str, ids: Sequence[str], queue: str | None) -> None:
        """Read those that were set aside, all at once, and let them wait for their turn."""
        jobs: dict[str, JobRecord] = {}
        settings = None
        try:
            if queue is None:
                jobs = {job.id: job for job in await self.store.jobs(ids)}
            else:
                found, settings = await asyncio.gather(self.store.jobs(ids), self.store.queue(queue))
                jobs = {job.id: job for job in found}
        except StoreError as error:
            log.warning("could not read what was claimed", error=str(error))
        except Exception:
            log.exception("could not read what was claimed", namespace=namespace)  # each is read by itself then
        finally:
            self._reading[namespace] -= len(ids)
            fresh = {job_id: self._aside.pop(job_id) for job_id in ids}
        for job_id in ids:
            self.fair.offer(namespace, job_id, Intent(job_id, jobs.get(job_id) if fresh[job_id] else None, settings))

    async def _work(self, item: Item[Intent]) -> WorkEnd:
        intent = item.what
        if self._is_crowded and self.room() >= max(1, self.in_flight // 2):
            self._is_crowded = False
            self.poke_dispatch()
        # First this, then the read: whoever stops the job looks the other way round, so that one sees the other.
        self.posting.add(intent.job_id)
        try:
            return await self._try(item, intent)
        finally:
            self.posting.discard(intent.job_id)

    async def _try(self, item: Item[Intent], intent: Intent) -> WorkEnd:
        # Read anew at each further try: it may be cancelled, or bound by the observer, and its KubeJob gone since.
        job, intent.job = intent.job or await self.store.job(intent.job_id), None
        queue, intent.queue = intent.queue, None
        if job is None:
            await self.store.forget(namespace=item.namespace, job_id=intent.job_id)
        if job is None or job.state is not State.LAUNCHING:
            self._is_over(intent.job_id, stopped=job is not None and job.state is State.STOPPING)
            return _NOTHING_ASKED
        # An intent of an earlier leader may have been POSTed already, and may even be on its way still.
        unknown_since = self._unsure.get(job.id, None if job.epoch == self.epoch else self._began)
        queue = queue or await self.store.queue(job.queue_key)
        if queue is None or queue.uid != job.queue_uid:  # another queue of that name is not the job's
            if unknown_since is None:
                words = f"there is no queue {job.spec.queue}" + (
                    "" if queue is None else ": another one has its name by now"
                )
                await self._decline(job, State.SCHEDULED, 5, words)
            elif queue is not None:  # it never gets there any more, and holds a slot of the other one
                note = f"the queue {job.spec.queue} was deleted, and another one has its name by now"
                await self.store.stop(job_id=job.id, verdict=Outcome.NEVER_STARTED, by=SYSTEM, note=note)
                self.poke_stop(job.namespace, job.id)
            return _NOTHING_ASKED  # what may have been POSTed waits for its KubeJob to be seen, or for its queue
        if queue.refused and unknown_since is None:
            await self._decline(job, State.SCHEDULED, 5, f"no job of its queue is launched: {queue.refused}")
            return _NOTHING_ASKED
        if await self.cancel_if_unwanted(job):
            self._is_over(job.id, stopped=True)
            return DONE
        self._unsure[job.id] = self.clock.time()
        try:
            uid = await self.launcher.create(job, queue)
        except LauncherUnreachableError as error:
            log.warning("launch unknown", job=job.id, error=str(error))
            intent.tries += 1
            return WorkEnd(seconds_after_unknown(intent.tries - 1), trouble_of(error))
        except LaunchRefusedError as error:
            return await self._refused(item, job, error, unknown_since)
        self.fair.answered(item)
        await self._bind(job, uid)
        self._unsure.pop(job.id, None)
        return DONE

    def _is_over(self, job_id: str, *, stopped: bool) -> None:
        """No POST of a job follows any more."""
        since = self._unsure.pop(job_id, None)
        if stopped and since is not None:
            self._late[job_id] = since

    async def _refused(
        self, item: Item[Intent], job: JobRecord, error: LaunchRefusedError, unknown_since: float | None
    ) -> WorkEnd:
        trouble = trouble_of(error)
        if error.refusal is not Refusal.BUSY:  # it says for sure that this POST has made nothing
            self._unsure.pop(job.id, None)
            if unknown_since is not None:
                self._unsure[job.id] = unknown_since
                # An earlier one may have: a quota, for example, is looked at before the name is.
                there = await self.launcher.find(job.namespace, job.kube_job)
                ours = there is not None and there.job_id == job.id and not is_of_earlier_job(there, job)
                if there is not None and ours and not there.deleting:
                    self.fair.answered(item, trouble)
                    await self._bind(job, there.uid)
                    self._unsure.pop(job.id, None)
                    return DONE
        decided = plan_after_refusal(
            error.refusal,
            final=is_final(None if unknown_since is None else self.clock.time() - unknown_since),
            refusals=job.refusals + item.what.tries,
            retry_after=error.retry_after,
        )
        log.warning("launch refused", job=job.id, refusal=error.refusal, step=decided.step.value, message=error.message)
        if decided.step is AfterRefusal.POST_AGAIN:
            item.what.tries += 1
            return WorkEnd(decided.seconds, trouble)
        self.fair.answered(item, trouble)
        await self._settle_refusal(job, decided, error.message)
        self._unsure.pop(job.id, None)
        if trouble is not None and trouble.kind in _ALL_GO_BACK:
            await self._give_back(item.namespace, decided.seconds, error.message)
        return DONE

    async def _settle_refusal(self, job: JobRecord, decided: RefusalPlan, message: str) -> None:
        match decided.step:
            case AfterRefusal.BACK_TO_QUEUE:
                await self._decline(job, State.SCHEDULED, decided.seconds, message)
            case AfterRefusal.FAIL:
                await self._decline(job, State.FAILED, 0, message)
            case AfterRefusal.CANCEL:
                await self.store.stop(job_id=job.id, verdict=Outcome.CANCELLED, by=SYSTEM, note=message)
            case AfterRefusal.POST_AGAIN:
                pass

    async def _decline(
        self, job: JobRecord, target: Literal[State.SCHEDULED, State.FAILED], seconds: float, reason: str
    ) -> None:
        back_off = round(seconds * 1000)
        await self.store.decline(epoch=self.epoch, job_id=job.id, target=target, back_off_ms=back_off, reason=reason)

    async def _give_back(self, namespace: str, seconds: float, message: str) -> None:
        """Those of a namespace that were claimed and not POSTed go back to their queues."""

        def was_never_posted(intent: Intent) -> bool:
            return intent.job is not None and intent.job.epoch == self.epoch and intent.job_id not in self._unsure

        gone = self.fair.withdraw(namespace, was_never_posted)
        self._aside.update({intent.job_id: False for intent in gone})
        try:
            jobs = [intent.job for intent in gone if intent.job is not None]
            await asyncio.gather(*(self._decline(job, State.SCHEDULED, seconds, message) for job in jobs))
        finally:
            for intent in gone:
                self._aside.pop(intent.job_id, None)

    async def _bind(self, job: JobRecord, uid: str) -> None:
        reply = await self.store.bind(job_id=job.id, kube_uid=uid)
        if reply.did in {"stray", "missing"}:
            log.warning("stray KubeJob", job=job.id, kube_uid=uid, state=reply.state)
            await self.launcher.delete(job.namespace, job.kube_job, uid)
        elif reply.state == State.STOPPING:
            self.poke_stop(job.namespace, job.id)
        else:
            self.bound(job.namespace, uid)

    def _tell(self, loop: str, namespace: str, trouble: Trouble | None) -> None:
        if trouble is None:
            self.poke_dispatch()
        self.tell(loop, namespace, trouble)
