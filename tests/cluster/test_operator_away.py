"""No operator runs for more than a minute: jobs wait and say so, and schedules make up what their owners want."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import pytest

from bgjobs.vocabulary import State, WhyNot
from bgjobs_core.jobs.ids import schedule_job_id
from bgjobs_core.jobs.schedule import AWAY, DEADLINE, ON_TIME_SECONDS, iso
from installation import RELEASE, SHOP, SYSTEM, kubectl, wait_until
from tests.cluster.cluster_view import creations, ended, until_why

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgjobs import JobClient

OPERATOR: Final = f"deployment/{RELEASE}-operator"
OFTEN: Final = 10  # seconds between two ticks of the schedule that makes up all of them: several come meanwhile
RENDER: Final = ("shop.jobs.Invoices", "render", [2026, 11])
# What becomes of the one tick that comes while nobody looks: why it is missed; "" if its job is made.
ONE_TICK: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "away-none": ({"missedTicks": "none"}, AWAY),
    "away-last": ({"missedTicks": "last"}, ""),
    "away-deadline": ({"missedTicks": "last", "startingDeadlineSeconds": 20}, DEADLINE),
}
ALL: Final = "away-all"


def applied(name: str, every: int, **spec: object) -> None:
    job = {"class": RENDER[0], "method": RENDER[1], "parameters": RENDER[2]}
    body = {
        "apiVersion": "bgjobs.dev/v1alpha1",
        "kind": "BackgroundJobSchedule",
        "metadata": {"name": name, "namespace": SHOP},
        "spec": {"everySeconds": every, "job": job, **spec},
    }
    kubectl("apply", "-f", "-", stdin=json.dumps(body))


def schedule(name: str) -> dict[str, Any]:
    return json.loads(kubectl("get", "backgroundjobschedule", name, "-n", SHOP, "-o", "json"))


def seconds(text: str) -> int:
    """A time of a status, in Unix seconds."""
    return round(datetime.fromisoformat(text).astimezone(UTC).timestamp())


def that_ticks_soon_and_then_late(now: int) -> int:
    """How many seconds are between the ticks of a schedule that has one in half a minute, and the next minutes later.

    Ticks are counted from 1970, so that is a number that divides the time of the tick.
    """
    return next(every for soon in range(22, 60) for every in range(240, 4000) if (now + soon) % every == 0)


@pytest.fixture
def away(client: JobClient) -> Iterator[int]:
    """Schedules are there, and no operator; when they have their one tick, in Unix seconds."""
    assert client
    names = (*ONE_TICK, ALL)
    try:
        every = that_ticks_soon_and_then_late(round(time.time()))
        for name, (spec, _) in ONE_TICK.items():
            applied(name, every, **spec)
        applied(ALL, OFTEN, missedTicks="all")
        for name in names:
            kubectl("wait", f"backgroundjobschedule/{name}", "-n", SHOP, "--for=condition=Ready", "--timeout=20s")
        kubectl("scale", OPERATOR, "-n", SYSTEM, "--replicas=0")
        pods = ("pods", "-n", SYSTEM, "-l", "app.kubernetes.io/component=operator")
        kubectl("wait", *pods, "--for=delete", "--timeout=20s")
        tick = seconds(schedule("away-none")["status"]["nextTick"])
        assert time.time() < tick, "nobody was there at the tick"
        yield tick
    finally:
        kubectl("scale", OPERATOR, "-n", SYSTEM, "--replicas=1")
        kubectl("delete", "backgroundjobschedules", *names, "-n", SHOP, "--ignore-not-found")


@pytest.mark.slow
def test_what_was_missed_is_made_up_as_each_schedule_says(client: JobClient, away: int) -> None:
    job = client.enqueue(*RENDER)
    why = until_why(client, job.id, WhyNot.NO_LEADER)
    assert "Nothing is lost" in why.message
    assert "component=operator" in (why.remedy or "")
    wait_until("the tick is not on time any more", lambda: time.time() > away + ON_TIME_SECONDS, 120)
    assert all(schedule(name)["status"].get("lastTick") is None for name in ONE_TICK), "nobody has looked"

    back = time.time()
    kubectl("scale", OPERATOR, "-n", SYSTEM, "--replicas=1")
    for name, (_, missed) in ONE_TICK.items():
        one = f"backgroundjobschedule/{name}"
        kubectl("wait", one, "-n", SHOP, f"--for=jsonpath={{.status.lastTick}}={iso(away)}", "--timeout=120s")
        found = schedule(name)
        made = schedule_job_id(found["metadata"]["uid"], away)
        assert found["status"].get("missed", []) == ([{"tick": iso(away), "reason": missed}] if missed else [])
        assert found["status"].get("lastJobId") == (None if missed else made)
        if not missed:
            assert ended(client, made).state == State.SUCCEEDED
            assert creations(made) == 1
    each_of_all(client, back)
    assert ended(client, job.id).state == State.SUCCEEDED


def each_of_all(client: JobClient, back: float) -> None:
    """The one that wants it has a job for each of its ticks, however late."""
    wait_until("it is up to date", lambda: seconds(schedule(ALL)["status"]["lastTick"]) > back - OFTEN, 120)
    found = schedule(ALL)
    first = seconds(found["status"]["since"]) // OFTEN * OFTEN + OFTEN
    ticks = range(first, seconds(found["status"]["lastTick"]) + 1, OFTEN)
    assert len(ticks) >= 3
    assert found["status"].get("missed", []) == []
    for tick in ticks:
        assert ended(client, schedule_job_id(found["metadata"]["uid"], tick)).state == State.SUCCEEDED
