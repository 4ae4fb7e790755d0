"""Whose turn it is: items wait in one line for each namespace, and the lines take turns. No clock, no effects.

The words are those of Kubernetes' API Priority and Fairness: a *flow* is what shall not hold up others, here a
namespace; a *place* is the right to have a request under way.
"""

from __future__ import annotations

import heapq
import random
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from bgjobs_operator.loops.troubles import SLOW_SECONDS, Kind, Trouble, back_off, back_off_of_item

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")
TRY_SOON_SECONDS: Final = 2.0  # between two tries of a namespace, at least
FORGET_SECONDS: Final = 120.0  # nothing was left to be tried in a namespace for so long: nobody knows of trouble
OVERDUE_SECONDS: Final = 1.0  # whoever has waited for so long for an answer does not hold up other namespaces
EXTRA_PLACES: Final = 24  # at most, in place of those whose answers are overdue
NOT_ASKED: Final = float("inf")
RESTING_MOST: Final = 10_000  # what has no room among them is forgotten here, and found in its work list again


@dataclass(frozen=True)
class WorkEnd:
    """How the work on an item has ended.

    Attributes:
        again: after how many seconds the item is to be worked on again (0: as the last of its line); None: it is done.
        trouble: what is wrong with its namespace; None if its namespace has answered well.
        failed: the trouble is the item's own: it is worked on again, each time later.
        heard: whether Kubernetes has answered at all.
    """

    again: float | None = None
    trouble: Trouble | None = None
    failed: bool = False
    heard: bool = True


DONE: Final = WorkEnd()


@dataclass(slots=True, eq=False)
class Item(Generic[T]):
    """One thing to be worked on, `what`, known by its namespace and key.

    Attributes:
        began: when the work on it began.
        asked: since when it waits for an answer; NOT_ASKED while it waits for none. Until it says that it asks, it is
            taken to do so from its beginning.
        longest: seconds that the slowest of its answers has taken so far.
        holds: whether it holds a place.
        offered: it was offered while it was under way, so that it is worked on once more.
        overdue: it holds a place for longer than most answers take.
        late: it waits for an answer for so long that this is trouble of its namespace.
        tries: how often it has failed by itself.
        well_before: how many answers its namespace had given when this item met trouble of the namespace; -1: never.
    """

    namespace: str
    key: str
    what: T
    began: float = 0.0
    asked: float = 0.0
    longest: float = 0.0
    resting: int = 0  # its number among those that rest, if it does
    under_way: bool = False
    holds: bool = False
    offered: bool = False
    overdue: bool = False
    late: bool = False
    tries: int = 0
    well_before: int = -1


@dataclass(slots=True)
class _Flow(Generic[T]):
    """One namespace.

    Attributes:
        held: places that its items hold.
        overdue: those of them whose answers are overdue.
        window: how many it may hold; after trouble it grows from one.
        tries: how often it has failed in a row.
        well: how many good answers it has given.
    """

    line: deque[Item[T]] = field(default_factory=deque)
    held: int = 0
    overdue: int = 0
    window: int = 1
    trouble: Trouble | None = None
    tries: int = 0
    tried: float = 0.0
    next_try: float = 0.0
    well: int = 0


