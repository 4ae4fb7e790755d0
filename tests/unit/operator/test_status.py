"""What a request or a queue says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bgjobs.vocabulary import State
from bgjobs_core.resources.models import QueueStatus, RequestStatus
from bgjobs_operator.loops import request_status
from tests.unit.operator.builders import CREATED, CREATED_MS, JOB_ID, a_queue_object, a_record, a_request

if TYPE_CHECKING:
    from bgjobs_core.jobs.record import JobRecord

BASE = {"jobId": JOB_ID, "attempt": 0, "attempts": "0/4", "observedGeneration": 1}


def ended(kind: str, reason: str, message: str = "") -> dict[str, Any]:
    condition = {
        "type": kind, "status": "True", "reason": reason, "message": message, "lastTransitionTime": CREATED,
    }  # fmt: skip
    return {"finishedAt": CREATED, "conditions": [condition]}


@pytest.mark.parametrize(
    ("job", "expected"),
    [
        pytest.param(a_record().build(), {**BASE, "state": "queued"}, id="queued"),
        pytest.param(
            a_record().but(state=State.SCHEDULED, reason="exceeded quota").build(),
            {**BASE, "state": "scheduled", "reason": "exceeded quota"},
            id="in back-off",
        ),
        pytest.param(
            a_record().launched().attempted(2).but(started_at=CREATED_MS, phase="running").build(),
            {
                **BASE,
                "state": "launched",
                "phase": "running",
                "attempt": 2,
                "attempts": "2/4",
                "kubeJob": f"bgjob-{JOB_ID}",
                "startedAt": CREATED,
            },
            id="running",
        ),
        pytest.param(
            a_record()
            .launched()
            .attempted(1)
            .but(started_at=CREATED_MS, phase="retrying", last_outcome="oom_killed")
            .build(),
            {
                **BASE,
                "state": "launched",
                "phase": "retrying",
                "reason": "attempt 1 ended: oom_killed",
                "attempt": 1,
                "attempts": "1/4",
                "kubeJob": f"bgjob-{JOB_ID}",
                "startedAt": CREATED,
            },
            id="between two attempts",
        ),
        pytest.param(
            a_record().ended(State.FAILED, "kube-1", "aborted", CREATED_MS).build(),
            {**BASE, "state": "failed", "kubeJob": f"bgjob-{JOB_ID}", **ended("Failed", "Aborted")},
            id="failed without words",
        ),
        pytest.param(
            a_record().ended(State.SUCCEEDED, "kube-1", "succeeded", CREATED_MS).build(),
            {**BASE, "state": "succeeded", "kubeJob": f"bgjob-{JOB_ID}", **ended("Complete", "Succeeded")},
            id="succeeded",
        ),
        pytest.param(
            a_record().ended(State.FAILED, "kube-1", "timed_out", CREATED_MS).but(reason="words").build(),
            {
                **BASE,
                "state": "failed",
                "reason": "words",
                "kubeJob": f"bgjob-{JOB_ID}",
                **ended("Failed", "TimedOut", "words"),
            },
            id="failed",
        ),
        pytest.param(
            a_record().ended(State.CANCELLED, outcome="cancelled", at=CREATED_MS).build(),
            {**BASE, "state": "cancelled", **ended("Failed", "Cancelled")},
            id="cancelled before it had a KubeJob",
        ),
        pytest.param(
            a_record().but(state=State.QUEUED, finished_at=CREATED_MS).build(),
            {**BASE, "state": "queued"},
            id="no end before its end",
        ),
    ],
)
def test_of_job(job: JobRecord, expected: dict[str, Any]) -> None:
    said = request_status.of_job(job, 1)
    assert said == expected
    RequestStatus.model_validate(said)


@pytest.mark.parametrize(
    ("problem", "expected"),
    [
        (None, ("True", "Accepted", "jobs are launched")),
        (("NoImage", "set spec.image"), ("False", "NoImage", "set spec.image")),
    ],
)
def test_of_queue(problem: tuple[str, str] | None, expected: tuple[str, str, str]) -> None:
    said = request_status.of_queue(problem, 3, CREATED_MS)
    QueueStatus.model_validate(said)
    (ready,) = said["conditions"]
    assert (ready["status"], ready["reason"], ready["message"]) == expected
    assert (ready["type"], ready["lastTransitionTime"], said["observedGeneration"]) == ("Ready", CREATED, 3)


def test_refused() -> None:
    said = request_status.refused("class_not_approved", "no", 1, CREATED_MS)
    RequestStatus.model_validate(said)
    assert said == {
        "state": "failed", "reason": "no", "observedGeneration": 1, **ended("Failed", "ClassNotApproved", "no"),
    }  # fmt: skip


def test_waiting() -> None:
    said = request_status.waiting("queue_not_found", "no such queue", 1, CREATED_MS)
    RequestStatus.model_validate(said)
    assert said == {
        "state": "waiting", "reason": "no such queue", "observedGeneration": 1,
        "conditions": [
            {"type": "Admitted", "status": "False", "reason": "QueueNotFound", "message": "no such queue",
             "lastTransitionTime": CREATED},
        ],
    }  # fmt: skip
    assert not request_status.has_ended({"status": said})
    assert request_status.code_of(said) == "QueueNotFound"
    later = request_status.waiting("queue_not_found", "no such queue", 2, CREATED_MS + 60_000)
    assert request_status.says_the_same(said, later)
    assert not request_status.says_the_same(said, request_status.waiting("no_room", "no such queue", 1, CREATED_MS))
    assert request_status.code_of(request_status.of_job(a_record().build(), 1)) == ""


def test_long_words_fit_what_the_resource_allows() -> None:
    RequestStatus.model_validate(request_status.refused("invalid", "x" * 9999, 1, 0))
    RequestStatus.model_validate(request_status.waiting("queue_not_found", "x" * 9999, 1, 0))
    QueueStatus.model_validate(request_status.of_queue(("InvalidSpec", "x" * 9999), 1, 0))


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        (a_request(), False),
        (a_request(status={"state": "queued"}), False),
        (a_request(status=request_status.of_job(a_record().ended(State.SUCCEEDED, at=1).build(), 1)), True),
        (a_request(status=request_status.of_job(a_record().ended(State.CANCELLED, at=1).build(), 1)), True),
        (a_request(status=request_status.refused("invalid", "no", 1, 0)), True),
        (a_request(status={"conditions": [{"type": "Complete", "status": "False"}]}), False),
        (a_request(status={"conditions": None}), False),
        (a_queue_object(), False),
    ],
)
def test_has_ended(obj: dict[str, Any], expected: bool) -> None:
    assert request_status.has_ended(obj) is expected


@pytest.mark.parametrize(("word", "expected"), [("lost", "Lost"), ("timed_out", "TimedOut"), ("", "")])
def test_camel(word: str, expected: str) -> None:
    assert request_status.camel(word) == expected
