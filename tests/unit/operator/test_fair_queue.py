"""A fair queue at work: its tasks, its clock, and what it does about errors."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from bgjobs_core.kube import listening
from bgjobs_core.kube.errors import KubeRefusedError, KubeUnreachableError
from bgjobs_core.redis.errors import StoreUnavailableError
from bgjobs_operator.loops.fair_queue import FairQueue
from bgjobs_operator.loops.loop import NotLeaderError
from bgjobs_operator.loops.troubles import SLOW_SECONDS
from tests.unit.operator.world import Hands, until

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from bgjobs_operator.loops.flows import Item, WorkEnd
    from bgjobs_operator.loops.troubles import Trouble


class Work:
    """What a queue works on; the next work on a key has the next of its ends, an error or what is to be waited for."""

    def __init__(self, **ends: list[Exception | asyncio.Event]) -> None:
        self.clock = Hands()
        self.ends = ends
        self.done: list[str] = []
        self.tries: list[str] = []
        self.told: list[tuple[str, str, bool]] = []
        self.queue: FairQueue[None] = FairQueue("test", self._work, places=4, tell=self._tell, clock=self.clock)

    def _tell(self, loop: str, namespace: str, trouble: Trouble | None) -> None:
        self.told.append((loop, namespace, trouble is not None))

    async def _work(self, item: Item[None]) -> WorkEnd | None:
        self.tries.append(item.key)
        end = self.ends[item.key].pop(0) if self.ends.get(item.key) else None
        if isinstance(end, Exception):
            raise end
        if end is not None:
            await end.wait()
        self.done.append(item.key)
        return None

    async def during(self, *keys: str, seconds: float = 0) -> None:
        """Offer these, and work until nothing is under way."""
        run = asyncio.create_task(self.queue.run())
        await asyncio.sleep(0)
        for key in keys:
            self.queue.offer("shop", key, None)
        self.clock.move_to(self.clock.now + seconds)
        await until(lambda: self.queue.at_rest() or run.done())
        run.cancel()
        await asyncio.wait({run})
        if not run.cancelled():
            run.result()


async def test_works_on_what_is_offered() -> None:
    work = Work()
    await work.during("a", "b")
    assert sorted(work.done) == ["a", "b"]


async def test_what_is_offered_before_it_works_is_kept() -> None:
    work = Work()
    work.queue.offer("shop", "a", None)
    assert work.done == []
    await work.during()
    assert work.done == ["a"]


async def test_trouble_of_the_namespace_is_told_and_tried_again_by_itself() -> None:
    work = Work(a=[KubeUnreachableError("reset")])
    with capture_logs() as logs:
        await work.during("a")
        assert work.told[0] == ("test", "shop", True)
        assert work.done == []
        await work.during(seconds=1)
    assert work.done == ["a"]
    assert work.told[-1] == ("test", "shop", False)
    assert [entry["event"] for entry in logs] == ["namespace in trouble", "namespace is well again"]


@pytest.mark.parametrize("error", [KubeRefusedError(422, "Invalid", "no"), ZeroDivisionError("oh")], ids=repr)
async def test_trouble_of_an_item_is_logged_and_tried_again_by_itself(error: Exception) -> None:
    work = Work(bad=[error])
    with capture_logs() as logs:
        await work.during("bad", "good")
    assert (work.done, work.told) == (["good"], [])
    assert [(entry["item"], entry["namespace"]) for entry in logs] == [("bad", "shop")]
    await work.during(seconds=5)
    assert work.done == ["good", "bad"]


async def test_redis_away_pauses_everything() -> None:
    work = Work(a=[StoreUnavailableError("gone"), StoreUnavailableError("gone")])
    await work.during("a")
    assert (work.queue.failing, work.told) == ("gone", []), "it is no trouble of the namespace"
    tries = len(work.tries)
    await work.during("b")
    assert len(work.tries) == tries
    await work.during(seconds=0.2)
    assert sorted(set(work.done)) == ["b"]
    await work.during(seconds=0.4)
    assert sorted(work.done) == ["a", "b"]
    assert work.queue.failing == ""


async def test_another_leader_ends_it() -> None:
    work = Work(a=[NotLeaderError()])
    with pytest.raises(NotLeaderError):
        await work.during("a")


async def test_its_end_ends_the_work() -> None:
    gate = asyncio.Event()
    work = Work(a=[gate])
    run = asyncio.create_task(work.queue.run())
    await asyncio.sleep(0)
    work.queue.offer("shop", "a", None)
    await until(lambda: work.tries)
    run.cancel()
    await asyncio.wait({run})
    assert work.queue.at_rest()
    gate.set()
    assert work.done == []


async def test_an_answer_that_takes_long_is_trouble_before_it_comes() -> None:
    gate = asyncio.Event()
    work = Work(a=[gate])
    run = asyncio.create_task(work.queue.run())
    await asyncio.sleep(0)
    work.queue.offer("shop", "a", None)
    await until(lambda: work.tries)
    work.clock.move_to(work.clock.now + 5)
    assert work.told == [("test", "shop", True)]
    gate.set()
    await until(work.queue.at_rest)
    run.cancel()
    await asyncio.wait({run})


class Calls:
    """An item of several calls, each of which is answered when the test says so."""

    def __init__(self, calls: int) -> None:
        self.clock = Hands()
        self.told: list[bool] = []
        self.gates = [asyncio.Event() for _ in range(calls)]
        self.sent = 0
        self.queue: FairQueue[None] = FairQueue("test", self._work, tell=self._tell, clock=self.clock)

    def _tell(self, _loop: str, _namespace: str, trouble: Trouble | None) -> None:
        self.told.append(trouble is not None)

    async def _work(self, _: Item[None]) -> None:
        for gate in self.gates:
            with listening.call():
                self.sent += 1
                await gate.wait()

    @asynccontextmanager
    async def under_way(self) -> AsyncGenerator[None]:
        run = asyncio.create_task(self.queue.run())
        await asyncio.sleep(0)
        self.queue.offer("shop", "a", None)
        await until(lambda: self.sent == 1)
        yield
        run.cancel()
        await asyncio.wait({run})

    async def answer(self, number: int, seconds: float) -> None:
        """The call with this number is answered after so long."""
        self.clock.move_to(self.clock.now + seconds)
        self.gates[number].set()
        await until(lambda: self.sent > number + 1 or self.queue.at_rest())


async def test_many_calls_for_an_item_are_not_one_that_is_slow() -> None:
    calls = Calls(5)
    async with calls.under_way():
        for number in range(5):
            await calls.answer(number, SLOW_SECONDS - 0.1)
        assert calls.queue.at_rest()
    assert calls.told == []


async def test_one_of_many_calls_that_is_slow_is_told_at_once() -> None:
    calls = Calls(3)
    async with calls.under_way():
        await calls.answer(0, SLOW_SECONDS - 0.1)
        calls.clock.move_to(calls.clock.now + SLOW_SECONDS)
        assert calls.told == [True], "while it is waited for"
        await calls.answer(1, 0)
        await calls.answer(2, 0.1)
        assert calls.queue.at_rest()


async def test_there_is_room_once_something_has_begun() -> None:
    work = Work()
    while work.queue.room("shop"):
        work.queue.offer("shop", str(work.queue.room("shop")), None)
    waiting = asyncio.create_task(work.queue.has_room("shop"))
    await asyncio.sleep(0)
    assert not waiting.done()
    await work.during()
    await waiting


async def test_what_was_under_way_together_fails_once() -> None:
    """An outage of seconds is waited out for as long as one failure is, whatever was under way."""
    away = StoreUnavailableError("Redis is away")
    work = Work(a=[away], b=[away], c=[away], d=[away])
    await work.during("a", "b", "c", "d")
    await work.during(seconds=0.3)
    assert sorted(work.done) == ["a", "b", "c", "d"]