class Flows(Generic[T]):
    """The lines, and who may begin.

    Args:
        places: how many items may be under way at once, in all.
        line: how many items of a namespace wait at most.
        of_one: how many places one namespace may hold at most.
        tell: hears of each namespace that comes into trouble (again: each time that it was tried), and out of it.
        jitter: of a wait in seconds, as something that is never longer.
    """

    def __init__(
        self,
        places: int,
        line: int,
        of_one: int | None = None,
        tell: Callable[[str, Trouble | None], None] = lambda _, __: None,
        jitter: Callable[[float], float] = lambda seconds: seconds * random.uniform(0.5, 1.0),  # noqa: S311
    ) -> None:
        self._places = places
        self._of_troubled = max(1, places // 2)
        self._line = line
        self._of_one = of_one or places
        self._tell = tell
        self._jitter = jitter
        self._known: dict[tuple[str, str], Item[T]] = {}
        self._flows: dict[str, _Flow[T]] = {}
        self._turns: OrderedDict[str, _Flow[T]] = OrderedDict()  # those with a line and without trouble; next first
        self._troubled: OrderedDict[str, _Flow[T]] = OrderedDict()
        self._holding: OrderedDict[int, Item[T]] = OrderedDict()  # those with a place, the oldest first
        self._resting: list[tuple[float, int, Item[T]]] = []
        self._count = 0
        self._held = 0  # places of namespaces without trouble
        self._overdue = 0  # those of them whose answers are overdue
        self._held_in_trouble = 0

    # ------------------------------------------------------------------ what is asked
    def room(self, namespace: str) -> int:
        """How many more items the line of a namespace takes."""
        flow = self._flows.get(namespace)
        return self._line if flow is None else max(0, self._line - len(flow.line))

    def may_begin_soon(self, namespace: str, now: float) -> int:
        """How many more items of a namespace can begin soon: as many as it may hold, or one try if it is in trouble."""
        flow = self._flows.get(namespace)
        if flow is None:
            return self._of_one
        if flow.trouble is None:
            return max(0, flow.window - len(flow.line))
        return int(not flow.line and not flow.held and now >= flow.next_try)

    def waiting(self) -> int:
        """How many items wait in the lines of namespaces without trouble."""
        return sum(len(flow.line) for flow in self._turns.values())

    def knows(self, namespace: str, key: str) -> Item[T] | None:
        """The item that waits, rests or is under way."""
        return self._known.get((namespace, key))

    def is_empty(self) -> bool:
        """Whether nothing waits, rests or is under way."""
        return not self._known

    def troubles(self) -> dict[str, Trouble]:
        """The namespaces in trouble."""
        return {namespace: flow.trouble for namespace, flow in self._troubled.items() if flow.trouble is not None}

    def under_way(self) -> int:
        """How many items hold a place."""
        return len(self._holding)

    def wake_at(self, now: float) -> float | None:
        """When time alone changes something: an item has rested, a namespace may be tried, an answer is overdue."""
        times = [self._resting[0][0]] if self._resting else []
        times += [
            flow.next_try
            for flow in self._troubled.values()
            if flow.line and not flow.held and flow.next_try > now and self._held_in_trouble < self._of_troubled
        ]
        times += [flow.next_try + FORGET_SECONDS for flow in self._troubled.values() if not flow.line and not flow.held]
        times += [item.asked + SLOW_SECONDS for item in self._holding.values() if not item.late and _asks(item)]
        first = next((item for item in self._holding.values() if not item.overdue), None)
        times += [] if first is None else [first.began + OVERDUE_SECONDS]
        return min(times, default=None)

    # ------------------------------------------------------------------ what happens
    def offer(self, namespace: str, key: str, what: T, *, now: bool = False) -> bool:
        """Let an item wait for its turn; whether it was taken, or is known already.

        One that is under way is worked on once more, so that nothing that has happened since is missed.

        Args:
            namespace: whose line it is.
            key: of the item.
            what: is to be worked on; what is known already stays as it is.
            now: an item that rests, but not for trouble of its own, is woken.
        """
        known = self._known.get((namespace, key))
        if known is not None:
            known.offered = known.offered or known.under_way
            if now and known.resting and not known.tries:
                known.resting = 0
                self._append(self._flow(namespace), known)
            return True
        flow = self._flow(namespace)
        if len(flow.line) >= self._line:
            return False
        item = Item(namespace, key, what)
        self._known[namespace, key] = item
        self._append(flow, item)
        return True

    def begin(self, now: float) -> Item[T] | None:
        """The item whose turn it is, which holds a place from now on; None if none may begin now."""
        self._wake(now)
        for namespace, flow in self._candidates(now):
            item = flow.line.popleft()
            item.began, item.under_way, item.holds = now, True, True
            item.asked, item.longest = now, 0.0
            item.overdue, item.late, item.offered = False, False, False
            flow.held += 1
            self._holding[id(item)] = item
            if flow.trouble is not None:
                self._held_in_trouble += 1
                self._troubled.move_to_end(namespace)
            else:
                self._held += 1
                self._turns.pop(namespace)
                if flow.line:
                    self._turns[namespace] = flow
            return item
        return None

    def answered(self, item: Item[T], now: float, trouble: Trouble | None = None) -> None:
        """Kubernetes has answered, well or with trouble: the place is given back, and the rest of the work goes on."""
        if item.holds:
            self._leave(item)
            if trouble is None:
                self._well(item, now)
            else:
                self._into_trouble(item.namespace, self._flows[item.namespace], trouble, now)

    def asks(self, item: Item[T], now: float) -> None:
        """One of perhaps many calls for an item is sent: what is slow is a call, and not all of the work on an item."""
        item.asked = now

    def hears(self, item: Item[T], now: float) -> None:
        """Such a call was answered, or given up."""
        if _asks(item):
            item.longest = max(item.longest, now - item.asked)
            item.asked, item.late = NOT_ASKED, False

    def end(self, item: Item[T], now: float, outcome: WorkEnd) -> None:
        """The work on an item has ended so."""
        flow = self._flows[item.namespace]
        outcome, said = self._judge(flow, item, outcome), outcome
        if item.holds and said.trouble is None and said.heard:
            self.answered(item, now)
        elif item.holds:
            self._leave(item)
        item.under_way = False
        if outcome.trouble is not None:
            self._into_trouble(item.namespace, flow, outcome.trouble, now)
        if outcome.failed:
            item.tries += 1
            self._rest(item, now + self._jitter(back_off_of_item(item.tries)))
        elif outcome.again is not None and outcome.again > 0 and not item.offered:
            self._rest(item, now + self._jitter(outcome.again))
        elif outcome.again is not None or item.offered:
            self._append(flow, item)
        else:
            del self._known[item.namespace, item.key]

    def withdraw(self, namespace: str, which: Callable[[T], bool]) -> list[T]:
        """Take these out of the line of a namespace."""
        flow = self._flow(namespace)
        gone = [item for item in flow.line if which(item.what)]
        for item in gone:
            del self._known[namespace, item.key]
        flow.line = deque(item for item in flow.line if not which(item.what))
        if not flow.line:
            self._turns.pop(namespace, None)
        return [item.what for item in gone]

    def wake(self, namespace: str) -> None:
        """What rests in a namespace, but not for trouble of its own, need not wait any longer."""
        flow = self._flow(namespace)
        for _, number, item in self._resting:
            if item.namespace == namespace and item.resting == number and not item.tries:
                item.resting = 0
                self._append(flow, item)

    def try_soon(self, namespace: str) -> None:
        """Something has happened that may have ended the trouble of a namespace: try it earlier."""
        flow = self._flows.get(namespace)
        if flow is not None and flow.trouble is not None:
            flow.next_try = min(flow.next_try, flow.tried + TRY_SOON_SECONDS)

    # --------------------------------------------------------------------------------
    def _flow(self, namespace: str) -> _Flow[T]:
        flow = self._flows.get(namespace)
        if flow is None:
            flow = self._flows[namespace] = _Flow(window=self._of_one)
        return flow

    def _append(self, flow: _Flow[T], item: Item[T]) -> None:
        flow.line.append(item)
        if flow.trouble is None:
            self._turns.setdefault(item.namespace, flow)

    def _candidates(self, now: float) -> Iterator[tuple[str, _Flow[T]]]:
        in_all = self._held + self._held_in_trouble
        if in_all < self._places and self._held_in_trouble < self._of_troubled:
            for namespace, flow in self._troubled.items():
                if flow.line and not flow.held and now >= flow.next_try:
                    yield namespace, flow
        # What was begun before the trouble was known may hold more than that half; the others do not wait for it.
        held = self._held + min(self._held_in_trouble, self._of_troubled)
        # Nor for answers that are overdue, as long as only namespaces that owe none take a place more.
        more = held - self._overdue < self._places and len(self._holding) < self._places + EXTRA_PLACES
        for namespace, flow in self._turns.items():
            if flow.held < flow.window and (held < self._places or (more and not flow.overdue)):
                yield namespace, flow

    def _leave(self, item: Item[T]) -> None:
        flow = self._flows[item.namespace]
        item.holds = False
        flow.held -= 1
        del self._holding[id(item)]
        flow.overdue -= item.overdue
        if flow.trouble is not None:
            self._held_in_trouble -= 1
        else:
            self._held -= 1
            self._overdue -= item.overdue

    def _judge(self, flow: _Flow[T], item: Item[T], outcome: WorkEnd) -> WorkEnd:
        """Trouble of a namespace that only this item meets, while others get good answers, is the item's own."""
        if outcome.trouble is None or outcome.trouble.kind is Kind.QUOTA:
            return outcome
        others_well = -1 < item.well_before < flow.well
        item.well_before = flow.well
        if not others_well or outcome.again is None:
            return outcome
        return WorkEnd(again=outcome.again) if outcome.again else WorkEnd(failed=True)

    def _well(self, item: Item[T], now: float) -> None:
        flow = self._flows[item.namespace]
        flow.well += 1
        took = max(item.longest, now - item.asked)
        if took > SLOW_SECONDS:
            self._into_trouble(item.namespace, flow, _slow(took), now, tries=1)
        elif flow.trouble is not None:
            self._out_of_trouble(item.namespace, flow)
        elif flow.window < self._of_one:
            flow.window = min(2 * flow.window, self._of_one)

    def _out_of_trouble(self, namespace: str, flow: _Flow[T]) -> None:
        flow.trouble, flow.tries, flow.window = None, 0, min(2, self._of_one)
        self._held_in_trouble -= flow.held
        self._held += flow.held
        self._overdue += flow.overdue
        del self._troubled[namespace]
        if flow.line:
            self._turns[namespace] = flow
        self._tell(namespace, None)

    def _into_trouble(
        self, namespace: str, flow: _Flow[T], trouble: Trouble, now: float, tries: int | None = None
    ) -> None:
        if flow.trouble is None:
            self._held -= flow.held
            self._overdue -= flow.overdue
            self._held_in_trouble += flow.held
            self._turns.pop(namespace, None)
            self._troubled[namespace] = flow
        elif now < flow.next_try:
            flow.trouble = trouble  # of one of those that were under way together
            return
        flow.trouble, flow.window = trouble, 1
        flow.tries = flow.tries + 1 if tries is None else tries
        flow.tried = now
        flow.next_try = now + self._jitter(back_off(flow.tries, trouble.retry_after))
        self._tell(namespace, trouble)

    def _rest(self, item: Item[T], until: float) -> None:
        if len(self._resting) >= RESTING_MOST:
            del self._known[item.namespace, item.key]
            return
        self._count += 1
        item.resting = self._count
        heapq.heappush(self._resting, (until, self._count, item))

    def _wake(self, now: float) -> None:
        while self._resting and self._resting[0][0] <= now:
            _, number, item = heapq.heappop(self._resting)
            if item.resting == number:  # else it was woken
                item.resting = 0
                self._append(self._flow(item.namespace), item)
        for namespace, flow in list(self._troubled.items()):
            if not flow.line and not flow.held and now >= flow.next_try + FORGET_SECONDS:
                self._out_of_trouble(namespace, flow)
        for item in self._holding.values():
            if now - item.began < OVERDUE_SECONDS:
                break
            flow = self._flows[item.namespace]
            if not item.overdue:
                item.overdue = True
                flow.overdue += 1
                self._overdue += flow.trouble is None
            if not item.late and now - item.asked >= SLOW_SECONDS:
                item.late = True
                self._into_trouble(item.namespace, flow, _slow(now - item.asked), now, tries=1)


def _asks(item: Item[T]) -> bool:
    return item.asked != NOT_ASKED


def _slow(seconds: float) -> Trouble:
    return Trouble(Kind.SLOW, f"Kubernetes takes more than {seconds:.0f} s to answer")
