"""A job as the API shows it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
import pytest

from bgjobs.vocabulary import Gate, Outcome, Phase, State, WhyNot
from bgjobs.wire import Job
from bgjobs_core.jobs.views import job_fields
from bgjobs_core.jobs.why_not import NotRunning
from tests.unit.operator.builders import a_record

if TYPE_CHECKING:
    from tests.unit.operator.builders import RecordBuilder

BUILT = a_record().but(created_at=1_795_000_000_000, changed_at=1_795_000_000_123, parameters=b'{"a":[1,null]}')
WHY = NotRunning(Gate.DUE_TIME, WhyNot.SCHEDULED, "It is due later", since=5, next_try_at=1_795_000_000_120)
RECORDS = [
    pytest.param(BUILT, None, id="new"),
    pytest.param(BUILT.but(state=State.SCHEDULED, not_before=1_795_000_000_100), WHY, id="why"),
    pytest.param(
        BUILT.but(
            state=State.FAILED,
            attempt=2,
            outcome=Outcome.ERROR,
            error=b'{"type": "ValueError", "message": "\\u00e9"}',
            progress=b'{"done": 1}',
            has_result=1,
            finished_at=1_795_000_000_999,
            note="enough",
            stopped_by="ada",
            kube_uid="u-1",
            request_name="november",
            labels={"team": "billing"},
            delay_seconds=1.5,
        ),
        None,
        id="ended",
    ),
    pytest.param(BUILT.but(state=State.LAUNCHED, phase=Phase.RUNNING, started_at=1_795_000_000_001), None, id="runs"),
]


@pytest.mark.parametrize(("built", "why"), RECORDS)
def test_what_is_shown_is_a_job_of_the_api(built: RecordBuilder, why: NotRunning | None) -> None:
    record = built.build()
    fields = job_fields(record, msgspec.Raw(record.parameters), why)
    shown = msgspec.json.encode(fields)
    assert list(fields) == list(json.loads(shown))
    job = Job.model_validate_json(shown)
    assert shown.decode() == job.model_dump_json(by_alias=True)
    assert (job.id, job.state, job.attempt, job.namespace) == (record.id, record.state, record.attempt, "shop")
    assert job.model_dump(mode="json")["parameters"] == {"a": [1, None]}
    assert (job.labels, job.delay_seconds) == (record.spec.labels, record.spec.delay_seconds)
    assert job.has_result == bool(record.has_result)
    assert (job.why is None) == (why is None)
