"""launch: for every intent (a job in `launching`) the KubeJob is POSTed and its UID bound.

Dispatch hands over what it has claimed; the index of launching jobs, which is read now and then, has what an earlier
leader claimed and what nobody heard of because a reply was lost.

After an unknown result the same name is POSTed again until the answer is 201 or 409. An intent goes back
to the queue only when its first POST was definitely refused: then no KubeJob of it can exist.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

import structlog

from bgjobs.vocabulary import Outcome, State
from bgjobs_core.cancellation import end_if_cancelled
from bgjobs_core.kube.errors import KubeError
from bgjobs_core.redis.errors import StoreError
from bgjobs_core.store import keys
from bgjobs_operator.interfaces.launcher import LauncherUnreachableError, LaunchRefusedError, Refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence

    from bgjobs_core.jobs.queue import QueueRecord
    from bgjobs_core.jobs.record import JobRecord
    from bgjobs_core.store.store import Store
    from bgjobs_operator.interfaces.launcher import Launcher

IN_FLIGHT: Final = 32
PERIOD: Final = 2.0  # seconds between two looks at the index
SYSTEM: Final = "bgjobs"

if TYPE_CHECKING:
    _Settings = asyncio.Task[QueueRecord | Exception | None]

log: Any = structlog.get_logger(__name__)


class AfterRefusal(Enum):
    """What is done with a job whose KubeJob Kubernetes has refused."""

    BACK_TO_QUEUE = "back to the queue"
    FAIL = "fail the job"
    CANCEL = "cancel the job"
    POST_AGAIN = "POST the same name again"


@dataclass(frozen=True)
class RefusalPlan:
    """What is done after a refusal, and how many seconds pass before the next try."""

    step: AfterRefusal
    seconds: float


def plan_after_refusal(
    refusal: Refusal, *, first: bool, refusals: int, retry_after: float | None = None
) -> RefusalPlan:
    """What to do after a refusal.

    Args:
        refusal: its kind.
        first: whether it answered the first POST of this intent, and no other may be under way.
        refusals: how often this job was declined before.
        retry_after: seconds, if the server said so.
    """
    back_off = retry_after or min(60.0, 1.0 * 2 ** min(refusals, 6))
    if refusal is Refusal.TERMINATING:
        return RefusalPlan(AfterRefusal.CANCEL, 0)
    if refusal is Refusal.BUSY or not first:
        return RefusalPlan(AfterRefusal.POST_AGAIN, retry_after or min(30.0, 0.5 * 2 ** min(refusals, 6)))
    if refusal is Refusal.INVALID:
        return RefusalPlan(AfterRefusal.FAIL, 0)
    if refusal is Refusal.FORBIDDEN:
        return RefusalPlan(AfterRefusal.BACK_TO_QUEUE, 30.0)
    return RefusalPlan(AfterRefusal.BACK_TO_QUEUE, back_off)


@dataclass
class Launch:
    """Carries out intents, so many at once; one that waits for its next try does not count.

    Attributes:
        cancel_if_unwanted: cancels a job whose request was deleted, and says whether it was. Its event may have been
            lost, and the next reconcile may come too late.
        namespaces: of jobs; intents elsewhere are left as they are.
        in_flight: how many are carried out at once.
        poke_dispatch: there is room for more, after there was none.
        bound: hears the namespace and UID of each KubeJob right after it was bound.
        under_way: intents that this process carries out, those that wait for a try included.
        posting: those whose try is under way at the moment: it binds what it makes.
        sleep: replaced in tests.
    """

    store: Store
    launcher: Launcher
    epoch: str
    poke_stop: Callable[[], None]
    tasks: asyncio.TaskGroup
    cancel_if_unwanted: Callable[[JobRecord], Awaitable[bool]]
    namespaces: Collection[str]
    in_flight: int = IN_FLIGHT
    poke_dispatch: Callable[[], None] = lambda: None
    bound: Callable[[str, str], None] = lambda _, __: None
    under_way: dict[str, asyncio.Event] = field(default_factory=dict[str, asyncio.Event])
    posting: set[str] = field(default_factory=set[str])
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    # A POST of these may have been done, or be on its way still; it is remembered over an interruption.
    _unsure: set[str] = field(default_factory=set[str])
    _waiting: int = 0  # for their first try
    _slots: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self._slots = asyncio.Semaphore(self.in_flight)

    async def turn(self) -> float | None:
        """Take up every intent that is not under way."""
        for namespace in await self.store.namespaces():
            async for job_id in self.store.all_ids_in(keys.launching, namespace):
                self._take_up(job_id, None)
        return None

    def room(self) -> int:
        """How many more intents can be carried out soon: what is claimed sooner stands before all that comes later."""
        return self.in_flight - self._waiting

    def take(self, queue: str, ids: Sequence[str]) -> None:
        """Take up what was just claimed of a queue (`namespace/name`), whose settings are read once for all of it."""
        settings = self.tasks.create_task(self._settings(queue), name=f"settings of {queue}")
        for job_id in ids:
            self._take_up(job_id, settings)

    async def _settings(self, queue: str) -> QueueRecord | Exception | None:
        try:
            return await self.store.queue(queue)
        except Exception as error:  # noqa: BLE001 - it is told to those who wait for it, and does not end the leader
            return error

    def _take_up(self, job_id: str, settings: _Settings | None) -> None:
        if job_id not in self.under_way:
            self.under_way[job_id] = asyncio.Event()
            self._waiting += 1
            self.tasks.create_task(self._carry(job_id, settings), name=f"launch {job_id}")

    async def _carry(self, job_id: str, settings: _Settings | None) -> None:
        tries = 0
        try:
            while True:
                async with self._slots:
                    if tries == 0:
                        self._begun()
                    pause = await self._try(job_id, tries, settings if tries == 0 else None)
                if pause is None:
                    break
                await self._pause(pause)
                end_if_cancelled()
                tries += 1
        except (StoreError, KubeError, LauncherUnreachableError) as error:
            log.warning("launch interrupted", job=job_id, error=str(error))  # the next turn takes it up again
        except Exception:
            log.exception("launch failed unexpectedly", job=job_id)
        finally:
            self.under_way.pop(job_id).set()

    def _begun(self) -> None:
        self._waiting -= 1
        if self._waiting == self.in_flight // 2:
            self.poke_dispatch()

    async def _try(self, job_id: str, tries: int, settings: _Settings | None) -> float | None:
        """Carry out an intent; after how many seconds to try again, or None if that is not to be done."""
        # Read anew at each try: it may be cancelled, or bound by the observer, and its KubeJob gone since.
        job = await self.store.job(job_id)
        if job is None or job.state is not State.LAUNCHING:
            self._unsure.discard(job_id)
            return None
        if job.namespace not in self.namespaces:
            return None
        # An intent of an earlier leader may have been POSTed already, and may even be on its way still.
        first = job.epoch == self.epoch and job_id not in self._unsure
        queue = await (self.store.queue(job.queue_key) if settings is None else _said(settings))
        if queue is None:
            if first:
                reason = f"there is no queue {job.spec.queue}"
                await self.store.decline(
                    epoch=self.epoch, job_id=job_id, target=State.SCHEDULED, back_off_ms=5000, reason=reason
                )
            return None  # what may have been POSTed waits for its KubeJob to be seen, or for its queue
        if await self.cancel_if_unwanted(job):
            self._unsure.discard(job_id)
            return None
        self._unsure.add(job_id)
        self.posting.add(job_id)
        try:
            return await self._post(job, queue, first=first, tries=tries)
        finally:
            self.posting.discard(job_id)

    async def _post(self, job: JobRecord, queue: QueueRecord, *, first: bool, tries: int) -> float | None:
        try:
            uid = await self.launcher.create(job, queue)
        except LauncherUnreachableError as error:
            log.warning("launch unknown", job=job.id, error=str(error))
            return min(30.0, 0.5 * 2 ** min(tries, 6))
        except LaunchRefusedError as error:
            if first and error.refusal is not Refusal.BUSY:
                self._unsure.discard(job.id)
            decided = plan_after_refusal(
                error.refusal, first=first, refusals=job.refusals + tries, retry_after=error.retry_after
            )
            log.warning(
                "launch refused", job=job.id, refusal=error.refusal, step=decided.step.value, message=error.message
            )
            if not await self._settle_refusal(job, decided, error.message):
                return decided.seconds
        else:
            await self._bind(job, uid)
        self._unsure.discard(job.id)
        return None

    async def _settle_refusal(self, job: JobRecord, decided: RefusalPlan, message: str) -> bool:
        match decided.step:
            case AfterRefusal.BACK_TO_QUEUE:
                await self.store.decline(
                    epoch=self.epoch,
                    job_id=job.id,
                    target=State.SCHEDULED,
                    back_off_ms=round(decided.seconds * 1000),
                    reason=message,
                )
            case AfterRefusal.FAIL:
                await self.store.decline(
                    epoch=self.epoch, job_id=job.id, target=State.FAILED, back_off_ms=0, reason=message
                )
            case AfterRefusal.CANCEL:
                await self.store.stop(job_id=job.id, verdict=Outcome.CANCELLED, by=SYSTEM, note=message)
            case AfterRefusal.POST_AGAIN:
                return False
        return True

    async def _bind(self, job: JobRecord, uid: str) -> None:
        reply = await self.store.bind(job_id=job.id, kube_uid=uid)
        if reply.did in {"stray", "missing"}:
            log.warning("stray KubeJob", job=job.id, kube_uid=uid, state=reply.state)
            await self.launcher.delete(job.namespace, job.kube_job, uid)
        elif reply.state == State.STOPPING:
            self.poke_stop()
        else:
            self.bound(job.namespace, uid)

    async def _pause(self, seconds: float) -> None:
        await self.sleep(seconds * random.uniform(0.5, 1.0))  # noqa: S311 - jitter


async def _said(settings: _Settings) -> QueueRecord | None:
    found = await asyncio.shield(settings)  # others wait for it, too
    if isinstance(found, Exception):
        raise found
    return found
