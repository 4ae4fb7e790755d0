"""Trouble with Redis is everybody's: nothing is lost by it, and when it is over all goes on by itself."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import pytest

from bgjobs.vocabulary import Outcome
from tests.isolation import virtual_time
from tests.isolation.course import WELL, Course, Trouble, played, readable, slow
from tests.isolation.healthy import DEEDS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.isolation.installation import Installation

    Step = Callable[[Installation], Awaitable[None]]

LASTS_SECONDS: Final = 60.0
RECOVERS_SECONDS: Final = 90.0
KEPT_SECONDS: Final = 7200


class OfRedis(Trouble):
    """It lasts for a minute, and the deeds come after it.

    Args:
        breaks: begins it.
        mends: ends it.
    """

    def __init__(self, breaks: Step, mends: Step) -> None:
        self.breaks = breaks
        self.mends = mends

    async def before(self, it: Installation) -> None:
        self.stopped = await it.enqueue(WELL, "long", 10, records_seconds=KEPT_SECONDS)
        await it.become(self.stopped, "launched", 30.0)
        self.runs = await it.enqueue(WELL, "quick", 40, records_seconds=KEPT_SECONDS)
        self.scheduled = await it.enqueue(WELL, "quick", 10, records_seconds=KEPT_SECONDS, delay_seconds=5.0)
        for job in self.stopped:
            await it.store.stop(job_id=job, verdict=Outcome.CANCELLED, by="ada", note="")

    async def begins(self, it: Installation) -> None:
        await self.breaks(it)
        self.asked = [it.request(WELL, "quick") for _ in range(10)]
        await asyncio.sleep(LASTS_SECONDS)
        await self.mends(it)
        await self._all_is_done(it)

    async def _all_is_done(self, it: Installation) -> None:
        await it.become([*self.runs, *self.scheduled], "succeeded", RECOVERS_SECONDS, "jobs have")
        await it.become(self.stopped, "cancelled", RECOVERS_SECONDS, "cancelled jobs are")
        await it.become(self.asked, "succeeded", RECOVERS_SECONDS, "requests have")


async def _slow(_: Installation) -> None:
    virtual_time.loop().reply_seconds = 0.5


async def _quick(_: Installation) -> None:
    virtual_time.loop().reply_seconds = 0.0


async def _full(it: Installation) -> None:
    await it.client.config_set("maxmemory", "1")


async def _empty_enough(it: Installation) -> None:
    await it.client.config_set("maxmemory", "0")


async def _killed(it: Installation) -> None:
    it.server.kill()


async def _started(it: Installation) -> None:
    it.server.start()


NO_TROUBLE: Final = "no trouble"
TROUBLES: Final[dict[str, Callable[[], Trouble]]] = {
    NO_TROUBLE: Trouble,
    "slow": lambda: OfRedis(_slow, _quick),
    "full": lambda: OfRedis(_full, _empty_enough),
    "killed and started again": lambda: OfRedis(_killed, _started),
}


def course(name: str) -> Course:
    return played(f"redis: {name}", TROUBLES[name])


@pytest.mark.parametrize("deed", DEEDS, ids=readable)
@pytest.mark.parametrize("trouble", TROUBLES, ids=readable)
def test_afterwards(trouble: str, deed: str) -> None:
    played_out = course(trouble)
    assert played_out.wrong.get(deed, "") == ""
    assert slow(played_out, course(NO_TROUBLE), deed) == ""


@pytest.mark.parametrize("trouble", TROUBLES, ids=readable)
def test_the_leader_goes_on_and_makes_nothing_twice(trouble: str) -> None:
    assert (course(trouble).died, course(trouble).twice) == ("", [])
