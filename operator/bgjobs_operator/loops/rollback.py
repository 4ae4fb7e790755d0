"""rollback: a Redis that is older than the world is noticed, and nothing is launched by it until a person says so.

A volume that is put back from a copy, or a Redis that is empty, has forgotten which jobs have run. A job that waits in
it may have run since, and its KubeJob may be gone already, so that nobody can know. That would be run twice in silence.

Redis counts its writes, and how often a leader has looked at it. The leader remembers both counts, in a mark each
minute, and keeps the marks in an annotation of its Lease, outside Redis. A copy that is put back has fewer writes,
until others have written as much as was lost; the looks are the leader's own, so nobody else makes up for them.
A KubeJob is kept for some minutes after its end, and a launch that finds its KubeJob takes that one. So a cut of less
than that is no danger, and is only logged: what was lost is taken back from Kubernetes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import structlog

from bgjobs_operator.loops.loop import NotLeaderError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bgjobs_core.store.rollback import Hold, Mark
    from bgjobs_core.store.store import Store

PERIOD: Final = 5.0  # seconds between two looks
SURE_MS: Final = 300_000  # at most; see `sure_ms`
_EVERY_MS: Final = 60_000
_MOST_MARKS: Final = 2 + SURE_MS // _EVERY_MS

Marks: TypeAlias = tuple[tuple[int, int], ...]  # each a count, and when it was seen in Unix ms

log: Any = structlog.get_logger(__name__)


def sure_ms(kept_seconds: float) -> int:
    """For how long after its end a KubeJob is there for sure, in ms, if it is to be kept for so many seconds.

    Half of that is left for what happens late.
    """
    return min(SURE_MS, round(kept_seconds * 1000 / 2))


@dataclass(frozen=True)
class Memory:
    """What is remembered of Redis outside of it.

    Attributes:
        store_id: its random id.
        marks: how many writes it had seen, and when that was in Unix ms; the latest comes last.
        looks: the same of how often a leader had looked at it; () in what an earlier version has remembered.
    """

    store_id: str
    marks: Marks
    looks: Marks = ()

    def text(self) -> str:
        """As it is kept in an annotation; earlier versions read the first two."""
        said = {"store": self.store_id, "marks": self.marks, "looks": self.looks}
        return json.dumps(said, separators=(",", ":"))

    @classmethod
    def read(cls, text: str) -> Memory | None:
        """From an annotation; None if there is none, or nobody can read it."""
        try:
            found = json.loads(text)
            return cls(str(found["store"]), _read(found["marks"]), _read(found.get("looks", ())))
        except (ValueError, TypeError, KeyError):
            return None

    def floor(self, now: int, sure: int = SURE_MS) -> int:
        """So many writes Redis must have seen, or it has lost more than what Kubernetes still knows."""
        return _floor(self.marks, now, sure)

    def with_mark(self, mark: Mark) -> Memory:
        """The same with what Redis says now; of each minute one mark is kept, and those of the last five minutes."""
        marks, looks = _with(self.marks, mark.seq, mark.now), _with(self.looks, mark.looks, mark.now)
        return Memory(self.store_id, marks, looks)


def _read(marks: Any) -> Marks:
    """From JSON; raises ValueError or TypeError where it is something else."""
    return tuple((int(count), int(at)) for count, at in marks)


def _floor(marks: Marks, now: int, sure: int) -> int:
    """The least count that Redis must have now."""
    there = [count for count, at in marks if now - at <= sure]
    return min(there, default=marks[-1][0] if marks else 0)


def _with(marks: Marks, count: int, now: int) -> Marks:
    kept = list(marks)
    if len(kept) > 1 and kept[-1][1] - kept[-2][1] < _EVERY_MS:
        kept.pop()  # the latest one moves on until it is a minute from the one before
    return (*kept[1 - _MOST_MARKS :], (count, now))


def judge(memory: Memory | None, mark: Mark, emptied: str = "", sure: int = SURE_MS) -> str:
    """Why Redis is older than the world, in words; "" if nothing is lost but what Kubernetes still knows.

    Args:
        memory: what is remembered; None if nobody has ever led.
        mark: what Redis says now.
        emptied: id of the store that was emptied on purpose, if one was.
        sure: for how many ms after its end a KubeJob is there for sure.
    """
    if memory is None or memory.store_id == emptied != mark.store_id:
        return ""
    if mark.store_id != memory.store_id:
        return f"Redis was emptied, or is another one than at {_said(memory.marks[-1][1])}" if memory.marks else ""
    if mark.seq < _floor(memory.marks, mark.now, sure):
        seen, at = memory.marks[-1]
        said = f"Redis had {seen:,} writes by {_said(at)}, and has {mark.seq:,} of them"
        return f"{said}: its data are {_age(memory.marks, mark.seq)}"
    if mark.looks < _floor(memory.looks, mark.now, sure):
        seen, at = memory.looks[-1]
        said = f"by {_said(at)} the operator had noted in Redis {seen:,} times that it looked, {mark.looks:,} are left"
        return f"{said}: its data are {_age(memory.looks, mark.looks)}"
    return ""


def _age(marks: Marks, count: int) -> str:
    """Of when the data are that have this count, in words."""
    as_of = max((at for seen, at in marks if seen <= count), default=None)
    return f"of {_said(as_of)} or a little later" if as_of else "from before that"


def _said(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"


@dataclass
class Rollback:
    """Compares Redis with what is remembered of it.

    Attributes:
        epoch: the leader's token.
        memory: what is remembered; whoever holds the Lease keeps it there.
        tell: hears what holds the launches, and None when nothing does.
        sure: for how many ms after its end a KubeJob is there for sure.
    """

    store: Store
    epoch: str = ""
    memory: Memory | None = None
    tell: Callable[[Hold | None], None] = lambda _: None
    sure: int = SURE_MS
    _held: Hold | None = field(default=None)
    _free_since: int = 0
    _now: int = 0

    async def turn(self) -> float | None:
        """Raises NotLeaderError when another leader has taken over."""
        mark = await self.store.mark()
        why = judge(self.memory, mark, mark.emptied, self.sure)
        if why:
            log.error("Redis is older than the world: nothing is launched", why=why)
            if await self.store.hold(epoch=self.epoch, reason=why) == "not_leader":
                raise NotLeaderError
            mark = await self.store.mark()
        elif self.memory is not None and self.memory.marks and mark.seq < self.memory.marks[-1][0]:
            log.warning("Redis has lost its latest writes; they are taken back from Kubernetes", seq=mark.seq)
        # What was found is held or harmless, so from now on this is how Redis is to be.
        known = self.memory if self.memory is not None and self.memory.store_id == mark.store_id and not why else None
        self.memory = (known or Memory(mark.store_id, ())).with_mark(mark)
        if await self.store.look(self.epoch) == "not_leader":
            raise NotLeaderError
        self._now = mark.now
        held_before, self._held = self._held, await self.store.what_holds()
        if held_before is not None and self._held is None:
            self._free_since = await self.store.now_ms()
        self.tell(self._held)
        return None

    def floor(self) -> int:
        """See `Memory.floor`; a claim checks it in the same step in which it takes jobs."""
        return self.memory.floor(self._now, self.sure) if self.memory is not None else 0

    def unless_held(self, turn: Callable[[], Awaitable[float | None]]) -> Callable[[], Awaitable[float | None]]:
        """A loop's turn that does nothing while launches are held."""

        async def guarded() -> float | None:
            return None if self._held is not None else await turn()

        return guarded

    def unless_older(self, turn: Callable[[], Awaitable[float | None]]) -> Callable[[], Awaitable[float | None]]:
        """The same for a loop that launches by what it finds in Redis: it looks whether that is older, each time."""

        async def guarded() -> float | None:
            return None if await self.launches_since() is None else await turn()

        return guarded

    async def launches_since(self) -> int | None:
        """Since when this leader may launch, in Unix ms (0: since it leads); None if launches are held.

        It is looked whether Redis is older, each time. Raises NotLeaderError when another leader has taken over.
        """
        if self._held is None:
            mark = await self.store.mark()
            if judge(self.memory, mark, mark.emptied, self.sure):
                await self.turn()
        return None if self._held is not None else self._free_since
