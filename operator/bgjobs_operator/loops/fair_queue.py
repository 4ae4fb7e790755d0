"""One way for all loops to walk work: a turn only offers items, and the fair queue works on them beside it.

So a turn never waits for Kubernetes, and a namespace that is slow or refuses holds up nobody else. Who may begin is
decided in `flows`, whose trouble an error is in `troubles`; here are the tasks, the clock and the log.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

import structlog

from bgjobs_core.cancellation import end_if_cancelled
from bgjobs_core.kube import listening
from bgjobs_core.kube.errors import KubeError
from bgjobs_operator.interfaces.launcher import LauncherError
from bgjobs_operator.loops.flows import DONE, Flows, Item, WorkEnd
from bgjobs_operator.loops.loop import NotLeaderError
from bgjobs_operator.loops.troubles import SLOW_SECONDS, Whose, whose

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bgjobs_operator.loops.troubles import Trouble

T = TypeVar("T")
PLACES: Final = 8
LINE: Final = 500
_LONGEST_PAUSE: Final = 10.0

log: Any = structlog.get_logger(__name__)


class Timer(Protocol):
    """What `call_at` gives."""

    def cancel(self) -> None:
        """Do not call."""
        ...


class Clock(Protocol):
    """The time of a queue, in seconds; an event loop of asyncio is one."""

    def time(self) -> float:
        """What the time is."""
        ...

    def call_at(self, when: float, callback: Callable[[], object], /) -> Timer:
        """Call when it is so late."""
        ...


class _Calls(Generic[T]):
    """Tells a queue of the calls that are made for an item."""

    def __init__(self, queue: FairQueue[T], item: Item[T]) -> None:
        self._queue = queue
        self._item = item

    def asks(self) -> None:
        """See `listening.Listener`."""
        self._queue.asks(self._item)

    def hears(self) -> None:
        """See `listening.Listener`."""
        self._queue.hears(self._item)


class FairQueue(Generic[T]):
    """Works on what is offered, so many at once, namespaces in turn.

    Args:
        name: of the loop, for the log and for health.
        work: works on an item, and says how that ended if it is not simply done. What it raises is judged by
            `troubles`: it never ends the queue, unless another leads by now.
        places: how many are under way at once.
        line: how many of a namespace wait at most.
        of_one: how many places one namespace may hold.
        tell: hears of the name of the loop, a namespace, and its trouble (None: it is over).
        clock: replaced in tests.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[Item[T]], Awaitable[WorkEnd | None]],
        *,
        places: int = PLACES,
        line: int = LINE,
        of_one: int | None = None,
        tell: Callable[[str, str, Trouble | None], None] = lambda _, __, ___: None,
        clock: Clock | None = None,
    ) -> None:
        self.name = name
        self.failing = ""
        self._work = work
        self._told = tell
        self._clock: Clock = clock or asyncio.get_running_loop()
        self._flows: Flows[T] = Flows(places, line, of_one, self._tell)
        self._troubled: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._end: asyncio.Future[None] | None = None
        self._timer: Timer | None = None
        self._timer_at = float("inf")
        self._failures = 0
        self._paused_until = 0.0
        self._changed = asyncio.Event()

    def offer(self, namespace: str, key: str, what: T, *, now: bool = False) -> bool:
        """Let an item wait for its turn; False if its namespace's line has no room: offer it again later.

        What waits, rests or is under way is not taken twice. What is under way is worked on once more; with `now`, what
        rests is worked on at once, unless it has trouble of its own.
        """
        taken = self._flows.offer(namespace, key, what, now=now)
        self._pump()
        return taken

    def room(self, namespace: str) -> int:
        """How many more items the line of a namespace takes."""
        return self._flows.room(namespace)

    def may_begin_soon(self, namespace: str) -> int:
        """How many more items of a namespace can begin soon."""
        return self._flows.may_begin_soon(namespace, self._clock.time())

    def waiting(self) -> int:
        """How many items wait, those of namespaces in trouble left out."""
        return self._flows.waiting()

    def knows(self, namespace: str, key: str) -> Item[T] | None:
        """The item that waits, rests or is under way."""
        return self._flows.knows(namespace, key)

    def withdraw(self, namespace: str, which: Callable[[T], bool]) -> list[T]:
        """Take these out of the line of a namespace."""
        return self._flows.withdraw(namespace, which)

    def answered(self, item: Item[T], trouble: Trouble | None = None) -> None:
        """Kubernetes has answered: give the place back, while the rest of the work on the item goes on."""
        self._flows.answered(item, self._clock.time(), trouble)
        self._pump()

    def try_soon(self, namespace: str) -> None:
        """Something has happened that may have ended the trouble of a namespace: try it earlier."""
        self._flows.try_soon(namespace)
        self._pump()

    def wake(self, namespace: str) -> None:
        """What rests in a namespace, but not for trouble of its own, need not wait any longer."""
        self._flows.wake(namespace)
        self._pump()

    async def has_room(self, namespace: str) -> None:
        """Wait until the line of a namespace takes more."""
        while not self._flows.room(namespace):
            self._changed.clear()
            await self._changed.wait()
            end_if_cancelled()

    def at_rest(self) -> bool:
        """Whether nothing is under way, and only time can change that."""
        return not self._tasks

    def is_empty(self) -> bool:
        """Whether nothing waits, rests or is under way."""
        return self._flows.is_empty()

    def wake_at(self) -> float | None:
        """When time alone changes something; None: nothing waits for it."""
        now = self._clock.time()
        if now < self._paused_until:
            return self._paused_until
        return self._flows.wake_at(now)

    async def run(self) -> None:
        """Work until this is cancelled. Raises NotLeaderError."""
        self._end = asyncio.get_running_loop().create_future()
        self._pump()
        try:
            await self._end
        finally:
            self._end = None
            if self._timer is not None:
                self._timer.cancel()
                self._timer, self._timer_at = None, float("inf")
            for namespace in self._troubled:
                self._told(self.name, namespace, None)
            while self._tasks:
                for task in self._tasks:
                    task.cancel()
                await asyncio.wait(self._tasks)

    def _pump(self) -> None:
        """Begin what may begin."""
        if self._end is None or self._end.done():
            return
        now = self._clock.time()
        if now >= self._paused_until:
            while (item := self._flows.begin(now)) is not None:
                task = asyncio.create_task(self._carry(item), name=f"{self.name} {item.key}")
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        self._changed.set()
        if (when := self.wake_at()) is not None:
            self._wake_by(when)

    def _wake_by(self, when: float) -> None:
        if when < self._timer_at and self._end is not None:
            if self._timer is not None:
                self._timer.cancel()
            self._timer, self._timer_at = self._clock.call_at(when, self._ring), when

    def _ring(self) -> None:
        self._timer, self._timer_at = None, float("inf")
        self._pump()

    async def _carry(self, item: Item[T]) -> None:
        outcome = WorkEnd(again=0.0, heard=False)
        listening.listener.set(_Calls(self, item))  # of this task alone
        try:
            outcome = await self._work(item) or DONE
            end_if_cancelled()
            self._failures, self.failing = 0, ""
        except NotLeaderError as error:
            if self._end is not None and not self._end.done():
                self._end.set_exception(error)
        except Exception as error:  # noqa: BLE001 - it is judged, and logged
            outcome = self._outcome(item, error)
        finally:
            # This task counts as under way until its next step, which begins what comes after it.
            self._flows.end(item, self._clock.time(), outcome)
            self._tasks.discard(asyncio.current_task())  # type: ignore[arg-type] - inside a task there is one
            self._pump()

    def asks(self, item: Item[T]) -> None:
        """A call for an item is sent to Kubernetes; `_Calls` says so."""
        now = self._clock.time()
        self._flows.asks(item, now)
        self._wake_by(now + SLOW_SECONDS)

    def hears(self, item: Item[T]) -> None:
        """It was answered."""
        self._flows.hears(item, self._clock.time())

    def _outcome(self, item: Item[T], error: Exception) -> WorkEnd:
        owner, trouble = whose(error)
        match owner:
            case Whose.EVERYBODY:
                self.failing = str(error)
                if self._clock.time() < self._paused_until:  # of those that were under way together
                    return WorkEnd(again=0.0, heard=False)
                self._failures += 1
                pause = min(_LONGEST_PAUSE, 0.1 * 2 ** min(self._failures, 10))
                self._paused_until = self._clock.time() + pause
                log.warning("pausing", loop=self.name, error=str(error), failures=self._failures)
                return WorkEnd(again=0.0, heard=False)
            case Whose.NAMESPACE:
                return WorkEnd(again=0.0, trouble=trouble)
            case Whose.ITEM:
                words = {"loop": self.name, "namespace": item.namespace, "item": item.key, "tries": item.tries + 1}
                if isinstance(error, (KubeError, LauncherError)):
                    log.warning("not done yet", **words, error=str(error))
                    return WorkEnd(failed=True)
                log.error("failed unexpectedly", **words, exc_info=error)
                return WorkEnd(failed=True, heard=False)

    def _tell(self, namespace: str, trouble: Trouble | None) -> None:
        words = {"loop": self.name, "namespace": namespace}
        if trouble is None:
            self._troubled.discard(namespace)
            log.info("namespace is well again", **words)
        elif namespace not in self._troubled:
            self._troubled.add(namespace)
            log.warning("namespace in trouble", **words, kind=trouble.kind.value, error=trouble.message)
        self._told(self.name, namespace, trouble)
