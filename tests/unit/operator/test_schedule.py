"""schedule: a job for each tick, exactly one, whatever happens between making it and saying so."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from unittest.mock import AsyncMock

import pytest

from bgjobs.ids import new_job_id
from bgjobs.vocabulary import Outcome, State
from bgjobs_core.actions.errors import TooManyClassesError
from bgjobs_core.jobs.ids import schedule_job_id
from bgjobs_core.jobs.schedule import AWAY, SUSPENDED
from bgjobs_core.kube.errors import KubeRefusedError
from bgjobs_core.redis.errors import StoreUnavailableError
from bgjobs_core.redis.memory import Memory, MemoryGate
from bgjobs_core.resources.models import API_VERSION, SCHEDULES
from bgjobs_core.resources.schedules import SUSPENDED_BY
from bgjobs_operator.loops.schedule import PERIOD, Schedule
from bgjobs_operator.pokes import Poke, Pokes
from tests.store.builders import a_job
from tests.unit.operator.builders import NAMESPACE
from tests.unit.operator.world import OURS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from bgjobs.wire import Schedule as Shown
    from bgjobs_core.jobs.record import FullJob
    from bgjobs_core.kube.objects import Object
    from tests.unit.operator.world import World

HOUR = 3600


@dataclass
class Ticking:
    """The loop, on the store and the objects of a world; time begins a little after a full hour."""

    world: World
    start: int
    gate: MemoryGate | None = None
    loop: Schedule = field(init=False)
    woken: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        self.begin()

    def begin(self, line: int = 100) -> None:
        """An operator begins to lead: it knows nothing."""
        self.pokes = Pokes(lambda: None)
        self.loop = Schedule(
            self.world.store, self.world.resources, self.pokes, OURS, lambda: self.woken.append("schedule"), self.gate,
            clock=self.world.clock, line=line,
        )  # fmt: skip

    def put(self, name: str = "nightly", **spec: Any) -> Object:
        """A schedule is made now, every hour if nothing else is said."""
        times = {} if "cron" in spec else {"everySeconds": HOUR}
        job = {"class": "shop.jobs.Report", "method": "build", "parameters": {"rows": [1, 2]}}
        return self.world.resources.put({
            "apiVersion": API_VERSION,
            "kind": "BackgroundJobSchedule",
            "metadata": {
                "name": name, "namespace": NAMESPACE, "uid": f"uid-of-{name}", "generation": 1,
                "creationTimestamp": datetime.fromtimestamp(self.start + 1, UTC).isoformat(),
            },
            "spec": times | {"job": job} | spec,
        })  # fmt: skip

    async def to(self, seconds: float) -> None:
        """It is so late after the full hour."""
        now = await self.world.store.now_ms() / 1000
        self.world.forward(self.start + seconds - now)

    async def look(self) -> float:
        """What is due is done; how long the loop sleeps then."""
        wait: float | None = None
        for _ in range(3):  # a list, what it finds, and how long it is until the next
            async with self.world.working(self.loop.fair):
                wait = await self.loop.turn()
        assert wait is not None
        return wait

    async def at(self, seconds: float) -> float:
        """Look at this time after the full hour."""
        await self.to(seconds)
        return await self.look()

    def poke(self, name: str = "nightly") -> None:
        self.pokes.add(Poke(SCHEDULES, NAMESPACE, name, f"uid-of-{name}"))

    async def job(self, seconds: int, name: str = "nightly") -> FullJob | None:
        """The job of the tick at this time after the full hour."""
        return await self.world.store.full_job(schedule_job_id(f"uid-of-{name}", self.start + seconds))

    async def made(self, upto: int = 8, name: str = "nightly") -> list[int]:
        """The hours whose ticks have jobs."""
        return [n for n in range(upto) if await self.job(n * HOUR, name) is not None]

    def status(self, name: str = "nightly") -> dict[str, Any]:
        return self.world.resources.objects[SCHEDULES, NAMESPACE, name]["status"]

    def ready(self, name: str = "nightly") -> tuple[str, str]:
        (condition,) = self.status(name)["conditions"]
        return condition["status"], condition["reason"]

    def missed(self) -> list[tuple[float, str]]:
        """The ticks in the status, in hours, and why they were missed."""
        return [
            ((datetime.fromisoformat(one["tick"]).timestamp() - self.start) / HOUR, one["reason"])
            for one in self.status()["missed"]
        ]

    async def shown(self, name: str = "nightly") -> Shown:
        record = await self.world.store.schedule(f"{NAMESPACE}/{name}")
        assert record is not None
        return record.view()


@pytest.fixture
async def ticking(world: World) -> Ticking:
    await world.lead()
    now = await world.store.now_ms() // 1000
    found = Ticking(world, (now // HOUR + 1) * HOUR)
    await found.to(2)
    return found


async def test_each_tick_makes_a_job_and_the_loop_sleeps_until_the_next(ticking: Ticking) -> None:
    ticking.put(job={"class": "shop.jobs.Report", "method": "build", "parameters": [1], "priority": 1})
    assert await ticking.look() == pytest.approx(PERIOD, abs=2)  # at most so long: something may be lost
    assert await ticking.made() == []
    assert ticking.status()["nextTick"] == datetime.fromtimestamp(ticking.start + HOUR, UTC).isoformat().replace(
        "+00:00", "Z"
    )

    assert await ticking.at(HOUR - 10) == pytest.approx(10, abs=1)
    await ticking.at(HOUR + 0.1)

    job = await ticking.job(HOUR)
    assert job is not None
    assert (job.state, job.spec.cls, job.spec.priority) == (State.QUEUED, "shop.jobs.Report", 1)
    assert (job.created_by, job.parameters) == ("schedule:nightly", b"[1]")
    assert (ticking.status()["lastJobId"], ticking.status()["active"]) == (job.id, [job.id])
    assert ticking.ready() == ("True", "Scheduled")
    await ticking.at(2 * HOUR + 1)
    assert await ticking.made() == [1, 2]


async def test_a_tick_that_is_looked_at_often_makes_one_job(ticking: Ticking) -> None:
    ticking.put()
    await ticking.look()
    await ticking.at(HOUR + 1)
    written = len(ticking.world.resources.written)
    for _ in range(3):
        ticking.poke()
        await ticking.look()

    assert await ticking.made() == [1]
    assert len(ticking.world.resources.written) == written  # nothing new is nothing to write


async def test_a_status_that_was_not_written_costs_nothing(ticking: Ticking) -> None:
    """The operator ends between making a job and saying so; the tick is neither lost nor made twice."""
    obj = ticking.put(missedTicks="none")
    await ticking.look()
    before = dict(obj["status"])
    await ticking.at(HOUR + 1)
    ticking.world.resources.objects[SCHEDULES, NAMESPACE, "nightly"]["status"] = before

    ticking.begin()
    await ticking.at(2 * HOUR - 5)

    assert await ticking.made() == [1]
    assert ticking.missed() == []
    assert ticking.status()["lastJobId"] == schedule_job_id("uid-of-nightly", ticking.start + HOUR)


async def test_ticks_while_no_operator_ran(ticking: Ticking) -> None:
    for name, missed_ticks in (("last", "last"), ("none", "none"), ("all", "all")):
        ticking.put(name, missedTicks=missed_ticks)
    await ticking.look()

    ticking.begin()
    await ticking.at(3 * HOUR + 600)

    assert await ticking.made(name="last") == [3]
    assert await ticking.made(name="none") == []
    assert await ticking.made(name="all") == [1, 2, 3]
    assert [one["reason"] for one in ticking.status("none")["missed"]] == [AWAY] * 3


async def test_what_was_made_while_no_operator_ran_is_not_made_up_before_that(ticking: Ticking) -> None:
    ticking.put(missedTicks="all")["metadata"]["creationTimestamp"] = datetime.fromtimestamp(
        ticking.start + HOUR + 1, UTC
    ).isoformat()

    await ticking.at(3 * HOUR + 600)

    assert await ticking.made() == [2, 3]


async def test_forbid_waits_for_the_job_before(ticking: Ticking) -> None:
    ticking.put(concurrencyPolicy="Forbid")
    await ticking.look()
    await ticking.at(HOUR + 1)
    first = schedule_job_id("uid-of-nightly", ticking.start + HOUR)

    await ticking.at(2 * HOUR + 1)

    assert ticking.missed() == [(2, f"forbid: job {first} still runs")]
    await ticking.world.store.stop(job_id=first, verdict=Outcome.CANCELLED, by="ada", note="")
    await ticking.at(3 * HOUR + 1)
    assert await ticking.made() == [1, 3]


async def test_replace_cancels_the_job_before(ticking: Ticking) -> None:
    ticking.put(concurrencyPolicy="Replace")
    await ticking.look()
    await ticking.at(HOUR + 1)
    await ticking.at(2 * HOUR + 1)

    first, second = await ticking.job(HOUR), await ticking.job(2 * HOUR)
    assert first is not None
    assert (first.state, first.stopped_by) == (State.CANCELLED, "schedule:nightly")
    assert second is not None
    assert ticking.status()["active"] == [second.id]


async def test_a_status_that_somebody_has_written_ends_no_job_of_another_namespace(ticking: Ticking) -> None:
    foreign = a_job().on("default", "closed").build()
    await ticking.world.store.enqueue(foreign)
    obj = ticking.put(concurrencyPolicy="Replace")
    await ticking.look()
    obj["status"] = {**ticking.status(), "active": [foreign.id]}
    ticking.begin()
    await ticking.at(HOUR + 1)

    assert await ticking.made() == [1]
    assert await ticking.world.state(foreign.id) == State.QUEUED


async def test_jitter_delays_the_job_and_not_the_tick(ticking: Ticking) -> None:
    ticking.put(jitterSeconds=1800)
    await ticking.look()
    await ticking.at(HOUR + 0.1)

    job = await ticking.job(HOUR)
    assert job is not None
    assert job.state is State.SCHEDULED
    assert job.not_before is not None
    assert 0 < job.not_before / 1000 - ticking.start - HOUR <= 1800


async def test_one_that_is_suspended_and_resumed_makes_nothing_up(ticking: Ticking) -> None:
    obj = ticking.put(missedTicks="all")
    await ticking.look()
    obj["spec"]["suspend"], obj["metadata"]["generation"] = True, 2
    ticking.poke()
    await ticking.at(10)
    assert ticking.ready() == ("True", "Suspended")
    assert "nextTick" not in ticking.status()

    await ticking.to(2 * HOUR + 60)
    obj["spec"]["suspend"], obj["metadata"]["generation"] = False, 3
    ticking.poke()
    await ticking.look()

    assert await ticking.made() == []
    assert ticking.missed() == [(1, SUSPENDED), (2, SUSPENDED)]
    await ticking.at(3 * HOUR + 1)
    assert await ticking.made() == [3]


async def test_other_times_make_nothing_up(ticking: Ticking) -> None:
    obj = ticking.put(missedTicks="all")
    await ticking.look()
    await ticking.to(5 * HOUR + 60)
    obj["spec"]["everySeconds"], obj["metadata"]["generation"] = HOUR // 2, 2
    ticking.begin()
    await ticking.look()

    assert await ticking.made() == []


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"cron": "0 0 30 2 *"}, "Bad day-of-month"),
        ({"cron": "0 0 1--100000000 * *"}, "spec.cron: "),
        ({"cron": "@daily", "timeZone": "Europe/Nowhere"}, "there is no time zone 'Europe/Nowhere'"),
        ({"job": {"class": "no-dots", "method": "run"}}, "spec.job.class"),
        ({"cron": 7}, "spec.cron"),
    ],
)
async def test_one_hostile_object_says_so_and_the_others_go_on(
    ticking: Ticking, spec: dict[str, Any], words: str
) -> None:
    ticking.put("hostile", **spec)
    ticking.put()
    await ticking.look()
    await ticking.at(HOUR + 1)

    (condition,) = ticking.status("hostile")["conditions"]
    assert (condition["status"], condition["reason"]) == ("False", "InvalidSpec")
    assert words in condition["message"]
    assert await ticking.made() == [1]
    shown = await ticking.shown("hostile")
    assert (shown.ready, shown.reason, shown.cls) == (False, "InvalidSpec", None)


async def test_a_status_that_somebody_else_wrote_is_no_trouble(ticking: Ticking) -> None:
    ticking.put()["status"] = {"times": ["no text"], "active": ["no id", "../x"], "conditions": "none"}
    ticking.put("other")["status"] = {"times": "every 3600 s", "active": ["no id"], "since": "soon", "missed": []}
    await ticking.look()
    await ticking.at(HOUR + 1)

    assert await ticking.made() == [1]
    assert await ticking.made(name="other") == [1]


async def test_a_queue_that_does_not_admit_the_job_is_the_reason(ticking: Ticking) -> None:
    ticking.put(job={"class": "evil.Code", "method": "run"})
    await ticking.look()
    await ticking.at(HOUR + 1)

    assert ticking.ready() == ("False", "ClassNotApproved")
    (missed,) = ticking.missed()
    assert missed[1].startswith("refused: evil.Code is not in approvedClasses")
    await ticking.at(HOUR + 600)
    assert ticking.ready() == ("False", "ClassNotApproved")  # until a tick goes better


async def test_where_redis_has_no_room_the_tick_waits(ticking: Ticking) -> None:
    memory = Memory(used=100, limit=100)

    async def full() -> Memory:
        return memory

    ticking.world.store.memory = full
    now = 0.0
    ticking.gate = MemoryGate(ticking.world.store, lambda: now)
    ticking.begin()
    ticking.put()
    await ticking.look()
    await ticking.at(HOUR + 1)
    assert ticking.ready() == ("False", "NoRoom")
    assert await ticking.made() == []

    memory, now = Memory(used=1, limit=100), 100.0
    await ticking.at(HOUR + 8)

    assert await ticking.made() == [1]
    assert ticking.ready() == ("True", "Scheduled")


async def test_a_tick_of_one_class_too_many_waits(ticking: Ticking, monkeypatch: pytest.MonkeyPatch) -> None:
    ticking.put()
    await ticking.look()
    crowded = AsyncMock(side_effect=TooManyClassesError(NAMESPACE))
    monkeypatch.setattr("bgjobs_operator.loops.schedule.enqueue", crowded)
    await ticking.at(HOUR + 1)
    assert ticking.ready() == ("False", "TooManyClasses")
    monkeypatch.undo()
    await ticking.at(HOUR + 8)
    assert (ticking.ready(), await ticking.made()) == (("True", "Scheduled"), [1])


async def test_a_schedule_that_is_gone_is_forgotten_and_its_jobs_stay(ticking: Ticking) -> None:
    obj = ticking.put()
    await ticking.look()
    await ticking.at(HOUR + 1)
    assert (await ticking.shown()).name == "nightly"

    ticking.world.resources.remove(obj)
    await ticking.at(HOUR + PERIOD + 5)  # without a poke: it was lost

    assert await ticking.world.store.schedule(f"{NAMESPACE}/nightly") is None
    assert await ticking.world.store.schedule_keys() == []
    assert await ticking.made() == [1]


async def test_the_loop_is_woken_only_for_what_comes_earlier(ticking: Ticking) -> None:
    ticking.put()
    await ticking.look()
    ticking.woken.clear()
    ticking.poke()
    await ticking.look()  # its next tick is later than the next list
    assert ticking.woken == []

    ticking.put("often", everySeconds=10)
    ticking.poke("often")
    await ticking.look()
    assert ticking.woken == ["schedule"]


async def test_more_than_a_line_holds_are_offered_in_turns(ticking: Ticking) -> None:
    ticking.begin(line=2)
    for number in range(30):
        ticking.put(f"s{number}")
    assert await ticking.look() <= 1.0
    for _ in range(3):
        await ticking.look()
    assert len(await ticking.world.store.schedule_keys()) == 30


async def test_an_event_that_was_lost_is_found_by_the_list(ticking: Ticking) -> None:
    await ticking.look()
    ticking.put()
    await ticking.at(PERIOD + 5)
    assert (await ticking.shown()).next_tick is not None


async def test_without_the_definition_there_are_no_schedules(ticking: Ticking, monkeypatch: pytest.MonkeyPatch) -> None:
    async def pages(_plural: str, _namespace: str) -> AsyncGenerator[Object]:
        raise KubeRefusedError(404, "NotFound", "the server could not find the requested resource")
        yield {}  # pyright: ignore[reportUnreachable]

    monkeypatch.setattr(ticking.world.resources, "pages", pages)
    assert await ticking.look() > 1
    assert ticking.world.in_trouble("schedule") == set()


async def test_a_wish_suspends_and_resumes_the_object(ticking: Ticking) -> None:
    obj = ticking.put()
    await ticking.look()
    store = ticking.world.store
    assert await store.schedule_wish(schedule=f"{NAMESPACE}/nightly", suspend="1", by="ada") == "wished"
    assert (await ticking.shown()).wish == "pause"

    await ticking.look()

    assert obj["spec"]["suspend"] is True
    assert obj["metadata"]["annotations"] == {SUSPENDED_BY: "ada"}
    shown = await ticking.shown()
    assert (shown.suspended, shown.wish, shown.message) == (True, None, "suspended by ada")
    assert await store.wished_schedules() == []

    await store.schedule_wish(schedule=f"{NAMESPACE}/nightly", suspend="0", by="bob")
    await ticking.look()
    assert obj["spec"]["suspend"] is False
    assert (await ticking.shown()).suspended is False


async def test_a_job_that_was_run_by_hand_counts_for_forbid(ticking: Ticking) -> None:
    ticking.put(concurrencyPolicy="Forbid")
    await ticking.look()
    by_hand = await ticking.world.queued()
    await ticking.world.store.schedule_wish(schedule=f"{NAMESPACE}/nightly", ran=by_hand)
    await ticking.look()
    assert (ticking.status()["active"], ticking.status()["lastJobId"]) == ([by_hand], by_hand)

    await ticking.at(HOUR + 1)

    assert ticking.missed() == [(1, f"forbid: job {by_hand} still runs")]


async def test_each_of_several_jobs_that_were_run_by_hand_counts_for_forbid(ticking: Ticking) -> None:
    """The first one still runs when the last one has ended; the operator looks only after both."""
    ticking.put(concurrencyPolicy="Forbid")
    await ticking.look()
    first, second = await ticking.world.queued(), await ticking.world.queued()
    for by_hand in (first, second):
        await ticking.world.store.schedule_wish(schedule=f"{NAMESPACE}/nightly", ran=by_hand)
    await ticking.look()
    assert (ticking.status()["active"], ticking.status()["lastJobId"]) == ([first, second], second)
    await ticking.world.store.stop(job_id=second, verdict=Outcome.CANCELLED, by="ada", note="")

    await ticking.at(HOUR + 1)

    assert ticking.missed() == [(1, f"forbid: job {first} still runs")]
    assert await ticking.world.store.wished_schedules() == []


async def test_a_job_run_by_hand_that_is_not_there_is_no_trouble(ticking: Ticking) -> None:
    ticking.put(concurrencyPolicy="Forbid")
    await ticking.look()
    for ran in (new_job_id(), "../job"):
        await ticking.world.store.schedule_wish(schedule=f"{NAMESPACE}/nightly", ran=ran)
        await ticking.look()
    await ticking.at(HOUR + 1)
    assert await ticking.made() == [1]


async def test_redis_away_in_the_middle(ticking: Ticking) -> None:
    ticking.put()
    await ticking.look()
    await ticking.to(HOUR + 1)
    ticking.world.store.settings_failing = StoreUnavailableError("away")
    await ticking.look()
    assert await ticking.made() == []

    ticking.world.store.settings_failing = None
    ticking.world.forward(12)
    await ticking.look()
    assert await ticking.made() == [1]
