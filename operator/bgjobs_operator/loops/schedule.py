"""schedule: a job for each tick of a schedule, exactly one, however often it is looked at.

A schedule is looked at when it ticks, when something happens to its object, and when somebody wishes something of it.
What is to be done then is decided by `bgjobs_core.jobs.schedule`.
"""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import structlog
from pydantic import ValidationError

from bgjobs import strict_json
from bgjobs.vocabulary import TERMINAL
from bgjobs_core.actions.cancel import cancel
from bgjobs_core.actions.enqueue import enqueue
from bgjobs_core.actions.errors import (
    AlreadyEndedError,
    IdTakenError,
    JobNotFoundError,
    NoRoomError,
    NotAdmittedError,
)
from bgjobs_core.jobs import schedule as policy
from bgjobs_core.jobs.ids import is_stored_id, schedule_job_id
from bgjobs_core.jobs.record import AskedJob
from bgjobs_core.kube.errors import KubeRefusedError
from bgjobs_core.kube.objects import part
from bgjobs_core.resources.models import SCHEDULES
from bgjobs_core.resources.schedules import ScheduleSpec, ScheduleStatus
from bgjobs_operator.loops import schedule_status
from bgjobs_operator.loops.admit import is_gone
from bgjobs_operator.loops.fair_queue import LINE, Clock, FairQueue
from bgjobs_operator.loops.request_status import camel, no_room
from bgjobs_operator.loops.schedule_status import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from bgjobs_core.jobs.schedule_record import ScheduleRecord
    from bgjobs_core.kube.objects import Object
    from bgjobs_core.redis.memory import MemoryGate
    from bgjobs_core.store.store import Store
    from bgjobs_operator.interfaces.resources import ResourcesApi
    from bgjobs_operator.loops.flows import Item
    from bgjobs_operator.loops.schedule_status import Status
    from bgjobs_operator.loops.troubles import Trouble
    from bgjobs_operator.pokes import Pokes

PERIOD: Final = 60.0
_AT_ONCE: Final = 8
_NO_ROOM_SECONDS: Final = 5.0
_FULL_LINE_SECONDS: Final = 1.0
_NOT_FOUND: Final = 404

log: Any = structlog.get_logger(__name__)


@dataclass(frozen=True)
class _Seen:
    """A schedule as it was last looked at.

    Attributes:
        uid: of the object.
        generation: of the object; -1 if the look did not come to its end.
        said: the status that followed from it.
    """

    uid: str
    generation: int
    said: Status


@dataclass
class _Look:
    """One look at a schedule."""

    obj: Object
    spec: ScheduleSpec
    parameters: str
    known: policy.Settled
    news: Problem | str | None = None

    @property
    def name(self) -> str:
        return str(self.obj["metadata"]["name"])

    @property
    def namespace(self) -> str:
        return str(self.obj["metadata"]["namespace"])


