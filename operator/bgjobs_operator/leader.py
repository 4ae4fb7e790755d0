"""What the leader runs: the loops, the doorbell that wakes them, and the observers."""

from __future__ import annotations

import asyncio
import secrets
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import structlog

from bgjobs_core.cancellation import end_if_cancelled
from bgjobs_core.jobs.orphans import GONE_SECONDS
from bgjobs_core.kube.errors import KubeError
from bgjobs_core.redis.errors import StoreError
from bgjobs_core.redis.memory import MemoryGate
from bgjobs_core.resources.models import REQUESTS
from bgjobs_core.store.doorbell import MAX_BLOCK_MS
from bgjobs_operator.interfaces.launcher import LauncherUnreachableError
from bgjobs_operator.loops.admit import PERIOD as ADMIT_PERIOD
from bgjobs_operator.loops.admit import Admit, cancel_with_request
from bgjobs_operator.loops.backlog import Backlog
from bgjobs_operator.loops.bulk import PERIOD as BULK_PERIOD
from bgjobs_operator.loops.bulk import Bulk
from bgjobs_operator.loops.dispatch import LONGEST_SLEEP, Dispatch
from bgjobs_operator.loops.expire import PERIOD as EXPIRE_PERIOD
from bgjobs_operator.loops.expire import Expire
from bgjobs_operator.loops.fresh_queues import FreshQueues
from bgjobs_operator.loops.holds import PERIOD as HOLDS_PERIOD
from bgjobs_operator.loops.holds import Holds
from bgjobs_operator.loops.launch import IN_FLIGHT, Launch
from bgjobs_operator.loops.launch import PERIOD as LAUNCH_PERIOD
from bgjobs_operator.loops.loop import Loop
from bgjobs_operator.loops.observe import Observer, observe_queue
from bgjobs_operator.loops.orphans import PERIOD as ORPHANS_PERIOD
from bgjobs_operator.loops.orphans import Orphans
from bgjobs_operator.loops.pending import PERIOD as PENDING_PERIOD
from bgjobs_operator.loops.pending import Pending
from bgjobs_operator.loops.reconcile import PERIOD, Reconcile
from bgjobs_operator.loops.retire import LONGEST_SLEEP as RETIRE_SLEEP
from bgjobs_operator.loops.retire import Retire
from bgjobs_operator.loops.rollback import PERIOD as ROLLBACK_PERIOD
from bgjobs_operator.loops.rollback import Rollback, sure_ms
from bgjobs_operator.loops.schedule import PERIOD as SCHEDULE_PERIOD
from bgjobs_operator.loops.schedule import Schedule
from bgjobs_operator.loops.settle import PERIOD as SETTLE_PERIOD
from bgjobs_operator.loops.settle import Settle
from bgjobs_operator.loops.stop import PERIOD as STOP_PERIOD
from bgjobs_operator.loops.stop import Stop
from bgjobs_operator.loops.suspend import PERIOD as SUSPEND_PERIOD
from bgjobs_operator.loops.suspend import Suspend
from bgjobs_operator.loops.unblock import PERIOD as UNBLOCK_PERIOD
from bgjobs_operator.loops.unblock import Unblock
from bgjobs_operator.pokes import Pokes

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from bgjobs_core.jobs.record import JobRecord
    from bgjobs_core.store.doorbell import Doorbell
    from bgjobs_core.store.store import Store
    from bgjobs_operator.health.health import Health
    from bgjobs_operator.interfaces.launcher import Launcher
    from bgjobs_operator.interfaces.resources import ResourcesApi
    from bgjobs_operator.loops.fair_queue import FairQueue

log: Any = structlog.get_logger(__name__)

_RETRY_SECONDS: Final = 1.0


