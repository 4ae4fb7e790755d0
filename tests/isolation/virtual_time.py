"""Time that passes only when nobody has anything to do: a minute of waiting costs nothing, and is the same everywhere.

Everything runs in one process on one event loop, except Redis. The loop's clock stands still while something is under
way, which is: a callback that is ready, bytes that have arrived, or a reply of Redis that is to come. When there is
nothing of that kind, the clock jumps to the next timer. `time.time` and `time.monotonic` show the same clock, so
whatever the product measures time with, it sees this one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import selectors
import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

import structlog
from redis.asyncio.connection import AbstractConnection

from bgjobs_core.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping

    from bgjobs_core.redis.connection import Client

T = TypeVar("T")

_real_monotonic: Final = time.monotonic
_real_time: Final = time.time
_GRACE_SECONDS: Final = 0.0003  # of real time, for what was sent through the loopback device and is not there yet
_DOORBELL_SECONDS: Final = 0.005  # of virtual time, before it is looked at again
_STEP_SECONDS: Final = 0.000_01  # of virtual time for each turn of the loop, so that whoever spins gets older, too
_PATIENCE_SECONDS: Final = 90.0  # of this process' CPU
_LONGEST_SECONDS: Final = 900.0  # of real time, on a busy machine


class StuckError(Exception):
    """The work took more CPU than is meant for it: somebody spins, or asks too often."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop, which is its own clock.

    Attributes:
        until: how much CPU the process may use.
        ends: when it must be done, in real time.
        ahead: how many seconds its clock is ahead of the real one.
        awaited: replies of Redis that are to come.
        replied: is set when one has come.
        reply_seconds: how long each takes, besides what it takes in reality, during which this clock stands still.
    """

    def __init__(self) -> None:
        self.now = _real_monotonic()
        self.awaited = 0
        self.replied = asyncio.Event()
        self.reply_seconds = 0.0
        self.until = time.process_time() + _PATIENCE_SECONDS
        self.ends = self.now + _LONGEST_SECONDS
        super().__init__(_Waiting(self))

    @property
    def ahead(self) -> float:
        return self.now - _real_monotonic()

    def time(self) -> float:
        return self.now


class _Waiting(selectors.DefaultSelector):
    """Waits for bytes as long as some may come, and else lets the clock jump."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        loop = self._loop
        if time.process_time() > loop.until:
            loop.until += _PATIENCE_SECONDS  # for those who clean up
            raise StuckError(f"{_PATIENCE_SECONDS:.0f} s of CPU were not enough")
        if _real_monotonic() > loop.ends:
            loop.ends += _LONGEST_SECONDS
            raise StuckError(f"{_LONGEST_SECONDS:.0f} s were not enough")
        loop.now += _STEP_SECONDS
        found = super().select(0)
        if found or timeout == 0:
            return found
        if loop.awaited or timeout is None:
            return super().select(0.01)
        found = super().select(_GRACE_SECONDS)
        if not found:
            loop.now += timeout
        return found


_running: list[VirtualLoop] = []


def loop() -> VirtualLoop:
    """The one that runs."""
    return _running[-1]


def _monotonic() -> float:
    return _running[-1].now if _running else _real_monotonic()


def _time() -> float:
    return _real_time() + _running[-1].ahead if _running else _real_time()


def install() -> None:
    """Let `time` show the clock of a loop while one runs. It is done early, since a module may remember a function."""
    time.monotonic, time.time = _monotonic, _time


@contextlib.contextmanager
def _redis_is_awaited(loop: VirtualLoop) -> Generator[None]:
    read: Any = AbstractConnection.read_response

    async def counted(self: AbstractConnection, *args: Any, **options: Any) -> Any:
        loop.awaited += 1
        try:
            found = await read(self, *args, **options)
        finally:
            loop.awaited -= 1
            loop.replied.set()
        if loop.reply_seconds:
            await asyncio.sleep(loop.reply_seconds)
        return found

    kind: Any = AbstractConnection
    kind.read_response = counted
    try:
        yield
    finally:
        kind.read_response = read


def run(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run it in virtual time.

    Raises:
        StuckError: it took too much CPU, or too long.
    """
    random.seed(12)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    made: list[VirtualLoop] = []

    def factory() -> VirtualLoop:
        made.append(VirtualLoop())
        return made[0]

    try:
        with asyncio.Runner(loop_factory=factory) as runner:
            loop = runner.get_loop()
            assert isinstance(loop, VirtualLoop)
            with _redis_is_awaited(loop):
                _running.append(loop)
                try:
                    return runner.run(work())
                finally:
                    _running.pop()
    finally:
        structlog.reset_defaults()


async def until(what: str, holds: Callable[[], Awaitable[object]], seconds: float) -> float:
    """Wait until it is so, and return how long that took; fails after so many seconds. All of it in virtual time.

    It looks again after 4 % of what it has waited by then, at least after 20 ms.
    """
    began = time.monotonic()
    while not await holds():
        waited = time.monotonic() - began
        if waited > seconds:
            raise AssertionError(f"not so after {seconds:.0f} s: {what}")
        await asyncio.sleep(max(0.02, waited / 25))
    return time.monotonic() - began


class VirtualStore(Store):
    """The store; to its verbs and readers Redis' clock is the virtual one."""

    def __init__(self, client: Client) -> None:
        super().__init__(client, _ahead_ms)

    async def now_ms(self) -> int:
        return await super().now_ms() + _ahead_ms()


def _ahead_ms() -> int:
    return round(_running[-1].ahead * 1000) if _running else 0


class Polled:
    """A client for the doorbell: a blocking read ends in virtual time, which a Redis in another process does not know.

    Redis is asked again when it has answered anything to anybody, because all who write are in this process.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    async def xread(self, streams: Mapping[str, bytes], count: int, block: int) -> Any:
        loop = _running[-1]
        ends = loop.now + block / 1000
        while True:
            found = await self._client.xread(streams, count=count)
            loop.replied.clear()
            if found or loop.now >= ends:
                return found or {}
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(ends):
                    await loop.replied.wait()
            await asyncio.sleep(_DOORBELL_SECONDS)

    async def aclose(self) -> None:
        await self._client.aclose()
