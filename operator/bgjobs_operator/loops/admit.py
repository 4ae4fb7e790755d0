"""admit: requests become jobs, deleted requests cancel theirs, queues' settings go to Redis.

kopf, and the reconcile once a minute, only say which object to look at; what it is now is read here.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import structlog
from pydantic import ValidationError

from bgjobs import strict_json
from bgjobs.protocol import MAX_JSON_BYTES
from bgjobs.vocabulary import WAITING
from bgjobs_core.actions.cancel import cancel
from bgjobs_core.actions.enqueue import enqueue
from bgjobs_core.actions.errors import (
    AlreadyEndedError,
    IdTakenError,
    JobNotFoundError,
    NoRoomError,
    NotAdmittedError,
)
from bgjobs_core.jobs import ids, pod_features
from bgjobs_core.jobs.admission import NotAdmitted
from bgjobs_core.jobs.queue import Held
from bgjobs_core.jobs.record import AskedJob
from bgjobs_core.jobs.timed_limits import TimedLimits
from bgjobs_core.kube.errors import KubeError
from bgjobs_core.kube.objects import part
from bgjobs_core.resources.models import QUEUES, REQUESTS, QueueSpec, RequestSpec
from bgjobs_operator.interfaces.resources import TOO_LARGE
from bgjobs_operator.loops import request_status
from bgjobs_operator.loops.fair_queue import Clock, FairQueue
from bgjobs_operator.loops.flows import DONE, Item, WorkEnd
from bgjobs_operator.loops.parents_by_name import ParentsByName, WaitsFor

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from bgjobs_core.jobs.record import JobRecord
    from bgjobs_core.redis.memory import MemoryGate
    from bgjobs_core.store.store import Store
    from bgjobs_operator.interfaces.resources import ResourcesApi
    from bgjobs_operator.loops.troubles import Trouble
    from bgjobs_operator.pokes import Poke, Pokes

PERIOD: Final = 60.0
_RETRY_SECONDS: Final = 5.0
_LONGEST_WAIT: Final = 60.0
_AT_ONCE: Final = 16
_LINE: Final = 200
_WITHOUT_KUEUE: Final = (
    "kueueQueueName is set, and bgjobs does not work with Kueue here; remove it, or have an administrator of bgjobs "
    "set kueue.enabled in the values of the chart"
)

log: Any = structlog.get_logger(__name__)


def due_ms(created: str, delay_seconds: float, now_ms: int) -> int | None:
    """When a request becomes due, in ms.

    `creationTimestamp` has whole seconds, cut off. Within that second the present is more exact; later (we
    were away) the end of it is taken, so that a delay is never shorter than asked.
    """
    if not delay_seconds:
        return None
    started = datetime.fromisoformat(created).astimezone(UTC).timestamp() * 1000
    return round(min(float(now_ms), started + 1000) + delay_seconds * 1000)


def asked_by(
    obj: dict[str, Any], spec: RequestSpec, now_ms: int, needs: tuple[str, ...] = ()
) -> AskedJob | NotAdmitted:
    """The job that a request asks for; `needs` are the ids of the jobs that it needs."""
    metadata = obj["metadata"]
    try:
        parameters = strict_json.dumps(spec.parameters, "parameters")
    except strict_json.NotJSONError as error:
        return NotAdmitted("parameters", "invalid_parameters", str(error))
    expires_at = due_ms(metadata["creationTimestamp"], spec.expires_after_seconds or 0, now_ms)
    return AskedJob(
        id=ids.request_job_id(metadata["uid"]),
        namespace=metadata["namespace"],
        # Both count from the request's creation, see `due_ms`. The parameters are there as text already.
        spec=spec.model_copy(update={"delay_seconds": 0, "expires_after_seconds": None, "parameters": []}),
        parameters=parameters,
        created_by=f"request:{metadata['name']}",
        not_before_ms=due_ms(metadata["creationTimestamp"], spec.delay_seconds, now_ms),
        request_name=metadata["name"],
        request_uid=metadata["uid"],
        request_generation=metadata["generation"],
        paused_by=f"request:{metadata['name']}" if spec.paused else "",
        expires_in=None if expires_at is None else (expires_at - now_ms) / 1000,
        needs=needs,
        on_parent_failure=spec.on_parent_failure,
    )


def parse(obj: dict[str, Any]) -> RequestSpec | NotAdmitted:
    """A request's spec, or what is wrong with it (with our CRD in place the API server refuses that itself)."""
    if part(obj, "spec").get("parameters") == TOO_LARGE:
        message = f"parameters take far more than {MAX_JSON_BYTES:,} bytes as JSON, which is the most that is allowed"
        return NotAdmitted("parameters", "invalid_parameters", message)
    try:
        return RequestSpec.model_validate(part(obj, "spec"))
    except ValidationError as error:
        first = error.errors()[0]
        if first["loc"][0] == "parameters":
            return NotAdmitted("parameters", "invalid_spec", "spec.parameters: must be a list or an object")
        where = ".".join(str(part) for part in first["loc"])
        return NotAdmitted(where, "invalid_spec", f"spec.{where}: {first['msg']}")


