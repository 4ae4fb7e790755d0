"""What is counted of many jobs is what is said of each: the codes of `why_not`, from less."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from bgjobs.vocabulary import Phase, State, WhyNot
from bgjobs_core.jobs import waiting_codes
from bgjobs_core.jobs.queue import QueueLoad, QueueNow
from bgjobs_core.jobs.timed_limits import TimedLimits
from bgjobs_core.jobs.why_not import Around, why_not
from tests.unit.core.test_why_not import CASES, NOW
from tests.unit.operator.builders import a_queue_record, a_record

if TYPE_CHECKING:
    from bgjobs_core.jobs.record import FullJob
    from tests.unit.operator.builders import RecordBuilder

_REFUSED = {WhyNot.QUOTA, WhyNot.LAUNCH_REFUSED}  # of a scheduled job its record alone tells


@pytest.mark.parametrize("case", [pytest.param(one.values, id=str(one.id)) for one in CASES])
def test_of_each_state(case: tuple[RecordBuilder, Any, WhyNot]) -> None:
    record: FullJob = case[0].build()
    found = why_not(record, NOW, None)
    assert found is not None
    match record.state:
        case State.LAUNCHED:
            assert waiting_codes.of_launched(record) == found.code
        case State.LAUNCHING:
            assert waiting_codes.of_launching(held=False, troubled=False) == found.code
        case State.QUEUED:
            assert found.code == WhyNot.WAITS_ITS_TURN, "its queue is not known here"
        case _:
            said = waiting_codes.OF_STATES[record.state]
            assert said == found.code or (found.code in _REFUSED and said == WhyNot.SCHEDULED)


@pytest.mark.parametrize("phase", [Phase.RUNNING, Phase.ENDING])
def test_what_runs_is_not_counted(phase: Phase) -> None:
    record = a_record().launched(at=4).but(phase=phase, attempt=1).build()
    assert waiting_codes.of_launched(record) is None
    assert phase not in waiting_codes.OF_PHASES
    assert waiting_codes.of_launched(a_record().stopping().build()) is None


@pytest.mark.parametrize("held", [True, False])
@pytest.mark.parametrize("troubled", [True, False])
@pytest.mark.parametrize("owned", [0, 2])
@pytest.mark.parametrize("settings", [None, {}, {"paused": True}])
def test_of_a_queue(settings: dict[str, Any] | None, owned: int, *, troubled: bool, held: bool) -> None:
    record = None if settings is None else a_queue_record(max_concurrent=2, **settings)
    queue = QueueNow(record, QueueLoad(owned, 1), held="Redis was older" if held else "")
    found = why_not(a_record().build(), NOW, queue, Around(trouble="quota" if troubled else ""))
    assert found is not None
    assert waiting_codes.of_queue(record, owned, NOW, held=held, troubled=troubled) == found.code


def test_limits_for_a_time_are_those_of_the_queue_then() -> None:
    limits = TimedLimits(max_concurrent=0, until=datetime.fromtimestamp((NOW + 1) / 1000, UTC))
    record = replace(a_queue_record(max_concurrent=2), limits=limits)
    for now, code in ((NOW, WhyNot.QUEUE_FULL), (NOW + 1, WhyNot.WAITS_ITS_TURN)):
        assert waiting_codes.of_queue(record, 0, now, held=False, troubled=False) == code


def test_what_waits_for_kueue_is_no_quota_of_kubernetes() -> None:
    waits = a_record().launched(at=4).but(kueue_at=1, phase="", reason="Kueue: Pending: exceeded quota").build()
    assert waiting_codes.of_launched(waits) == WhyNot.KUEUE_PENDING


def test_every_state_that_waits_has_a_code() -> None:
    others = {State.QUEUED, State.LAUNCHING, State.LAUNCHED, State.SUCCEEDED, State.FAILED, State.CANCELLED}
    assert set(waiting_codes.OF_STATES) | others == set(State)