@dataclass
class Schedule:
    """The loop that makes the jobs of schedules.

    Attributes:
        pokes: schedules to which something has happened.
        namespaces: whose schedules are followed.
        wake: wakes this loop, when it is known when a schedule ticks next.
        gate: says whether Redis has room for more jobs.
        tell, clock, line: see `FairQueue`.
    """

    store: Store
    api: ResourcesApi
    pokes: Pokes
    namespaces: Collection[str]
    wake: Callable[[], None] = lambda: None
    gate: MemoryGate | None = None
    tell: Callable[[str, str, Trouble | None], None] = lambda _, __, ___: None
    clock: Clock = field(default_factory=asyncio.get_running_loop)
    line: int = LINE
    fair: FairQueue[None] = field(init=False)
    # When each is to be looked at, as Unix seconds. The name "" stands for the list of all that a namespace has.
    _due: dict[tuple[str, str], float] = field(default_factory=dict[tuple[str, str], float])
    _seen: dict[tuple[str, str], _Seen] = field(default_factory=dict[tuple[str, str], _Seen])
    _list_at: float = 0.0
    _sleeps_until: float = 0.0

    def __post_init__(self) -> None:
        self.fair = FairQueue("schedule", self._work, places=_AT_ONCE, line=self.line, tell=self.tell, clock=self.clock)

    async def turn(self) -> float | None:
        """Offer every schedule that is due; how long until the next one is."""
        now = await self.store.now_ms() / 1000
        while (poke := self.pokes.take()) is not None:
            self._due[poke.namespace, poke.name] = 0.0
        for key in await self.store.wished_schedules():
            namespace, _, name = key.partition("/")
            if namespace in self.namespaces:
                self._due[namespace, name] = 0.0
        if now >= self._list_at:
            self._list_at = now + PERIOD
            self._due |= dict.fromkeys(((namespace, "") for namespace in self.namespaces), 0.0)
        following = self._list_at
        for (namespace, name), at in list(self._due.items()):
            if at > now:
                following = min(following, at)
            elif self.fair.offer(namespace, name, None, now=True):
                del self._due[namespace, name]
            else:
                following = min(following, now + _FULL_LINE_SECONDS)
        self._sleeps_until = following
        return following - now

    async def _work(self, item: Item[None]) -> None:
        if item.key:
            at = await self._look_at(item.namespace, item.key)
            if at is not None:
                key = item.namespace, item.key
                self._due[key] = min(at, self._due.get(key, at))
                if at < self._sleeps_until:
                    self.wake()
        else:
            await self._list(item.namespace)
            self.wake()

    async def _list(self, namespace: str) -> None:
        """Look at what has changed unnoticed, and at what has jobs that may have ended."""
        there = set[str]()
        try:
            async with aclosing(self.api.pages(SCHEDULES, namespace)) as found:
                async for obj in found:
                    metadata = obj["metadata"]
                    there.add(metadata["name"])
                    seen = self._seen.get((namespace, metadata["name"]))
                    is_known = seen is not None and (seen.uid, seen.generation) == (
                        metadata["uid"], metadata["generation"]
                    )  # fmt: skip
                    if seen is None or not is_known or seen.said.get("active"):
                        self._due[namespace, metadata["name"]] = 0.0
        except KubeRefusedError as error:
            if error.status != _NOT_FOUND:
                raise
            # The definition of the resource is missing, as after an upgrade by Helm: there are no schedules then.
        known = {key.partition("/")[2] for key in await self.store.schedule_keys() if key.startswith(f"{namespace}/")}
        known |= {name for where, name in self._seen if where == namespace}
        self._due |= dict.fromkeys(((namespace, name) for name in known - there), 0.0)

    async def _look_at(self, namespace: str, name: str) -> float | None:
        """Do what is due of a schedule; when it is to be looked at again."""
        key = f"{namespace}/{name}"
        obj = await self.api.get(SCHEDULES, namespace, name)
        if obj is None or is_gone(obj, obj["metadata"]["uid"]):
            self._seen.pop((namespace, name), None)
            await self.store.drop_schedule(schedule=key)
            return None
        wish = await self.store.schedule(key)
        if wish is not None and wish.wish_suspend is not None:
            obj = await self._suspend(obj, wish)
            if obj is None:
                return 0.0
        uid, generation = obj["metadata"]["uid"], obj["metadata"]["generation"]
        seen = self._seen.get((namespace, name))
        before: Status = seen.said if seen is not None and seen.uid == uid else part(obj, "status")
        now_ms = await self.store.now_ms()
        look = self._read(obj, before, now_ms // 1000)
        if isinstance(look, Problem):
            kept = {field: value for field, value in part(obj, "status").items() if field != "conditions"}
            said = {**kept, "observedGeneration": generation}
            said["conditions"] = [schedule_status.ready(obj, before, None, look, now_ms)]
            again = None
        else:
            again = await self._carry_out(look, wish, now_ms // 1000)
            said: Status = {"observedGeneration": generation, **look.known.status(look.spec, now_ms // 1000)}
            said["conditions"] = [schedule_status.ready(obj, before, look.spec, look.news, now_ms)]
        self._seen[namespace, name] = _Seen(uid, -1, said)
        if part(obj, "status") != said and not await self.api.apply_status(SCHEDULES, namespace, name, uid, said):
            return 0.0
        spec, parameters = (None, "") if isinstance(look, Problem) else (look.spec, look.parameters)
        await self.store.put_schedule(schedule_status.record(obj, spec, parameters, said, wish))
        self._seen[namespace, name] = _Seen(uid, generation, said)
        if again is not None or isinstance(look, Problem) or look.spec.suspend:
            return again
        return look.spec.ticks().after(now_ms // 1000)

    async def _suspend(self, obj: Object, wish: ScheduleRecord) -> Object | None:
        """Do what was wished, if it is not so already; the object as it is then."""
        suspend = wish.wish_suspend == "1"
        if part(obj, "spec").get("suspend", False) is suspend:
            return obj
        metadata = obj["metadata"]
        log.info("schedule is suspended" if suspend else "schedule is resumed", schedule=wish.key, by=wish.wish_by)
        return await self.api.suspend(
            SCHEDULES, metadata["namespace"], metadata["name"], metadata["uid"], suspend=suspend, by=wish.wish_by
        )

    def _read(self, obj: Object, before: Status, now: int) -> _Look | Problem:
        try:
            spec = ScheduleSpec.model_validate(part(obj, "spec"))
            parameters = strict_json.dumps(spec.job.parameters, "parameters")
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(["spec", *(str(one) for one in first["loc"])])
            return Problem(schedule_status.INVALID, f"{where}: {first['msg'].removeprefix('Value error, ')}"[:1000])
        except strict_json.NotJSONError as error:
            return Problem(schedule_status.INVALID, str(error)[:1000])
        try:
            status = ScheduleStatus.model_validate(before)
        except ValidationError:  # somebody else has written it
            status = ScheduleStatus()
        created = obj["metadata"].get("creationTimestamp")
        made = now if created is None else round(datetime.fromisoformat(created).astimezone(UTC).timestamp())
        return _Look(obj, spec, parameters, policy.settled(status, spec, made, now))

    async def _carry_out(self, look: _Look, wish: ScheduleRecord | None, now: int) -> float | None:
        """Make the jobs of the ticks that are due; when to look again, if that is before the next tick."""
        uid = look.obj["metadata"]["uid"]
        ran = [] if wish is None else [one for one in wish.ran if is_stored_id(one)]
        if ran:
            look.known = replace(look.known.with_active(ran), last_job=ran[-1])
        waiting = policy.pending(look.spec, look.known, now)
        wanted = [*look.known.active, *(schedule_job_id(uid, tick) for tick in waiting)]
        jobs = await self.store.jobs([one for one in dict.fromkeys(wanted) if is_stored_id(one)]) if wanted else []
        # Whoever may write the status of a schedule has no rights over jobs of other namespaces by that.
        ended = {job.id: job.state in TERMINAL for job in jobs if job.namespace == look.namespace}
        steps = policy.plan(look.spec, uid, waiting, look.known.active, ended, now)
        look.known = look.known.without_ended(ended)
        for step in steps:
            if isinstance(step, policy.Make):
                try:
                    done = await self._make(look, step)
                except NoRoomError as error:
                    look.news = Problem(camel(no_room(error)), str(error))
                    return now + _NO_ROOM_SECONDS
            else:
                done = step
            look.known = look.known.after(done)
        return None

    async def _make(self, look: _Look, step: policy.Make) -> policy.Step:
        """Enqueue the job of a tick; the step as it has come out."""
        by = f"schedule:{look.name}"
        for job_id in step.replaces:
            with contextlib.suppress(JobNotFoundError, AlreadyEndedError):
                await cancel(self.store, job_id, by=by, note="replaced at the next tick of its schedule")
        asked = AskedJob(
            id=step.job_id,
            namespace=look.namespace,
            spec=look.spec.job,
            parameters=look.parameters,
            created_by=by,
            not_before_ms=step.due * 1000,
        )
        try:
            await enqueue(self.store, asked, gate=self.gate)
        except IdTakenError:  # it was made a moment ago, before the spec was changed
            return policy.Made(step.tick, step.job_id, has_ended=False)
        except NotAdmittedError as error:
            look.news = Problem(camel(error.refusal.code), str(error))
            return policy.Missed(step.tick, f"refused: {error}"[:1000])
        look.news = step.job_id
        return step
