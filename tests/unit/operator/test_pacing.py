"""When something is due, overdue, or stuck: small policies on times, one table each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bgjobs_operator.cluster.lease import Seen, may_take
from bgjobs_operator.interfaces.launcher import PodView
from bgjobs_operator.loops import dispatch, retire
from bgjobs_operator.loops.admit import due_ms
from bgjobs_operator.loops.pending import overdue, pending_reason, waits_since
from tests.unit.operator.builders import CREATED, CREATED_MS, a_pod, a_queue_record, a_record

if TYPE_CHECKING:
    from bgjobs_core.jobs.record import JobRecord

NOW = 1_000_000


@pytest.mark.parametrize(
    ("next_due", "expected"),
    [(None, 4.0), (NOW + 60_000, 4.0), (NOW + 1500, 1.5), (NOW, 0.0), (NOW - 1, 0.0)],
)
def test_dispatch_sleeps_until_the_next_job_is_due(next_due: int | None, expected: float) -> None:
    assert dispatch.sleep_seconds(next_due, NOW) == expected


@pytest.mark.parametrize(
    ("oldest", "expected"),
    [(None, 60.0), (NOW, 60.0), (NOW - 570_000, 30.0), (NOW - 600_000, 0.0), (NOW - 900_000, 0.0)],
)
def test_retire_sleeps_until_a_kube_job_was_kept_for_ten_minutes(oldest: int | None, expected: float) -> None:
    assert retire.sleep_seconds(oldest, 600, NOW) == expected


@pytest.mark.parametrize(
    ("created", "delay", "now_ms", "expected"),
    [
        pytest.param(CREATED, 0, CREATED_MS, None, id="no delay"),
        pytest.param(CREATED, 60, CREATED_MS + 400, CREATED_MS + 60_400, id="at once: the present is more exact"),
        pytest.param(CREATED, 60, CREATED_MS + 90_000, CREATED_MS + 61_000, id="later: never shorter than asked"),
        pytest.param(CREATED, 0.25, CREATED_MS + 400, CREATED_MS + 650, id="less than a second"),
        pytest.param("2026-11-24T18:36:35+01:00", 60, CREATED_MS, CREATED_MS + 60_000, id="another zone"),
    ],
)
def test_a_request_becomes_due(created: str, delay: float, now_ms: int, expected: int | None) -> None:
    assert due_ms(created, delay, now_ms) == expected


DEADLINE = 1800_000


@pytest.mark.parametrize(
    ("job", "now", "expected"),
    [
        pytest.param(a_record().launched(at=NOW).build(), NOW + DEADLINE, False, id="to the very end"),
        pytest.param(a_record().launched(at=NOW).build(), NOW + DEADLINE + 1, True, id="never started"),
        pytest.param(a_record().launching(claimed_at=NOW).build(), NOW + DEADLINE + 1, True, id="never launched"),
        pytest.param(
            a_record().launching(claimed_at=NOW - 9).launched(at=NOW).build(), NOW + DEADLINE, False, id="from the bind"
        ),
        pytest.param(a_record().launched(at=NOW).attempted(1).build(), NOW + 9 * DEADLINE, False, id="it has started"),
        pytest.param(a_record().build(), NOW + 9 * DEADLINE, False, id="it has no slot"),
        pytest.param(
            a_record().launched(at=NOW).but(resumed_at=NOW + 9).build(), NOW + DEADLINE + 9, False, id="from the resume"
        ),
        pytest.param(
            a_record().launched(at=NOW).but(resumed_at=NOW + 9).build(),
            NOW + DEADLINE + 10,
            True,
            id="resumed, and never started",
        ),
    ],
)
def test_overdue(job: JobRecord, now: int, expected: bool) -> None:
    assert overdue(waits_since(job, ()), a_queue_record(pending_deadline_seconds=1800), now) is expected


def test_the_pause_that_the_code_has_asked_for_is_no_lateness() -> None:
    """A pod that waits for its end has not failed to start."""
    job = a_record().launched(at=NOW).attempted(1).but(retry_at=NOW + 500).build()
    first = PodView("a", job.fence, ended=True, created_at=NOW)
    second = PodView("b", "another", ended=False, created_at=NOW + 9)

    assert waits_since(job, [first, second]) == NOW + 500
    assert waits_since(job, [first]) is None


def test_without_a_queue_the_deadline_is_that_of_a_queue_that_says_none() -> None:
    assert not overdue(0, None, DEADLINE)
    assert overdue(0, None, DEADLINE + 1)


@pytest.mark.parametrize(
    ("pods", "expected"),
    [
        ([], ""),
        ([a_pod().build()], ""),
        ([a_pod().waiting("ContainerCreating").build()], ""),
        ([a_pod().waiting("PodInitializing").build()], ""),
        ([a_pod().waiting("ErrImagePull", "not found").build()], "ErrImagePull: not found"),
        ([a_pod().waiting("Unschedulable").build()], "Unschedulable"),
        ([a_pod().waiting("ContainerCreating").build(), a_pod().waiting("Evicted").build()], "Evicted"),
    ],
)
def test_why_a_job_is_pending(pods: list[PodView], expected: str) -> None:
    assert pending_reason(pods) == expected


@pytest.mark.parametrize(
    ("seen", "now", "expected"),
    [
        pytest.param(Seen("", "", 0), 1, True, id="nobody holds it"),
        pytest.param(Seen("other/1", "t", 100), 115, False, id="renewed 15 s ago"),
        pytest.param(Seen("other/1", "t", 100), 115.1, True, id="not renewed any more"),
        pytest.param(Seen("me/1", "t", 100), 101, True, id="an earlier process of this pod: it is dead"),
        pytest.param(Seen("me/2", "t", 100), 101, True, id="ourselves"),
        pytest.param(Seen("me-too/1", "t", 100), 101, False, id="a pod whose name begins alike"),
    ],
)
def test_may_take_the_lease(seen: Seen, now: float, expected: bool) -> None:
    assert may_take(seen, "me/2", now) is expected
