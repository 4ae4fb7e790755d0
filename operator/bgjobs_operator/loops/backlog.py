"""Requests that nobody has looked at yet become jobs, many in one script: after a start there may be 60,000 of them.

admit asks for each request by itself, which costs more than all the rest of it. reconcile has read them already, in
pages of a list; what is plain among them is taken from there. Whatever else there is to say about a request is left to
admit: here is no refusal, no wait, and no status.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import structlog

from bgjobs_core.jobs.admission import NotAdmitted, decide_by
from bgjobs_core.kube.errors import KubeError
from bgjobs_core.kube.objects import part
from bgjobs_core.redis.errors import StoreError, StoreLayoutError, StoreUnavailableError
from bgjobs_core.resources.models import REQUESTS
from bgjobs_operator.loops.admit import asked_by, parse
from bgjobs_operator.pokes import Poke

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from collections.abc import Set as AbstractSet

    from bgjobs_core.jobs.record import NewJob
    from bgjobs_core.kube.objects import Object
    from bgjobs_core.redis.memory import MemoryGate
    from bgjobs_core.store.store import Store
    from bgjobs_operator.interfaces.resources import Listed
    from bgjobs_operator.loops.fair_queue import Clock
    from bgjobs_operator.pokes import Pokes

TOGETHER: Final = 100  # jobs of one call of the store; others of the same page are under way meanwhile
_BREATH: Final = 50  # requests that are looked at before others have a turn
MANY: Final = 100  # jobs of a page; with as many, it is a backlog, and more pages of it may follow
SOON_SECONDS: Final = 1.0  # by then, if they come as they should
_PAGES_AT_ONCE: Final = 4  # of all namespaces: each is held until its jobs are made

log: Any = structlog.get_logger(__name__)


def poke_of(request: Object) -> Poke:
    """Look at this request."""
    metadata = request["metadata"]
    return Poke(REQUESTS, metadata["namespace"], metadata["name"], metadata["uid"])


class _Decided(NamedTuple):
    """A request, the job that its queue makes of it, and by which settings."""

    request: Object
    job: NewJob
    rules: str


@dataclass
class Backlog:
    """Takes what is plain of a list.

    Attributes:
        queues_known: whether all queues of a namespace were looked at: they come before its requests.
        made: hears of each request that has become a job.
        gate: says whether Redis has room for more jobs.
        clock: replaced in tests.
    """

    store: Store
    pokes: Pokes
    queues_known: Callable[[str], bool]
    made: Callable[[Object], None] = lambda _: None
    gate: MemoryGate | None = None
    clock: Clock = field(default_factory=asyncio.get_running_loop)
    _until: dict[str, float] = field(default_factory=dict[str, float])
    _pages: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_PAGES_AT_ONCE))

    def is_taken(self, namespace: str) -> bool:
        """Whether many jobs are being made in a namespace: what is said of them can wait until all are there."""
        until = self._until.get(namespace)
        if until is not None and until <= self.clock.time():
            del self._until[namespace]
            return False
        return until is not None

    async def take(self, namespace: str, listed: Sequence[Listed], noted: AbstractSet[Poke]) -> list[Object]:
        """Make jobs of requests that have none.

        Args:
            namespace: theirs.
            listed: the requests, as they were when the list began.
            noted: which of them have been poked since the list began; it grows meanwhile. Those are changed or gone by
                now, and left to admit. One that is poked while its job is made is looked at once more: its deletion may
                have been heard of when there was no job yet.

        Returns:
            Those that admit must look at.

        Raises:
            StoreError: Redis does not answer. Some of them may be jobs then, which the next list shows.
        """
        if not listed or not self.queues_known(namespace) or (self.gate and not await self.gate.is_open()):
            return [one.obj for one in listed]
        async with self._pages:
            return await self._take_page(namespace, listed, noted)

    async def _take_page(self, namespace: str, listed: Sequence[Listed], noted: AbstractSet[Poke]) -> list[Object]:
        if len(listed) < MANY:
            return await self._take(listed, noted)
        self._until[namespace] = inf
        made = 0
        try:
            left = await self._take(listed, noted)
            made = len(listed) - len(left)
        finally:
            self._until[namespace] = self.clock.time() + (SOON_SECONDS if made >= MANY else 0.0)
        return left

    async def _take(self, listed: Sequence[Listed], noted: AbstractSet[Poke]) -> list[Object]:
        now = await self.store.now_ms()
        left: list[Object] = []
        decided: dict[tuple[str, str], list[_Decided]] = {}  # by queue, and its settings
        for number, one in enumerate(listed):
            if number % _BREATH == 0:
                await asyncio.sleep(0)
            made = None if poke_of(one.obj) in noted else await self._decide(one, now)
            if made is None:
                left.append(one.obj)
            else:
                decided.setdefault((made.job.queue_key, made.rules), []).append(made)
        parts = [
            self._store(alike[start : start + TOGETHER], rules, noted)
            for (_, rules), alike in decided.items()
            for start in range(0, len(alike), TOGETHER)
        ]
        for end in await asyncio.gather(*parts, return_exceptions=True):
            if isinstance(end, BaseException):
                raise end
            left += end
        return left

    async def _decide(self, listed: Listed, now: int) -> _Decided | None:
        """The job of a request; None if there is anything else to be said of it."""
        metadata = listed.obj["metadata"]
        if (
            listed.whole is None
            or part(listed.obj, "status")
            or metadata["generation"] != 1
            or metadata.get("deletionTimestamp")
        ):
            return None
        try:
            return await self._plain(listed.obj, listed.whole(), now)
        except KubeError:
            return None
        except StoreError:
            raise
        except Exception:  # of this one; admit tells what is wrong with it
            log.exception(
                "a request of a list cannot be read", namespace=metadata["namespace"], request=metadata["name"]
            )
            return None

    async def _plain(self, listed: Object, request: Object, now: int) -> _Decided | None:
        spec = parse(request)
        # Whoever needs others may wait for them, and a key has an answer: admit knows what to do then.
        if isinstance(spec, NotAdmitted) or spec.needs or spec.unique_key:
            return None
        asked = asked_by(request, spec, now)
        if isinstance(asked, NotAdmitted):
            return None
        queue = await self.store.remembered_queue(asked.queue_key)
        if queue is None or not queue.version:
            return None
        job = decide_by(asked, queue)
        return None if isinstance(job, NotAdmitted) else _Decided(listed, job, queue.version)

    async def _store(self, decided: Sequence[_Decided], rules: str, noted: AbstractSet[Poke]) -> list[Object]:
        """Store jobs of one queue, and return the requests of those that are not stored."""
        alike = [one for one in decided if poke_of(one.request) not in noted]
        left = [one.request for one in decided if poke_of(one.request) in noted]
        pokes = [poke_of(one.request) for one in alike]
        try:
            placed = await self.store.enqueue_each([one.job for one in alike], rules)
        except (StoreUnavailableError, StoreLayoutError):
            raise
        except StoreError as error:  # Redis is full, or what it has of one of them cannot be read: admit finds out
            log.warning("requests of a list are left to be looked at one by one", error=str(error), requests=len(alike))
            return [one.request for one in decided]
        finally:  # whatever has become of them
            for poke in pokes:
                if poke in noted:
                    self.pokes.add(poke)
        for one, poke, reply in zip(alike, pokes, placed, strict=True):
            if reply.did not in {"created", "exists"}:
                left.append(one.request)
                continue
            if poke not in noted:  # what it was poked for was before the list
                self.pokes.drop(poke)
            self.made(one.request)
        return left
