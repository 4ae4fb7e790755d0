"""launch: for every intent (a job in `launching`) the KubeJob is POSTed and its UID bound.

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
    from collections.abc import Awaitable, Callable, Collection

    from bgjobs_core.jobs.record import JobRecord
    from bgjobs_core.store.store import Store
    from bgjobs_operator.interfaces.launcher import Launcher

IN_FLIGHT: Final = 32
SYSTEM: Final = "bgjobs"

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
    """Keeps at most `IN_FLIGHT` intents under way.

    Attributes:
        cancel_if_unwanted: cancels a job whose request was deleted, and says whether it was. Its event may have been
            lost, and the next reconcile may come too late.
        namespaces: of jobs; intents elsewhere are left as they are.
        under_way: intents that this process carries out at the moment.
        sleep: replaced in tests.
    """

    store: Store
    launcher: Launcher
    epoch: str
    poke_stop: Callable[[], None]
    tasks: asyncio.TaskGroup
    cancel_if_unwanted: Callable[[JobRecord], Awaitable[bool]]
    namespaces: Collection[str]
    under_way: dict[str, asyncio.Event] = field(default_factory=dict[str, asyncio.Event])
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    # A POST of these may have been done, or be on its way still; it is remembered over an interruption.
    _unsure: set[str] = field(default_factory=set[str])
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(IN_FLIGHT))

    async def turn(self) -> float | None:
        """Take up every intent that is not under way."""
        async for job_id in self.store.all_ids_in(keys.launching):
            if job_id not in self.under_way:
                self.under_way[job_id] = asyncio.Event()
                self.tasks.create_task(self._carry(job_id), name=f"launch {job_id}")
        return None

    async def _carry(self, job_id: str) -> None:
        try:
            async with self._slots:
                await self._launch(job_id)
        except (StoreError, KubeError, LauncherUnreachableError) as error:
            log.warning("launch interrupted", job=job_id, error=str(error))  # the next turn takes it up again
        except Exception:
            log.exception("launch failed unexpectedly", job=job_id)
        finally:
            self.under_way.pop(job_id).set()

    async def _launch(self, job_id: str) -> None:
        tries = 0
        # Read anew at each try: it may be cancelled, or bound by the observer, and its KubeJob gone since.
        while (job := await self.store.job(job_id)) is not None and job.state is State.LAUNCHING:
            end_if_cancelled()
            if job.namespace not in self.namespaces:
                return
            # An intent of an earlier leader may have been POSTed already, and may even be on its way still.
            first = job.epoch == self.epoch and job_id not in self._unsure
            queue = await self.store.queue(job.queue_key)
            if queue is None:
                if first:
                    reason = f"there is no queue {job.spec.queue}"
                    await self.store.decline(
                        epoch=self.epoch, job_id=job_id, target=State.SCHEDULED, back_off_ms=5000, reason=reason
                    )
                return  # what may have been POSTed waits for its KubeJob to be seen, or for its queue
            if await self.cancel_if_unwanted(job):
                break
            self._unsure.add(job_id)
            try:
                uid = await self.launcher.create(job, queue)
            except LauncherUnreachableError as error:
                log.warning("launch unknown", job=job_id, error=str(error))
                await self._pause(min(30.0, 0.5 * 2 ** min(tries, 6)))
            except LaunchRefusedError as error:
                if first and error.refusal is not Refusal.BUSY:
                    self._unsure.discard(job_id)
                decided = plan_after_refusal(
                    error.refusal, first=first, refusals=job.refusals + tries, retry_after=error.retry_after
                )
                log.warning(
                    "launch refused", job=job_id, refusal=error.refusal, step=decided.step.value, message=error.message
                )
                if await self._settle_refusal(job, decided, error.message):
                    break
                await self._pause(decided.seconds)
            else:
                await self._bind(job, uid)
                break
            tries += 1
        self._unsure.discard(job_id)

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

    async def _pause(self, seconds: float) -> None:
        await self.sleep(seconds * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