def queue_problem(spec: QueueSpec) -> tuple[str, str] | None:
    """Why no job of a queue can be launched, as a condition's reason and message; None if they can be."""
    if not spec.image:
        return "NoImage", "set spec.image: jobs that name no image are refused until then"
    if not spec.approved_classes:
        return "NoApprovedClasses", "set spec.approvedClasses: every job is refused until then"
    return None


def is_gone(obj: dict[str, Any] | None, uid: str) -> bool:
    """Whether the object with this UID was deleted, or is being deleted; `obj` is what has its name."""
    return obj is None or obj["metadata"]["uid"] != uid or bool(obj["metadata"].get("deletionTimestamp"))


async def cancel_with_request(store: Store, api: ResourcesApi, job: JobRecord) -> bool:
    """Cancel the job if its request was deleted; whether that is so. Raises the errors of both."""
    if not job.request_uid or not is_gone(await api.get(REQUESTS, job.namespace, job.request_name), job.request_uid):
        return False
    await _cancel(store, job.id, job.request_name)
    return True


async def _cancel(store: Store, job_id: str, request: str) -> None:
    # A request that was refused has no job, and one whose job has ended has nothing left to cancel.
    with contextlib.suppress(JobNotFoundError, AlreadyEndedError):
        await cancel(store, job_id, by=f"request:{request}", note="its request was deleted")


@dataclass
class Looking:
    """An object that is looked at: whether it was before, and how often it had to wait."""

    poke: Poke
    seen: bool = False
    waits: int = 0


def _key(poke: Poke) -> str:
    return f"{poke.plural}/{poke.name}/{poke.uid}"