class Leader:
    """Everything that only one replica does.

    Attributes:
        rollback: compares Redis with what is remembered of it outside; whoever holds the Lease keeps that there.
        schedule_pokes: hears of each schedule to which something happens; with the name "", of a namespace in which
            something may have happened.
    """

    def __init__(
        self,
        store: Store,
        doorbell: Doorbell,
        launcher: Launcher,
        api: ResourcesApi,
        pokes: Pokes,
        namespaces: Sequence[str],
        keep_seconds: float,
        health: Health,
        launch_in_flight: int = IN_FLIGHT,
        queue_gone_seconds: float = GONE_SECONDS,
        gate: MemoryGate | None = None,
        allowed_pod_features: Collection[str] = (),
        *,
        with_kueue: bool = False,
    ) -> None:
        self._store = store
        self._doorbell = doorbell
        self._launcher = launcher
        self._api = api
        self._pokes = pokes
        self._namespaces = namespaces
        self._keep_seconds = keep_seconds
        self._health = health
        self._launch_in_flight = launch_in_flight
        self._queue_gone_seconds = queue_gone_seconds
        self._allowed_pod_features = allowed_pod_features
        self._with_kueue = with_kueue
        self._gate = gate or MemoryGate(store, time.monotonic)
        self._loops: dict[str, Loop] = {}
        self.rollback = Rollback(store, tell=health.holds, sure=sure_ms(keep_seconds))
        self.schedule_pokes = Pokes(lambda: self.poke("schedule"), kept=False)

    def poke(self, name: str) -> None:
        """Wake a loop, if we lead."""
        if loop := self._loops.get(name):
            loop.poke()

    async def lead(self) -> None:
        """Until cancelled, or until another leader has taken over (then NotLeaderError)."""
        epoch = await self._take_over()
        self._pokes.begin()
        self.schedule_pokes.begin()
        try:
            async with asyncio.TaskGroup() as tasks:
                await self._work(epoch, tasks)
        finally:
            self._pokes.end()
            self.schedule_pokes.end()

    async def _work(self, epoch: str, tasks: asyncio.TaskGroup) -> None:
        health, store, namespaces = self._health, self._store, self._namespaces
        health.namespaces.ours = namespaces
        tell = health.namespaces.tell
        observers: dict[str, Observer] = {}

        def poke_launching() -> None:
            self.poke("launch")
            self.poke("dispatch")

        fresh = FreshQueues(poke_launching)

        def poke_stop(namespace: str, job_id: str) -> None:
            stop.look_at(namespace, job_id)

        launch = Launch(
            store,
            self._launcher,
            epoch,
            poke_stop,
            tasks,
            partial(cancel_with_request, store, self._api),
            namespaces,
            self._launch_in_flight,
            lambda: self.poke("dispatch"),
            lambda namespace, uid: observers[namespace].bound(uid),
            tell,
            fresh=fresh.among,
        )
        dispatch = Dispatch(store, epoch, namespaces, launch.room, launch.take, launch.room_in, fresh.among)
        dispatch.floor, dispatch.older = self.rollback.floor, lambda: self.poke("rollback")
        stop = Stop(store, self._launcher, namespaces, launch.halt, tell, may_arrive=launch.may_arrive)
        suspend = Suspend(store, self._launcher, namespaces, tell)
        settle = Settle(store, self._api, namespaces, tell)
        pending = Pending(store, self._launcher, namespaces, tell, launches_since=self.rollback.launches_since)
        retire = Retire(store, self._launcher, self._keep_seconds, namespaces, self._drop_request, tell=tell)
        admit = Admit(store, self._api, self._pokes, self._gate, tell, seen=fresh.looked_at)
        admit.allowed_pod_features, admit.with_kueue = self._allowed_pod_features, self._with_kueue
        schedule = Schedule(
            store, self._api, self.schedule_pokes, namespaces, lambda: self.poke("schedule"), self._gate, tell
        )
        observe = observe_queue(tell)
        backlog = Backlog(store, self._pokes, admit.queues_known, admit.others_may_go_on, self._gate)
        settle.can_wait = backlog.is_taken
        reconcile = Reconcile(
            store, self._api, self._pokes, observers, lambda: self._poke_all("reconcile"), settle.write_again, tell,
            listed=fresh.listed, take=backlog.take,
        )  # fmt: skip
        for namespace in namespaces:
            observers[namespace] = Observer(
                store,
                self._launcher,
                self._api,
                namespace,
                observe,
                stop.look_at,
                partial(self._listed, namespace, reconcile),
                launch.posting.__contains__,
                launch.fair.try_soon,
                suspend.look_at,
            )
        queues: list[FairQueue[Any]] = [
            launch.fair, stop.fair, suspend.fair, settle.fair, pending.fair, retire.fair, admit.fair, schedule.fair,
            observe, reconcile.fair,
        ]  # fmt: skip
        loops = [
            Loop("admit", admit.turn, ADMIT_PERIOD),
            Loop("dispatch", dispatch.turn, LONGEST_SLEEP),
            Loop("expire", Expire(store).turn, EXPIRE_PERIOD),
            Loop("unblock", Unblock(store).turn, UNBLOCK_PERIOD),
            Loop("holds", Holds(store).turn, HOLDS_PERIOD),
            Loop("bulk", Bulk(store, epoch, namespaces, self._gate).turn, BULK_PERIOD),
            Loop("launch", self.rollback.unless_older(launch.turn), LAUNCH_PERIOD),
            Loop("stop", stop.turn, STOP_PERIOD),
            Loop("suspend", suspend.turn, SUSPEND_PERIOD),
            Loop("settle", settle.turn, SETTLE_PERIOD),
            Loop("pending", pending.turn, PENDING_PERIOD),
            Loop("schedule", self.rollback.unless_held(schedule.turn), SCHEDULE_PERIOD),
            Loop("reconcile", reconcile.turn, PERIOD),
            Loop("retire", self.rollback.unless_held(retire.turn), RETIRE_SLEEP),
            Loop("rollback", self.rollback.turn, ROLLBACK_PERIOD),
            Loop("orphans", Orphans(store, self._queue_gone_seconds).turn, ORPHANS_PERIOD),
        ]
        self._loops = {loop.name: loop for loop in loops}
        health.begin(epoch, loops)
        try:
            for queue in queues:
                tasks.create_task(queue.run(), name=f"work of {queue.name}")
            for loop in loops:
                tasks.create_task(loop.run(), name=loop.name)
            for observer in observers.values():
                tasks.create_task(self._observe(observer), name=f"observe {observer.namespace}")
            await self._listen(dispatch)
        finally:
            self._loops = {}
            health.end()

    async def _take_over(self) -> str:
        epoch = secrets.token_hex(8)
        while True:
            end_if_cancelled()
            try:
                store_id, seq = await self._store.lead(epoch)
                self.rollback.epoch = epoch
                await self.rollback.turn()
            except StoreError as error:
                self._health.waits_for("redis", str(error))
                log.warning("waiting for Redis", error=str(error))
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                self._health.waits_for("redis", "")
                log.info("took over", epoch=epoch, store_id=store_id, seq=seq)
                return epoch

    async def _listen(self, dispatch: Dispatch) -> None:
        while True:
            end_if_cancelled()
            try:
                rung = await self._doorbell.wait(MAX_BLOCK_MS)
                if "dispatch" in rung.loops:
                    dispatch.hear(rung.queues)
                for name in rung.loops:
                    self.poke(name)
            except StoreError as error:
                log.warning("doorbell", error=str(error))
                await asyncio.sleep(_RETRY_SECONDS)

    async def _observe(self, observer: Observer) -> None:
        while True:
            try:
                await observer.run()
            except (StoreError, KubeError, LauncherUnreachableError) as error:
                # The event is lost with this; a fresh list brings everything again.
                log.warning("observer interrupted", namespace=observer.namespace, error=str(error))
                self._health.watched(observer.namespace, str(error))
            except Exception as error:
                log.exception("observer failed unexpectedly", namespace=observer.namespace)
                self._health.watched(observer.namespace, repr(error))
            await asyncio.sleep(_RETRY_SECONDS)

    def _listed(self, namespace: str, reconcile: Reconcile) -> None:
        self._health.watched(namespace, "")
        reconcile.look_at(namespace)

    def _poke_all(self, but: str) -> None:
        for name in self._loops:
            if name != but:
                self.poke(name)

    async def _drop_request(self, job: JobRecord) -> None:
        await self._api.delete(REQUESTS, job.namespace, job.request_name, job.request_uid)
