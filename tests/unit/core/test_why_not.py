"""Why a job does not run: one answer for each place in its life."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from bgjobs.vocabulary import TERMINAL, Gate, Phase, State, WhyNot
from bgjobs_core.jobs.queue import UNTIL_A_SLOT_IS_FREE, QueueLoad, QueueNow
from bgjobs_core.jobs.why_not import NotRunning, why_not
from tests.unit.operator.builders import a_queue_record, a_record

if TYPE_CHECKING:
    from bgjobs_core.jobs.record import FullJob
    from tests.unit.operator.builders import RecordBuilder

NOW = 1_795_000_000_000
DUE = NOW + 60_000
BUILT = a_record().but(created_at=1, changed_at=5)
ERROR = b'{"type": "ValueError", "message": "no such month\\nat all"}'


def queue(owned: int = 0, queued: int = 1, **settings: Any) -> QueueNow:
    return QueueNow(a_queue_record(**settings), QueueLoad(owned, queued))


RETRYING = BUILT.launched(at=4).but(phase="retrying", attempt=2, max_retries=3)
CASES = [
    pytest.param(BUILT.but(state=State.BLOCKED), Gate.PARENTS, WhyNot.BLOCKED, "waits for other jobs", 5, None,
                 id="blocked"),
    pytest.param(BUILT.but(state=State.PAUSED), Gate.PAUSE, WhyNot.PAUSED, "until somebody resumes it", 5, None,
                 id="paused"),
    pytest.param(BUILT.but(state=State.PAUSED, reason="held"), Gate.PAUSE, WhyNot.PAUSED, "held", 5, None,
                 id="paused with a reason"),
    pytest.param(BUILT.but(state=State.SCHEDULED, not_before=DUE), Gate.DUE_TIME, WhyNot.SCHEDULED,
                 "due at 2026-11-18 11:07:40 UTC.", 5, DUE, id="delayed"),
    pytest.param(BUILT.but(state=State.SCHEDULED, not_before=NOW), Gate.DUE_TIME, WhyNot.SCHEDULED, "It is due now", 5,
                 NOW, id="due"),
    pytest.param(BUILT.but(state=State.SCHEDULED, not_before=DUE, refusals=1, reason="exceeded quota: cpu"),
                 Gate.DUE_TIME, WhyNot.LAUNCH_REFUSED, "exceeded quota: cpu", 5, DUE, id="refused"),
    pytest.param(BUILT.launching(claimed_at=3), Gate.KUBE_JOB, WhyNot.LAUNCHING, "asking Kubernetes for its KubeJob", 3,
                 None, id="launching"),
    pytest.param(BUILT.launched(at=4), Gate.POD, WhyNot.POD_PENDING, "Its pod is pending", 4, None, id="pending"),
    pytest.param(BUILT.launched(at=4).but(phase=""), Gate.POD, WhyNot.POD_PENDING, "Its pod is pending", 4, None,
                 id="launched, and nothing was seen yet"),
    pytest.param(BUILT.launched(at=4).but(reason='ImagePullBackOff: no "x:1"'), Gate.POD, WhyNot.POD_CANNOT_START,
                 'ImagePullBackOff: no "x:1"', 4, None, id="cannot start"),
    pytest.param(RETRYING.but(last_outcome="error", error=ERROR), Gate.NEXT_ATTEMPT, WhyNot.BACK_OFF,
                 "Attempt 2 of at most 4 ended: error: ValueError: no such month. Kubernetes starts", 5, None,
                 id="back-off after an error"),
    pytest.param(RETRYING.but(last_outcome="timed_out", error=ERROR), Gate.NEXT_ATTEMPT, WhyNot.BACK_OFF,
                 "ended: timed_out. Kubernetes", 5, None, id="back-off after a timeout"),
    pytest.param(RETRYING, Gate.NEXT_ATTEMPT, WhyNot.BACK_OFF, "ended. Kubernetes", 5, None,
                 id="back-off after nobody knows what"),
    pytest.param(RETRYING.but(reason="Unschedulable: no memory", error=ERROR), Gate.POD, WhyNot.POD_CANNOT_START,
                 "Unschedulable: no memory", 5, None, id="the next pod cannot start"),
    pytest.param(BUILT.launched(at=4).but(phase="suspended"), Gate.POD, WhyNot.SUSPENDED, "is suspended", 4, None,
                 id="suspended"),
    pytest.param(BUILT.launched(at=4).but(phase="unreachable"), Gate.RUNNER, WhyNot.UNREACHABLE, "does not answer", 4,
                 None, id="unreachable"),
    pytest.param(BUILT.stopping().but(stopped_by="ann", note="wrong month", stopped_at=6), Gate.RUNNER,
                 WhyNot.STOPPING, "It is being cancelled by ann: wrong month. No code", 6, None, id="being cancelled"),
    pytest.param(BUILT.stopping(verdict="never_started"), Gate.RUNNER, WhyNot.STOPPING,
                 "It is being stopped as never_started. No code", None, None, id="given up"),
]  # fmt: skip


@pytest.mark.parametrize(("built", "gate", "code", "message", "since", "next_try_at"), CASES)
def test_why_a_job_does_not_run(
    built: RecordBuilder, gate: Gate, code: WhyNot, message: str, since: int | None, next_try_at: int | None
) -> None:
    found = _of(built)
    assert (found.gate, found.code, found.since, found.next_try_at) == (gate, code, since, next_try_at)
    assert message in found.message


QUEUES = [
    pytest.param(None, Gate.SLOT, WhyNot.WAITS_ITS_TURN, "It waits for its turn in the queue default.",
                 id="queues may not be listed"),
    pytest.param(QueueNow(None, QueueLoad(0, 1)), Gate.QUEUE, WhyNot.QUEUE_MISSING,
                 "There is no queue default in namespace shop; an administrator can create it.", id="missing"),
    pytest.param(replace(queue(), held="it is empty"), Gate.QUEUE, WhyNot.HELD,
                 "Nothing is launched until an administrator has looked and releases it: it is empty.", id="held"),
    pytest.param(queue(paused=True), Gate.QUEUE, WhyNot.QUEUE_PAUSED, "The queue default is paused.", id="paused"),
    pytest.param(queue(2, 1200, max_concurrent=2), Gate.SLOT, WhyNot.QUEUE_FULL,
                 "The queue default is full: 2 of 2 slots are taken, 1,200 jobs wait.", id="full"),
    pytest.param(queue(1, 3, max_concurrent=2), Gate.SLOT, WhyNot.WAITS_ITS_TURN,
                 "The queue default has room, and the operator has not taken the job yet: "
                 "1 of 2 slots are taken, 3 jobs wait.", id="room"),
    pytest.param(replace(queue(max_concurrent_per_key=2), closed={"0:acme": UNTIL_A_SLOT_IS_FREE}), Gate.SLOT,
                 WhyNot.KEY_FULL, "acme has 2 jobs in slots of the queue default, which are all that a concurrency key "
                 "may have.", id="all slots of the key"),
    pytest.param(replace(queue(max_concurrent_per_key=2), closed={"0:zeta": UNTIL_A_SLOT_IS_FREE}), Gate.SLOT,
                 WhyNot.WAITS_ITS_TURN, "The queue default has room, and the operator has not taken the job yet: "
                 "0 of 10 slots are taken, 1 job waits.", id="all slots of another key"),
]  # fmt: skip


@pytest.mark.parametrize(("now", "gate", "code", "message"), QUEUES)
def test_why_a_due_job_waits_in_its_queue(now: QueueNow | None, gate: Gate, code: WhyNot, message: str) -> None:
    record = BUILT.but(state=State.QUEUED, queued_at=2, concurrency_key="acme").build()
    assert why_not(record, NOW, now) == NotRunning(gate, code, message, 2)


@pytest.mark.parametrize(
    ("now", "message"),
    [
        (
            replace(queue(start_rate={"starts": 5, "seconds": 60}), next_start=DUE),
            "The queue default starts at most 5 in 60 s, and has started as many.",
        ),
        (
            replace(queue(start_rate_per_key={"starts": 5, "seconds": 60}), closed={"0:acme": DUE}),
            "The queue default starts at most 5 in 60 s of one concurrency key, and has started as many of acme.",
        ),
    ],
    ids=["of the queue", "of the key"],
)
def test_a_rate_that_is_used_up_says_when_it_goes_on(now: QueueNow, message: str) -> None:
    record = BUILT.but(state=State.QUEUED, queued_at=2, concurrency_key="acme").build()
    assert why_not(record, NOW, now) == NotRunning(Gate.SLOT, WhyNot.RATE_LIMITED, message, 2, DUE)


@pytest.mark.parametrize(
    "record",
    [
        *(BUILT.but(state=state).build() for state in sorted(TERMINAL)),
        *(BUILT.launched().but(phase=phase, reason="x").build() for phase in (Phase.RUNNING, Phase.ENDING)),
    ],
    ids=lambda record: f"{record.state} {record.phase}",
)
def test_what_runs_or_has_ended_has_no_reason_not_to_run(record: FullJob) -> None:
    assert why_not(record, NOW, queue()) is None


def test_every_code_has_its_case() -> None:
    of_queues = {case.values[2] for case in QUEUES}
    others = {_of(cast("RecordBuilder", case.values[0])).code for case in CASES}
    assert others | of_queues | {WhyNot.RATE_LIMITED} == set(WhyNot)


def _of(built: RecordBuilder) -> NotRunning:
    found = why_not(built.build(), NOW, None)
    assert found is not None
    return found
