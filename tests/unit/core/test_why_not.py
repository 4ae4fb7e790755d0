"""Why a job does not run: one answer for each place in its life."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from bgjobs.vocabulary import TERMINAL, Gate, Phase, State, WhyNot
from bgjobs_core.jobs.holds import JobHold
from bgjobs_core.jobs.queue import UNTIL_A_SLOT_IS_FREE, Held, QueueLoad, QueueNow
from bgjobs_core.jobs.remedies import TABLE
from bgjobs_core.jobs.timed_limits import for_a_time
from bgjobs_core.jobs.why_not import Around, why_not
from bgjobs_core.resources.models import StartRate
from tests.unit.operator.builders import a_queue_record, a_record

if TYPE_CHECKING:
    from bgjobs_core.jobs.record import FullJob
    from bgjobs_core.jobs.why_not import NotRunning
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
    pytest.param(BUILT.but(state=State.PAUSED), Gate.PAUSE, WhyNot.PAUSED, "when somebody resumes it", 5, None,
                 id="paused"),
    pytest.param(BUILT.but(state=State.PAUSED, paused_by="ann", paused_at=DUE, note="month end."), Gate.PAUSE,
                 WhyNot.PAUSED, "It is paused by ann since 2026-11-18 11:07:40 UTC: month end. It goes on",
                 DUE, None,
                 id="paused with a reason"),
    pytest.param(BUILT.but(state=State.SCHEDULED, not_before=DUE), Gate.DUE_TIME, WhyNot.SCHEDULED,
                 "due at 2026-11-18 11:07:40 UTC.", 5, DUE, id="delayed"),
    pytest.param(BUILT.but(state=State.SCHEDULED, not_before=NOW), Gate.DUE_TIME, WhyNot.SCHEDULED, "It is due now", 5,
                 NOW, id="due"),
    pytest.param(BUILT.but(state=State.SCHEDULED, not_before=DUE, refusals=1, reason="exceeded quota: cpu"),
                 Gate.DUE_TIME, WhyNot.QUOTA, "exceeded quota: cpu", 5, DUE, id="quota"),
    pytest.param(BUILT.but(state=State.SCHEDULED, not_before=DUE, refusals=1, reason="cannot create resource"),
                 Gate.DUE_TIME, WhyNot.LAUNCH_REFUSED, "cannot create resource", 5, DUE, id="refused"),
    pytest.param(BUILT.launching(claimed_at=3), Gate.KUBE_JOB, WhyNot.LAUNCHING, "asking Kubernetes for its KubeJob", 3,
                 None, id="launching"),
    pytest.param(BUILT.launched(at=4), Gate.POD, WhyNot.POD_PENDING, "Its pod is pending", 4, None, id="pending"),
    pytest.param(BUILT.launched(at=4).but(phase=""), Gate.POD, WhyNot.POD_PENDING, "Its pod is pending", 4, None,
                 id="launched, and nothing was seen yet"),
    pytest.param(BUILT.launched(at=4).but(reason='ImagePullBackOff: no "x:1"'), Gate.POD, WhyNot.IMAGE_PULL,
                 'ImagePullBackOff: no "x:1"', 4, None, id="cannot start"),
    pytest.param(RETRYING.but(last_outcome="error", error=ERROR), Gate.NEXT_ATTEMPT, WhyNot.BACK_OFF,
                 "Attempt 2 of at most 4 ended: error: ValueError: no such month. Kubernetes starts", 5, None,
                 id="back-off after an error"),
    pytest.param(RETRYING.but(last_outcome="error", error=ERROR, retry_at=DUE), Gate.NEXT_ATTEMPT, WhyNot.BACK_OFF,
                 "no such month. The next one begins when the pause is over that its code has asked for.", 5, DUE,
                 id="a pause that the code has asked for"),
    pytest.param(RETRYING.but(last_outcome="timed_out", error=ERROR), Gate.NEXT_ATTEMPT, WhyNot.BACK_OFF,
                 "ended: timed_out. Kubernetes", 5, None, id="back-off after a timeout"),
    pytest.param(RETRYING, Gate.NEXT_ATTEMPT, WhyNot.BACK_OFF, "ended. Kubernetes", 5, None,
                 id="back-off after nobody knows what"),
    pytest.param(RETRYING.but(reason="Unschedulable: no memory", error=ERROR), Gate.POD, WhyNot.UNSCHEDULABLE,
                 "Unschedulable: no memory", 5, None, id="the next pod cannot start"),
    pytest.param(BUILT.launched(at=4).but(phase="suspended"), Gate.POD, WhyNot.SUSPENDED,
                 "suspended, but not by bgjobs", 4, None, id="suspended by somebody else"),
    *(pytest.param(BUILT.launched(at=4).but(phase=phase, attempt=1, paused_by="ann", paused_at=DUE, note="no mail."),
                   Gate.POD, WhyNot.SUSPENDED, "It is suspended by ann since 2026-11-18 11:07:40 UTC: no mail. Its "
                   "code starts over when somebody resumes it.", DUE, None, id=f"suspended, {phase}")
      for phase in ("suspended", "retrying")),
    pytest.param(BUILT.launched(at=4).but(phase="suspended", paused_by="ann", paused_at=DUE), Gate.POD,
                 WhyNot.SUSPENDED, "UTC. It goes on when", DUE, None, id="suspended before it started"),
    pytest.param(BUILT.launched(at=4).but(kueue_at=6), Gate.KUEUE, WhyNot.KUEUE_PENDING,
                 "Kueue has not admitted its KubeJob yet.", 6, None, id="not admitted by Kueue"),
    pytest.param(RETRYING.but(kueue_at=7, reason="Kueue: Preempted: to make room"), Gate.KUEUE,
                 WhyNot.KUEUE_PENDING, "Kueue: Preempted: to make room", 7, None, id="pre-empted by Kueue"),
    pytest.param(RETRYING.but(kueue_at=7, resumed_at=9), Gate.KUEUE, WhyNot.KUEUE_PENDING, "Kueue has not", 9, None,
                 id="resumed, and not admitted by Kueue"),
    pytest.param(BUILT.launched(at=4).but(phase="suspended", kueue_at=6, paused_by="ann", paused_at=DUE), Gate.POD,
                 WhyNot.SUSPENDED, "It is suspended by ann", DUE, None, id="suspended, and not admitted by Kueue"),
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
                 "There is no queue default in namespace shop: it was deleted. The job ends when it has been gone for "
                 "an hour; run the job again when there is such a queue.", id="missing"),
    pytest.param(replace(queue(), held="it is empty"), Gate.QUEUE, WhyNot.HELD,
                 "Nothing is launched until an administrator has looked and releases it: it is empty.", id="held"),
    pytest.param(queue(paused=True), Gate.QUEUE, WhyNot.QUEUE_PAUSED,
                 "The queue default is paused. It goes on when somebody resumes it.", id="paused"),
    pytest.param(replace(queue(), record=replace(a_queue_record(paused=True), refused="it asks for hostPath")),
                 Gate.QUEUE, WhyNot.QUEUE_REFUSED, "No job of the queue default is launched: it asks for hostPath.",
                 id="refused"),
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


def test_a_paused_queue_says_by_whom_since_when_and_why() -> None:
    now = queue(paused=True)
    assert now.record is not None
    now = replace(now, record=replace(now.record, held=Held("ann", DUE, "the provider is down")))
    record = BUILT.but(state=State.QUEUED, queued_at=2).build()

    found = why_not(record, NOW, now)

    message = (
        "The queue default is paused by ann since 2026-11-18 11:07:40 UTC: the provider is down. "
        "It goes on when somebody resumes it."
    )
    assert found is not None
    assert (found.code, found.message, found.since) == (WhyNot.QUEUE_PAUSED, message, DUE)


def test_a_claimed_job_says_that_nothing_is_launched() -> None:
    found = why_not(BUILT.launching(claimed_at=3).build(), NOW, replace(queue(), held="it is empty"))

    assert found is not None
    assert (found.code, found.gate, found.since) == (WhyNot.HELD, Gate.QUEUE, 3)


@pytest.mark.parametrize("state", [State.SCHEDULED, State.QUEUED, State.PAUSED])
def test_a_waiting_job_that_expires_says_when(state: State) -> None:
    found = _of(BUILT.but(state=state, not_before=DUE, start_by=DUE + 1))

    assert found.fails_at == DUE + 1


@pytest.mark.parametrize(("start_by", "fails_at"), [(DUE + 4_000_000, DUE + 3_600_000), (DUE + 1, DUE + 1)])
def test_a_job_without_its_queue_is_given_up_at_the_earlier_time(start_by: int, fails_at: int) -> None:
    record = BUILT.but(state=State.QUEUED, queued_at=2, start_by=start_by).build()

    found = why_not(record, NOW, QueueNow(None, QueueLoad(0, 1), gone_at=DUE))

    assert found is not None
    assert (found.code, found.fails_at) == (WhyNot.QUEUE_MISSING, fails_at)


def test_a_claim_is_held_as_what_waits_is_and_nobody_gives_it_up() -> None:
    """A Redis that was put back may remember a claim that was carried out long ago."""
    found = why_not(BUILT.launching(claimed_at=3).build(), NOW, replace(queue(), held="it is empty"))

    assert found is not None
    assert (found.gate, found.code, found.since, found.fails_at) == (Gate.QUEUE, WhyNot.HELD, 3, None)
    assert found.remedy == "bgjobs doctor -n shop"


@pytest.mark.parametrize(
    ("by", "line"),
    [
        ("ann", "bgjobs resume {id} -n shop"),
        ("", """kubectl patch job bgjob-{id} -n shop --type merge -p '{{"spec":{{"suspend":false}}}}'"""),
    ],
)
def test_what_resumes_it_depends_on_who_has_suspended_it(by: str, line: str) -> None:
    record = BUILT.launched(at=4).but(phase="suspended", paused_by=by, paused_at=DUE if by else None).build()

    found = why_not(record, NOW, queue())

    assert found is not None
    assert (found.remedy, found.fails_at) == (line.format(id=record.id), None)


def test_the_time_to_start_counts_from_the_resumption() -> None:
    record = BUILT.launched(at=4).but(resumed_at=NOW - 60_000).build()

    found = why_not(record, NOW, queue(pending_deadline_seconds=100))

    assert found is not None
    assert found.fails_at == NOW + 40_000


def test_a_job_whose_pod_is_told_to_stop_still_runs() -> None:
    assert why_not(BUILT.launched().but(phase="running", paused_by="ann", paused_at=DUE).build(), NOW, queue()) is None


def test_a_job_that_has_its_slot_does_not_expire() -> None:
    assert _of(BUILT.launched(at=4).but(start_by=DUE)).fails_at is None


@pytest.mark.parametrize(("now", "gate", "code", "message"), QUEUES)
def test_why_a_due_job_waits_in_its_queue(now: QueueNow | None, gate: Gate, code: WhyNot, message: str) -> None:
    record = BUILT.but(state=State.QUEUED, queued_at=2, concurrency_key="acme").build()
    found = why_not(record, NOW, now)
    assert found is not None
    assert (found.gate, found.code, found.message, found.since) == (gate, code, message, 2)


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
    found = why_not(record, NOW, now)
    assert found is not None
    assert (found.code, found.message, found.next_try_at) == (WhyNot.RATE_LIMITED, message, DUE)
    assert found.remedy == "nothing; it goes on by itself at 2026-11-18 11:07:40 UTC"


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


KEPT = BUILT.but(state=State.QUEUED, queued_at=2, concurrency_key="acme")
AWAY = Around(leads=False)
TROUBLE = Around(
    trouble="namespace shop is in trouble: quota", trouble_remedy="kubectl describe resourcequotas -n shop"
)
AROUND = [
    pytest.param(BUILT.but(state=State.QUEUED, queued_at=2), queue(), AWAY, WhyNot.NO_LEADER, "kubectl get pods -A",
                 id="no leader, queued"),
    pytest.param(BUILT.but(state=State.SCHEDULED, not_before=NOW), None, AWAY, WhyNot.NO_LEADER, "kubectl get pods -A",
                 id="no leader, due"),
    pytest.param(BUILT.but(state=State.SCHEDULED, not_before=DUE), None, AWAY, WhyNot.SCHEDULED,
                 "nothing; it goes on by itself at 2026-11-18 11:07:40 UTC", id="no leader, and not due"),
    pytest.param(BUILT.launching(claimed_at=3), None, AWAY, WhyNot.NO_LEADER, "kubectl get pods -A",
                 id="no leader, launching"),
    pytest.param(BUILT.but(state=State.QUEUED), queue(paused=True), AWAY, WhyNot.QUEUE_PAUSED,
                 "bgjobs queue resume default -n shop",
                 id="a paused queue comes before the operator"),
    pytest.param(BUILT.but(state=State.QUEUED), queue(), TROUBLE, WhyNot.NAMESPACE_IN_TROUBLE,
                 "kubectl describe resourcequotas -n shop", id="namespace in trouble"),
    pytest.param(BUILT.launching(claimed_at=3), queue(), TROUBLE, WhyNot.NAMESPACE_IN_TROUBLE,
                 "kubectl describe resourcequotas -n shop", id="namespace in trouble, launching"),
    pytest.param(KEPT, queue(2, 50, max_concurrent=2), Around(ahead=41), WhyNot.KEYS_TURN, "nothing; it goes on",
                 id="others of its key come first"),
    pytest.param(KEPT, queue(2, 50, max_concurrent=2), Around(ahead=0), WhyNot.QUEUE_FULL, "nothing; it goes on",
                 id="the first of its key"),
    pytest.param(BUILT.but(state=State.QUEUED), queue(0, 1, max_concurrent=0), Around(), WhyNot.QUEUE_FULL,
                 """kubectl patch backgroundjobqueue default -n shop --type merge -p '{"spec":{"maxConcurrent":10}}'""",
                 id="no slot at all"),
]  # fmt: skip


@pytest.mark.parametrize(("built", "now", "around", "code", "remedy"), AROUND)
def test_what_is_around_a_job(
    built: RecordBuilder, now: QueueNow | None, around: Around, code: WhyNot, remedy: str
) -> None:
    found = why_not(built.build(), NOW, now, around)
    assert found is not None
    assert found.code == code
    assert found.remedy.startswith(remedy)


POD = "kubectl describe pods -n shop -l batch.kubernetes.io/job-name=bgjob-"
NO_ACCOUNT = 'pods "x-" is forbidden: error looking up service account shop/web: serviceaccount "web" not found'
WORDS = [
    pytest.param('ErrImagePull: no such image "x:1"', WhyNot.IMAGE_PULL, POD, id="image"),
    pytest.param("Unschedulable: 0/3 nodes are available: 3 Insufficient memory.", WhyNot.UNSCHEDULABLE, POD,
                 id="no room"),
    pytest.param('Unschedulable: 0/1 nodes are available: persistentvolumeclaim "data" not found.', WhyNot.VOLUME, POD,
                 id="no claim"),
    pytest.param('FailedMount: MountVolume.SetUp failed for volume "c": configmap "c" not found', WhyNot.VOLUME, POD,
                 id="mount"),
    pytest.param('CreateContainerConfigError: secret "db" not found', WhyNot.CONFIG_ERROR, POD, id="Secret"),
    pytest.param("FailedCreatePodSandBox: plugin returned error", WhyNot.SANDBOX, POD, id="sandbox"),
    pytest.param("FailedCreate: Error creating: pods x is forbidden: exceeded quota: q, requested: cpu=1",
                 WhyNot.QUOTA, "kubectl describe resourcequotas -n shop", id="quota"),
    pytest.param(f"FailedCreate: Error creating: {NO_ACCOUNT}", WhyNot.SERVICE_ACCOUNT_MISSING,
                 "kubectl create serviceaccount web -n shop", id="ServiceAccount"),
    pytest.param("FailedCreate: Error creating: pods x is forbidden: no PriorityClass with name bgjobs-low was found",
                 WhyNot.PRIORITY_CLASS_MISSING, "kubectl create priorityclass bgjobs-low --value=0",
                 id="PriorityClass"),
    pytest.param('FailedCreate: Error creating: admission webhook "p.io" denied the request: no', WhyNot.ADMISSION,
                 "kubectl describe job bgjob-", id="webhook"),
    pytest.param('FailedCreate: Error creating: pods "x" is forbidden: violates PodSecurity "restricted:latest"',
                 WhyNot.ADMISSION, "kubectl describe job bgjob-", id="PodSecurity"),
    pytest.param("Something: that nobody here knows", WhyNot.POD_CANNOT_START, POD, id="other words"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "code", "remedy"), WORDS)
def test_the_words_of_kubernetes(words: str, code: WhyNot, remedy: str) -> None:
    found = _of(BUILT.launched(at=4).but(reason=words))
    assert (found.gate, found.code, found.message) == (Gate.POD, code, words)
    assert found.remedy.startswith(remedy)


@pytest.mark.parametrize(
    ("built", "now", "fails_at"),
    [
        pytest.param(BUILT.launched(at=4000), queue(pending_deadline_seconds=60), 64_000, id="pod pending"),
        pytest.param(BUILT.launching(claimed_at=3000), queue(pending_deadline_seconds=60), 63_000, id="launching"),
        pytest.param(
            BUILT.launched(at=4000).but(kueue_at=4000), queue(pending_deadline_seconds=60), None, id="waits for Kueue"
        ),
        pytest.param(
            BUILT.launched(at=4000).but(resumed_at=9000),
            queue(pending_deadline_seconds=60),
            69_000,
            id="admitted by Kueue",
        ),
        pytest.param(BUILT.launched(at=4000), None, None, id="queues may not be listed"),
        pytest.param(RETRYING, queue(), None, id="between two attempts"),
        pytest.param(BUILT.but(state=State.QUEUED), queue(), None, id="a waiting job has no deadline"),
        pytest.param(
            BUILT.but(state=State.QUEUED), QueueNow(None, QueueLoad(0, 1), gone_at=5000), 3_605_000, id="queue gone"
        ),
    ],
)
def test_when_a_job_is_given_up(built: RecordBuilder, now: QueueNow | None, fails_at: int | None) -> None:
    found = why_not(built.build(), NOW, now)
    assert found is not None
    assert found.fails_at == fails_at


def limited(most: int | None, rate: StartRate | None = None, **settings: Any) -> QueueNow:
    until = for_a_time(NOW, 60, by="ada", note="month end.", max_concurrent=most, start_rate=rate)
    return replace(queue(1, 3, **settings), record=replace(a_queue_record(**settings), limits=until))


LESS = " Until 2026-11-18 11:07:40 UTC it is limited more than usual by ada: month end."
CLEAR = "bgjobs queue limits default --clear -n shop"


@pytest.mark.parametrize(
    ("now", "around", "code", "message", "line"),
    [
        (limited(1, max_concurrent=2), Around(), WhyNot.QUEUE_FULL,
         f"The queue default is full: 1 of 1 slots are taken, 3 jobs wait.{LESS}", CLEAR),
        (limited(1, max_concurrent=1), Around(), WhyNot.QUEUE_FULL,
         "The queue default is full: 1 of 1 slots are taken, 3 jobs wait.", "nothing; it goes on by itself"),
        (limited(2, max_concurrent=1), Around(), WhyNot.WAITS_ITS_TURN, "1 of 2 slots are taken", "nothing"),
        (replace(limited(None, StartRate(starts=1, seconds=60)), next_start=DUE), Around(), WhyNot.RATE_LIMITED,
         f"starts at most 1 in 60 s, and has started as many.{LESS}", "nothing; it goes on by itself at"),
    ],
)  # fmt: skip
def test_limits_for_a_time_are_a_reason(now: QueueNow, around: Around, code: WhyNot, message: str, line: str) -> None:
    found = why_not(BUILT.but(state=State.QUEUED, queued_at=3).build(), NOW, now, around)

    assert found is not None
    assert found.code == code
    assert message in found.message
    assert (LESS in found.message) == (LESS in message)
    assert found.remedy.startswith(line)


def test_limits_that_are_over_are_no_reason() -> None:
    found = why_not(BUILT.but(state=State.QUEUED, queued_at=3).build(), NOW + 60_000, limited(1, max_concurrent=2))

    assert found is not None
    assert found.code == WhyNot.WAITS_ITS_TURN


def test_every_code_has_its_case_and_its_remedy() -> None:
    of_queues = {case.values[2] for case in QUEUES} | {WhyNot.RATE_LIMITED}
    others = {case.values[3] for case in AROUND} | {case.values[1] for case in WORDS} | {WhyNot.ON_HOLD}
    assert {_of(cast("RecordBuilder", case.values[0])).code for case in CASES} | of_queues | others == set(WhyNot)
    assert set(TABLE) == set(WhyNot)


def _of(built: RecordBuilder) -> NotRunning:
    found = why_not(built.build(), NOW, None)
    assert found is not None
    return found


HOLD = JobHold("h", "shop", "shop.jobs.*", {"customer": "8841"}, "ada", "the provider is down.", at=DUE - 120_000)
HELD = BUILT.but(state=State.QUEUED, cls="shop.jobs.Mail", labels={"customer": "8841"}, queued_at=3)


@pytest.mark.parametrize(
    ("until", "next_try", "ends"),
    [(None, None, "It goes on when somebody releases that."), (DUE, DUE, "It goes on at 2026-11-18 11:07:40 UTC.")],
)
def test_a_held_job_says_by_whom_and_what_releases_it(until: int | None, next_try: int | None, ends: str) -> None:
    around = Around(leads=False, holds=(replace(HOLD, until=until),))

    found = why_not(HELD.build(), NOW, queue(paused=True), around)

    assert found is not None
    assert (found.gate, found.code, found.since) == (Gate.PAUSE, WhyNot.ON_HOLD, HOLD.at)
    assert found.message == (
        "All jobs of shop.jobs.* with the label customer=8841 are held by ada since 2026-11-18 11:05:40 UTC: "
        f"the provider is down. {ends}"
    )
    assert (found.next_try_at, found.remedy) == (next_try, "bgjobs hold release h -n shop")


@pytest.mark.parametrize(
    "hold",
    [
        replace(HOLD, until=NOW),
        replace(HOLD, namespace="mail"),
        replace(HOLD, labels={"customer": "8842"}),
        replace(HOLD, pattern="shop.jobs.Sms"),
    ],
)
def test_a_hold_that_is_over_or_of_others_is_no_reason(hold: JobHold) -> None:
    found = why_not(HELD.build(), NOW, queue(paused=True), Around(holds=(hold,)))

    assert found is not None
    assert found.code == WhyNot.QUEUE_PAUSED
