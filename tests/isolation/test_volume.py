"""Much of something in other namespaces: nobody else notices.

The suite plays each at a size that shows the kind within seconds. `BGJOBS_ISOLATION_SCALE=10` plays it ten times as
large; the real sizes (60,000 requests, 20,000 KubeJobs) are measured by `make bench`.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Final

import pytest

from bgjobs.ids import new_job_id
from bgjobs.vocabulary import BulkVerb, Outcome
from bgjobs_core.actions.bulk.ask import start
from bgjobs_core.actions.bulk.filters import Frozen
from bgjobs_core.actions.bulk.preview import preview
from bgjobs_core.actions.listing import Filter
from bgjobs_core.jobs.holds import NewHold
from bgjobs_core.resources.models import REQUESTS
from tests.isolation.course import WELL, Course, Trouble, played, readable, slow
from tests.isolation.healthy import DEEDS
from tests.isolation.kubernetes import JOBS
from tests.isolation.rules import Rule
from tests.isolation.virtual_time import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.isolation.installation import Installation

SCALE: Final = int(os.environ.get("BGJOBS_ISOLATION_SCALE", "1"))
ILL: Final = "ill"
NAMESPACES: Final = 150
REQUESTS_AT_ONCE: Final = 1500 * SCALE
WAITING: Final = 10_000 * SCALE
WITHOUT_QUOTA: Final = 3000 * SCALE
HELD: Final = 5000 * SCALE
KEPT_SECONDS: Final = 7200
MOST_POSTS_A_MINUTE: Final = 30


class ManyNamespaces(Trouble):
    """So many namespaces of jobs, each with one that has run."""

    namespaces = tuple(f"tenant-{number}" for number in range(NAMESPACES))

    async def begins(self, it: Installation) -> None:
        self.jobs = [(await it.enqueue(one, "quick", records_seconds=KEPT_SECONDS))[0] for one in self.namespaces]

    async def recovered(self, it: Installation) -> None:
        await it.become(self.jobs, "succeeded", 60.0, "a job in each of many namespaces has")


class ManyRequests(Trouble):
    """So many requests at once, where each answer takes a little longer; their jobs are for later."""

    namespaces = (ILL,)

    async def begins(self, it: Installation) -> None:
        it.kubernetes.rules.append(Rule(frozenset({ILL}), after=0.05))
        self.jobs = [it.request(ILL, "quick", delaySeconds=7200) for _ in range(REQUESTS_AT_ONCE)]

    async def ends(self, it: Installation) -> None:
        it.kubernetes.rules.clear()

    async def recovered(self, it: Installation) -> None:
        async def told() -> bool:
            return len(it.said(ILL)) == len(it.kubernetes.all(REQUESTS, ILL))

        await it.become(self.jobs, "scheduled", 300.0 * SCALE, "jobs of many requests are")
        await until("all requests say so", told, 300.0 * SCALE)


class ManyRequestsAtAStart(ManyRequests):
    """They are there before anybody leads, and whoever leads first goes in the middle of them."""

    async def begins(self, it: Installation) -> None:
        await it.stand_down()
        await super().begins(it)
        it.lead()

        async def begun() -> bool:
            return await self._made(it) > 0

        await until("the first of many requests are jobs", begun, 60.0)
        await it.stand_down()
        assert await self._made(it) < len(self.jobs)
        it.lead()
        await it.become(await it.enqueue(WELL, "quick"), "succeeded", 60.0, "the first job of the next leader has")

    async def _made(self, it: Installation) -> int:
        return len(await it.store.jobs(self.jobs))


class ManyWaiting(Trouble):
    """So many jobs of one namespace wait for its few slots; as many become due at once."""

    namespaces = (ILL,)

    async def before(self, it: Installation) -> None:
        self.running = await it.enqueue(ILL, "long", it.slots)
        await it.become(self.running, "launched", 60.0)

    async def begins(self, it: Installation) -> None:
        for delay in (0.0, 2.0):
            await it.enqueue(ILL, "quick", WAITING // 2, delay_seconds=delay)

    async def recovered(self, it: Installation) -> None:
        await it.become(self.running, "launched", 1.0, "what runs is")


class UsedUpQuota(Trouble):
    """So many jobs that may all have a slot, and a quota that has no room for a KubeJob."""

    namespaces = (ILL,)

    async def begins(self, it: Installation) -> None:
        message = 'jobs.batch "{name}" is forbidden: exceeded quota: few, requested: count/jobs.batch=1, limited: 0'
        rule = Rule(
            frozenset({ILL}), frozenset({"create"}), frozenset({JOBS}), status=403, reason="Forbidden", message=message
        )
        it.kubernetes.rules.append(rule)
        self.jobs = await it.enqueue(ILL, "quick", WITHOUT_QUOTA, records_seconds=KEPT_SECONDS)
        await asyncio.sleep(90.0)

    async def ends(self, it: Installation) -> None:
        for job in self.jobs[200:]:  # the others are too many for the suite
            await it.store.stop(job_id=job, verdict=Outcome.CANCELLED, by="ada", note="")
        it.kubernetes.rules.clear()

    async def recovered(self, it: Installation) -> None:
        await it.become(self.jobs[:200], "succeeded", 300.0, "jobs that had no quota have")


class ManyHeld(Trouble):
    """So many jobs with a label that is held stand before one that is not; later the hold is released."""

    namespaces = (ILL,)
    hold = NewHold(new_job_id(), ILL, "", {"customer": "8841"}, "ada")

    async def begins(self, it: Installation) -> None:
        await it.store.put_hold(self.hold)
        self.held = await it.enqueue(ILL, "quick", HELD, labels={"customer": "8841"}, records_seconds=KEPT_SECONDS)
        self.others = await it.enqueue(ILL, "quick", records_seconds=KEPT_SECONDS)

    async def ends(self, it: Installation) -> None:
        await it.become(self.others, "succeeded", 120.0 * SCALE, "a job behind many held ones has")
        for job in self.held[200:]:  # the others are too many for the suite
            await it.store.stop(job_id=job, verdict=Outcome.CANCELLED, by="ada", note="")
        await it.become(self.held[:200], "queued", 1.0, "held jobs are")
        await it.store.drop_hold(namespace=ILL, hold_id=self.hold.id)

    async def recovered(self, it: Installation) -> None:
        await it.become(self.held[:200], "succeeded", 300.0, "released jobs have")


class ManyCancelled(Trouble):
    """So many jobs of one namespace are cancelled at once, by a filter."""

    namespaces = (ILL,)

    async def begins(self, it: Installation) -> None:
        self.jobs = await it.enqueue(ILL, "quick", WAITING, delay_seconds=7200, records_seconds=KEPT_SECONDS)
        await asyncio.sleep(1.0)  # the clock that stands still meanwhile is not exact
        found = await preview(it.store, Frozen(Filter((ILL,))), BulkVerb.CANCEL, by="ada")
        self.bulk = await start(it.store, found.order)

    async def recovered(self, it: Installation) -> None:
        await it.become(self.jobs, "cancelled", 300.0 * SCALE, "jobs that were cancelled at once are")
        bulk = await it.store.bulk(self.bulk.id)
        assert bulk is not None
        assert (bulk.done, bulk.skipped, bulk.failed) == (WAITING, {}, 0)


NO_TROUBLE: Final = "no trouble"
TROUBLES: Final[dict[str, Callable[[], Trouble]]] = {
    NO_TROUBLE: Trouble,
    "many namespaces": ManyNamespaces,
    "many requests": ManyRequests,
    "many requests at a start": ManyRequestsAtAStart,
    "many waiting jobs": ManyWaiting,
    "a used up quota": UsedUpQuota,
    "many held jobs": ManyHeld,
    "many jobs cancelled at once": ManyCancelled,
}


def course(name: str) -> Course:
    return played(f"volume: {name}", TROUBLES[name])


@pytest.mark.parametrize("deed", DEEDS, ids=readable)
@pytest.mark.parametrize("trouble", TROUBLES, ids=readable)
def test_meanwhile_in_another_namespace(trouble: str, deed: str) -> None:
    played_out = course(trouble)
    assert played_out.wrong.get(deed, "") == ""
    assert slow(played_out, course(NO_TROUBLE), deed) == ""


@pytest.mark.parametrize("trouble", TROUBLES, ids=readable)
def test_all_of_it_is_done_in_the_end(trouble: str) -> None:
    assert course(trouble).aftermath == ""


@pytest.mark.parametrize("trouble", TROUBLES, ids=readable)
def test_the_leader_goes_on_and_makes_nothing_twice(trouble: str) -> None:
    assert (course(trouble).died, course(trouble).twice) == ("", [])


def test_a_used_up_quota_is_asked_for_seldom() -> None:
    found = course("a used up quota")
    posts = [call.at for call in found.calls if (call.verb, call.kind, call.namespace) == ("create", JOBS, ILL)]
    known = min(posts) + 60.0  # by then it is
    minutes = (max(found.calls[-1].at, known) - known) / 60
    assert sum(at > known for at in posts) <= MOST_POSTS_A_MINUTE * minutes
