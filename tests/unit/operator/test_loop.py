"""A loop of the leader."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from bgjobs_core.kube.errors import KubeUnreachableError
from bgjobs_core.redis.errors import StoreUnavailableError
from bgjobs_operator.interfaces.launcher import LauncherUnreachableError
from bgjobs_operator.loops.loop import Loop, NotLeaderError
from tests.unit.operator.world import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LONG = 3600.0
TROUBLE = [StoreUnavailableError("gone"), KubeUnreachableError("gone"), LauncherUnreachableError("gone")]


class Turns:
    """What a loop does; each turn takes the next of `plan`, an error or a number of seconds, later None."""

    def __init__(self, *plan: Exception | float | None, period: float = LONG) -> None:
        self.plan = list(plan)
        self.count = 0
        self.during: list[Loop] = []
        self.loop = Loop("test", self._turn, period)
        self.task = asyncio.create_task(self.loop.run())

    async def _turn(self) -> float | None:
        self.count += 1
        for loop in self.during:
            loop.poke()
        self.during = []
        result = self.plan.pop(0) if self.plan else None
        if isinstance(result, Exception):
            raise result
        return result

    async def after(self, count: int) -> None:
        """So many turns were done."""
        await until(lambda: self.count >= count)
        await asyncio.sleep(0)


@pytest.fixture
async def started() -> AsyncIterator[list[Turns]]:
    """Those in this list are ended with the test."""
    turns: list[Turns] = []
    yield turns
    for one in turns:
        one.task.cancel()
        await asyncio.wait({one.task})


class TestLoop:
    async def test_turns_at_once_and_then_when_it_is_poked(self, started: list[Turns]) -> None:
        started.append(turns := Turns())
        await turns.after(1)
        turns.loop.poke()
        await turns.after(2)
        assert turns.count == 2

    async def test_a_poke_during_a_turn_is_not_lost(self, started: list[Turns]) -> None:
        started.append(turns := Turns())
        turns.during.append(turns.loop)
        await turns.after(2)
        assert turns.count == 2

    async def test_many_pokes_are_one_turn(self, started: list[Turns]) -> None:
        started.append(turns := Turns())
        await turns.after(1)
        for _ in range(9):
            turns.loop.poke()
        await turns.after(2)
        for _ in range(9):
            await asyncio.sleep(0)
        assert turns.count == 2

    async def test_looks_again_when_the_turn_says_so(self, started: list[Turns]) -> None:
        started.append(turns := Turns(0.0, 0.001))
        await turns.after(3)

    async def test_looks_again_after_its_period(self, started: list[Turns]) -> None:
        started.append(turns := Turns(period=0.001))
        await turns.after(3)

    @pytest.mark.parametrize("error", TROUBLE, ids=lambda error: type(error).__name__)
    async def test_trouble_is_told_and_waited_out(self, started: list[Turns], error: Exception) -> None:
        with capture_logs() as logs:
            started.append(turns := Turns(error))
            await turns.after(1)
            assert turns.loop.failing == "gone"
            await turns.after(2)
        assert turns.loop.failing == ""
        assert [(entry["event"], entry["log_level"]) for entry in logs] == [("loop failed", "warning")]

    async def test_an_unexpected_error_is_logged_and_the_loop_goes_on(self, started: list[Turns]) -> None:
        with capture_logs() as logs:
            started.append(turns := Turns(ZeroDivisionError("oh")))
            await turns.after(2)
        (entry,) = logs
        assert (entry["event"], entry["loop"], entry["exc_info"]) == ("loop failed unexpectedly", "test", True)

    async def test_waits_longer_after_each_failure(self, started: list[Turns], monkeypatch: pytest.MonkeyPatch) -> None:
        waits: list[float] = []

        def timeout(seconds: float) -> asyncio.Timeout:
            waits.append(seconds)
            return asyncio.Timeout(0)

        monkeypatch.setattr("bgjobs_operator.loops.loop.asyncio.timeout", timeout)
        started.append(turns := Turns(*TROUBLE * 3))
        await until(lambda: len(waits) > 9)
        assert waits[:10] == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10, 10, LONG]
        turns.task.cancel()

    async def test_a_failed_turn_is_a_turn(self, started: list[Turns]) -> None:
        """A restart would not bring Redis back."""
        started.append(turns := Turns(*TROUBLE))
        turns.loop.turned_at = 0
        await turns.after(1)
        assert time.monotonic() - turns.loop.turned_at < 60

    async def test_another_leader_ends_it(self, started: list[Turns]) -> None:
        started.append(turns := Turns(NotLeaderError()))
        with pytest.raises(NotLeaderError):
            await turns.task

    async def test_a_cancel_ends_it(self, started: list[Turns]) -> None:
        started.append(turns := Turns())
        await turns.after(1)
        turns.task.cancel()
        await asyncio.wait({turns.task})
        assert turns.task.cancelled()

    async def test_a_cancel_that_was_swallowed_below_ends_it(self) -> None:
        """As asyncio.wait_for of Python 3.11 does when its answer comes at the same moment."""
        begun = asyncio.Event()

        async def turn() -> float | None:
            begun.set()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            return None

        task = asyncio.create_task(Loop("test", turn, LONG).run())
        await begun.wait()
        task.cancel()
        await asyncio.wait({task}, timeout=5)
        assert task.cancelled()