@dataclass
class Admit:
    """Looks at everything that was poked, some at once; in each namespace at the queues before the requests.

    Attributes:
        gate: says whether Redis has room for more jobs; a request that finds none waits, and says so.
        seen: hears the namespace and name of each queue that was looked at, with success or without.
        allowed_pod_features: what the pods of queues may have besides.
        with_kueue: whether queues may send their KubeJobs through Kueue.
        tell, clock: see `FairQueue`.
    """

    store: Store
    api: ResourcesApi
    pokes: Pokes
    gate: MemoryGate | None = None
    tell: Callable[[str, str, Trouble | None], None] = lambda _, __, ___: None
    clock: Clock = field(default_factory=asyncio.get_running_loop)
    seen: Callable[[str, str], None] = lambda _, __: None
    allowed_pod_features: Collection[str] = ()
    with_kueue: bool = False
    fair: FairQueue[Looking] = field(init=False)
    _parents: ParentsByName = field(init=False)
    _queues: Counter[str] = field(default_factory=Counter[str])  # queues that were not looked at yet, by namespace

    def __post_init__(self) -> None:
        self._parents = ParentsByName(self.store, self.api)
        self.fair = FairQueue("admit", self._work, places=_AT_ONCE, line=_LINE, tell=self.tell, clock=self.clock)

    async def turn(self) -> float | None:
        """Take up what was poked, as far as there is room; whatever is done with makes room for more."""
        for namespace in self.pokes.namespaces():
            self._take_up(namespace)
        return None

    def queues_known(self, namespace: str) -> bool:
        """Whether all queues of a namespace that were poked have been looked at."""
        return not self._queues[namespace] and not self.pokes.has_queues(namespace)

    def _take_up(self, namespace: str) -> None:
        while self.fair.room(namespace) and (poke := self.pokes.take_of(namespace, queue=True)) is not None:
            if self.fair.knows(namespace, _key(poke)) is None:
                self._queues[namespace] += 1
            self.fair.offer(namespace, _key(poke), Looking(poke), now=True)
        while not self._queues[namespace] and self.fair.room(namespace):
            poke = self.pokes.take_of(namespace, queue=False)
            if poke is None:
                break
            self.fair.offer(namespace, _key(poke), Looking(poke), now=True)

    async def _work(self, item: Item[Looking]) -> WorkEnd:
        looking = item.what
        is_queue = looking.poke.plural == QUEUES
        try:
            done = await (self._queue(looking.poke) if is_queue else self._request(looking.poke))
        finally:
            if is_queue and not looking.seen:
                looking.seen = True
                self._queues[item.namespace] -= 1
            if is_queue:  # each time: the first one may have come before anybody asked for it
                self.seen(item.namespace, looking.poke.name)
            self._take_up(item.namespace)
        if done:
            return DONE
        looking.waits += 1
        return WorkEnd(again=min(_LONGEST_WAIT, _RETRY_SECONDS * 2 ** (looking.waits - 1)))

    async def _request(self, poke: Poke) -> bool:
        # What is asked of Redis comes first: nothing is waited for while parameters are held as Python's objects, which
        # take ten times as much as their text.
        job = await self.store.job(ids.request_job_id(poke.uid))
        now = await self.store.now_ms() if job is None else 0
        obj = await self.api.get(REQUESTS, poke.namespace, poke.name)
        if obj is None or is_gone(obj, poke.uid):
            await _cancel(self.store, ids.request_job_id(poke.uid), poke.name)
            return True
        said, metadata = part(obj, "status"), obj["metadata"]
        is_behind = request_status.is_behind(obj)
        if request_status.has_ended(obj):
            if is_behind:  # nothing follows from what was changed since, and a record does not change after the end
                seen = {**said, "observedGeneration": metadata["generation"]}
                await self.api.apply_status(REQUESTS, poke.namespace, poke.name, poke.uid, seen)
            return True
        # It has its job, whatever the queue's defaults are by now. One whose record is gone although it was launched
        # is reconcile's to judge.
        if said.get("kubeJob") and not is_behind:
            return True
        if job is not None:
            self.others_may_go_on(obj)  # it may have become a job from a list that was broken off
            await self._hold(obj, job)
            return True
        return True if said.get("kubeJob") else await self._enqueue(obj, now)

    async def _hold(self, obj: dict[str, Any], job: JobRecord) -> None:
        """Carry out `spec.paused` once for each generation: what somebody has done with the job since then holds.

        The API server compares the rest of the spec, but for the parameters: it has no name for what is in them.
        """
        generation = obj["metadata"]["generation"]
        if generation <= job.request_generation:
            return
        if job.state in WAITING and await self._has_other_parameters(obj, job):
            await self._say(obj, request_status.spec_changed(job, await self.store.now_ms()))
            return
        verb = self.store.pause if part(obj, "spec").get("paused") is True else self.store.resume
        await verb(job_id=job.id, by=f"request:{job.request_name}", note="", generation=generation)

    async def _has_other_parameters(self, obj: dict[str, Any], job: JobRecord) -> bool:
        spec = parse(obj)
        if isinstance(spec, NotAdmitted):
            return True
        try:
            parameters = strict_json.dumps(spec.parameters, "parameters")
        except strict_json.NotJSONError:
            return True
        return parameters.encode() != await self.store.parameters(job.id)

    async def _enqueue(self, obj: dict[str, Any], now: int) -> bool:
        spec = parse(obj)
        if isinstance(spec, NotAdmitted):
            return await self._refuse(obj, spec, now)
        parents = await self._parents.of(obj, spec)
        if isinstance(parents, NotAdmitted):
            return await self._refuse(obj, parents, now)
        if isinstance(parents, WaitsFor):
            return await self._wait(obj, parents.code, parents.message, now)
        asked = asked_by(obj, spec, now, parents)
        part(obj, "spec").pop("parameters", None)
        del spec
        if isinstance(asked, NotAdmitted):
            return await self._refuse(obj, asked, now)
        try:
            with contextlib.suppress(JobNotFoundError):  # it has the unique key, and is not kept any more
                await enqueue(self.store, asked, gate=self.gate)
        except NotAdmittedError as error:
            # It may be applied a moment later, in the same file; a job was dropped since it was looked at.
            if error.refusal.code in {"queue_not_found", "needs_not_found"}:
                return await self._wait(obj, error.refusal.code, str(error), now)
            return await self._refuse(obj, error.refusal, now)
        except NoRoomError as error:
            return await self._wait(obj, request_status.no_room(error), str(error), now)
        except IdTakenError:
            changed = NotAdmitted(
                "spec", "spec_changed", "the spec was changed after its job was made; make a new request"
            )
            return await self._refuse(obj, changed, now)
        if (own := asked.spec.unique_key) and (said := await self.store.answer(asked.id)) is not None:
            await self._say(obj, request_status.unneeded(said, own, obj["metadata"]["generation"], now))
        self.others_may_go_on(obj)
        return True  # settle writes the status of a job from its record

    def others_may_go_on(self, obj: dict[str, Any]) -> None:
        """Requests may have waited for this one to be a job, or to be refused."""
        if self._parents.is_waited_for(obj["metadata"]["namespace"], obj["metadata"]["name"]):
            self.fair.wake(obj["metadata"]["namespace"])

    async def _wait(self, obj: dict[str, Any], code: str, message: str, now: int) -> bool:
        await self._say(obj, request_status.waiting(code, message, obj["metadata"]["generation"], now))
        return False

    async def _refuse(self, obj: dict[str, Any], refusal: NotAdmitted, now: int) -> bool:
        await self._say(obj, request_status.refused(refusal.code, refusal.message, obj["metadata"]["generation"], now))
        self.others_may_go_on(obj)
        return True

    async def _say(self, obj: dict[str, Any], said: request_status.Status) -> None:
        before = part(obj, "status")
        if request_status.says_the_same(before, said):
            return
        metadata = obj["metadata"]
        await self.api.apply_status(REQUESTS, metadata["namespace"], metadata["name"], metadata["uid"], said)
        code = request_status.code_of(said)
        if code != request_status.code_of(before):  # one Event for each code, however often it is looked at
            try:
                await self.api.event(REQUESTS, metadata, code, said["reason"])
            except KubeError as error:  # it is said in the status, too
                log.warning("an Event could not be made", request=metadata["name"], error=str(error))

    def _refused(self, spec: QueueSpec) -> tuple[str, str] | None:
        """What the installation does not allow a queue, as a condition's reason and message; None if all is well."""
        found = pod_features.objection(spec, self.allowed_pod_features)
        if found is not None:
            return "PodNotAllowed", found.words
        return ("KueueNotEnabled", _WITHOUT_KUEUE) if spec.kueue_queue_name and not self.with_kueue else None

    async def _queue(self, poke: Poke) -> bool:
        obj = await self.api.get(QUEUES, poke.namespace, poke.name)
        key = f"{poke.namespace}/{poke.name}"
        if obj is None:
            await self.store.drop_queue(queue=key)
            return True
        generation = obj["metadata"]["generation"]
        try:
            spec = QueueSpec.model_validate(part(obj, "spec"))
        except ValidationError as error:
            problem: tuple[str, str] | None = ("InvalidSpec", str(error)[:2000])
        else:
            annotations = part(obj["metadata"], "annotations")
            held, limits = Held.of_object(annotations), TimedLimits.of_object(annotations)
            refused = self._refused(spec)
            words = refused[1] if refused else ""
            if await self.store.put_queue(key, spec, obj["metadata"]["uid"], held, words, limits) == "put":
                self.fair.wake(poke.namespace)  # requests may have waited for it
            problem = refused or queue_problem(spec)
        said = request_status.of_queue(problem, generation, round(time.time() * 1000))
        # What the installation allows may have changed, and the object not.
        if not request_status.queue_says_the_same(part(obj, "status"), said):
            await self.api.apply_status(QUEUES, poke.namespace, poke.name, obj["metadata"]["uid"], said)
        return True
