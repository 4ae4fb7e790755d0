"""observe: what happens to KubeJobs is taken into the records."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from bgjobs.ids import key_job_id
from bgjobs.vocabulary import State
from bgjobs_core.kube.errors import KubeRefusedError
from bgjobs_core.redis.errors import StoreUnavailableError
from bgjobs_operator.interfaces.launcher import Gone, LauncherUnreachableError, Seen
from bgjobs_operator.loops.observe_plan import Looked, plan_gone, plan_seen
from bgjobs_operator.loops.observe_plan import ObserveStep as Do
from tests.store.builders import QUEUE_KEY, a_job, a_queue
from tests.unit.operator.builders import NAMESPACE, a_kube_job, a_pod, a_record, a_request
from tests.unit.operator.world import until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgjobs_core.jobs.record import JobRecord
    from bgjobs_operator.interfaces.launcher import KubeJobView
    from tests.unit.operator.world import World

THERE = a_kube_job().build()
DELETING = a_kube_job().deleting().build()
ANOTHER = a_kube_job().with_uid("kube-2").build()
COMPLETE = a_kube_job().complete().build()
COPY = a_kube_job().but(name="a-copy").build()
ELSEWHERE = a_kube_job().but(namespace="elsewhere").build()
FAILED = a_kube_job().failed().build()

SUSPENDED = a_kube_job().but(suspended=True).build()

LAUNCHED = a_record().launched().build()
WISHED = a_record().launched().but(phase="running", paused_by="ada", paused_at=1).build()
MADE = 1_795_000_000_000
OF_A_KEY = a_record().but(id=key_job_id(NAMESPACE, "invoice-2026-11"), created_at=MADE)


def made_before(job: JobRecord, seconds: float, **more: Any) -> KubeJobView:
    """A KubeJob of that name, made so long before the job's record was."""
    return a_kube_job().but(name=job.kube_job, job_id=job.id, created_at=round(MADE - seconds * 1000), **more).build()


@pytest.mark.parametrize(
    ("view", "job", "failures_known", "expected"),
    [
        pytest.param(THERE, None, 0, [], id="no record: Redis may be older than the world"),
        pytest.param(THERE, a_record().launching().build(), 0, [Do.BIND], id="launching: the answer was lost"),
        pytest.param(THERE, a_record().build(), 0, [Do.BIND], id="queued again, and it came late"),
        pytest.param(THERE, a_record().waiting(State.SCHEDULED).build(), 0, [Do.BIND], id="scheduled again"),
        pytest.param(COMPLETE, a_record().launching().build(), 0, [Do.BIND, Do.COMPLETE], id="unbound, but complete"),
        pytest.param(THERE, a_record().waiting(State.PAUSED).build(), 0, [Do.DELETE_STRAY], id="paused"),
        pytest.param(THERE, a_record().waiting(State.BLOCKED).build(), 0, [Do.DELETE_STRAY], id="blocked"),
        pytest.param(DELETING, a_record().waiting(State.PAUSED).build(), 0, [], id="paused, and it goes already"),
        pytest.param(THERE, LAUNCHED, 0, [], id="nothing is new"),
        pytest.param(a_kube_job().failing(1).build(), LAUNCHED, 0, [Do.READ_PODS], id="a pod has failed"),
        pytest.param(a_kube_job().failing(1).build(), LAUNCHED, 1, [], id="the same pod as before"),
        pytest.param(COMPLETE, LAUNCHED, 0, [Do.COMPLETE], id="complete"),
        pytest.param(
            a_kube_job().failing(1).complete().build(), LAUNCHED, 0, [Do.READ_PODS, Do.COMPLETE], id="both are new"
        ),
        pytest.param(COPY, LAUNCHED, 0, [Do.DELETE_STRAY], id="a copy under another name"),
        pytest.param(COPY, a_record().launching().build(), 0, [Do.DELETE_STRAY], id="a copy does not bind"),
        pytest.param(ELSEWHERE, a_record().launching().build(), 0, [Do.DELETE_STRAY], id="nor in another namespace"),
        pytest.param(
            a_kube_job().but(name="a-copy").complete().build(), LAUNCHED, 0, [Do.DELETE_STRAY], id="nor does it decide"
        ),
        pytest.param(
            a_kube_job().but(name="a-copy").deleting().build(), LAUNCHED, 0, [], id="a copy that goes already"
        ),
        pytest.param(COPY, a_record().stopping().build(), 0, [Do.DELETE_STRAY], id="a copy of what is stopping"),
        pytest.param(COPY, None, 0, [], id="a copy of what is not recorded"),
        pytest.param(FAILED, LAUNCHED, 1, [Do.READ_PODS, Do.FAILED], id="failed: the last pod says it best"),
        pytest.param(ANOTHER, LAUNCHED, 0, [Do.DELETE_STRAY], id="launched by another one"),
        pytest.param(
            a_kube_job().with_uid("kube-2").deleting().build(), LAUNCHED, 0, [], id="another one, which goes already"
        ),
        pytest.param(THERE, a_record().stopping().build(), 0, [Do.POKE_STOP], id="stopping, unbound"),
        pytest.param(THERE, a_record().stopping("kube-1").build(), 0, [Do.POKE_STOP], id="stopping"),
        pytest.param(COMPLETE, a_record().stopping("kube-1").build(), 0, [Do.POKE_STOP], id="stopping, too late"),
        pytest.param(ANOTHER, a_record().stopping("kube-1").build(), 0, [Do.DELETE_STRAY], id="stopping another one"),
        pytest.param(THERE, a_record().ended(State.SUCCEEDED, "kube-1").build(), 0, [], id="succeeded: it ends soon"),
        pytest.param(THERE, a_record().ended(State.FAILED, "kube-1").build(), 0, [], id="failed: it ends soon"),
        pytest.param(THERE, a_record().ended(State.CANCELLED, "kube-1").build(), 0, [Do.DELETE_STRAY], id="cancelled"),
        pytest.param(DELETING, a_record().ended(State.CANCELLED, "kube-1").build(), 0, [], id="cancelled, it goes"),
        pytest.param(THERE, a_record().ended(State.CANCELLED).build(), 0, [Do.DELETE_STRAY], id="cancelled before"),
        pytest.param(THERE, a_record().ended(State.FAILED).build(), 0, [Do.DELETE_STRAY], id="failed before it came"),
        pytest.param(DELETING, a_record().launching().build(), 0, [], id="unbound: a dying one is not bound"),
        pytest.param(
            a_kube_job().complete().deleting().build(),
            a_record().launching().build(),
            0,
            [],
            id="unbound: a dying one that is complete is of an earlier job of the same key",
        ),
        pytest.param(
            made_before(OF_A_KEY.build(), 61), OF_A_KEY.build(), 0, [Do.DELETE_STRAY],
            id="queued: it is of an earlier job of the same key",
        ),
        pytest.param(
            made_before(OF_A_KEY.build(), 61, complete=True), OF_A_KEY.launching().build(), 0, [Do.DELETE_STRAY],
            id="nor does its end decide the new job",
        ),
        pytest.param(made_before(OF_A_KEY.build(), 61, deleting=True), OF_A_KEY.build(), 0, [], id="it goes already"),
        pytest.param(
            made_before(OF_A_KEY.build(), 60), OF_A_KEY.launching().build(), 0, [Do.BIND], id="two clocks may differ"
        ),
        pytest.param(
            made_before(OF_A_KEY.build(), -3600), OF_A_KEY.build(), 0, [Do.BIND],
            id="the record is older: Redis has forgotten that it launched it",
        ),
        pytest.param(
            made_before(a_record().build(), 3600), a_record().but(created_at=MADE).build(), 0, [Do.BIND],
            id="another id means one job for ever: it is taken back although its record was made anew",
        ),
        pytest.param(
            made_before(OF_A_KEY.build(), 3600), OF_A_KEY.launched().build(), 0, [], id="it is bound already"
        ),
        pytest.param(SUSPENDED, LAUNCHED, 0, [Do.NOTE_SUSPENDED], id="suspended by somebody else"),
        pytest.param(SUSPENDED, a_record().launched().but(phase="suspended").build(), 0, [], id="and it says so"),
        pytest.param(
            THERE, a_record().launched().but(phase="suspended").build(), 0, [Do.NOTE_PENDING], id="somebody lifted that"
        ),
        pytest.param(
            THERE, a_record().launched().attempted(1).but(phase="suspended").build(), 0, [Do.NOTE_RETRYING],
            id="somebody lifted that, and it had started",
        ),
        pytest.param(SUSPENDED, WISHED, 0, [], id="suspended as wished"),
        pytest.param(THERE, WISHED, 0, [Do.POKE_SUSPEND], id="not suspended, though it is wished"),
        pytest.param(COMPLETE, WISHED, 0, [Do.COMPLETE], id="too late to be suspended"),
        pytest.param(FAILED, WISHED, 1, [Do.READ_PODS, Do.FAILED], id="too late, it has failed"),
        pytest.param(DELETING, WISHED, 0, [], id="it goes, and nobody suspends it"),
        pytest.param(SUSPENDED, a_record().stopping("kube-1").build(), 0, [Do.POKE_STOP], id="suspended, stopping"),
        pytest.param(
            SUSPENDED, a_record().launching().build(), 0, [Do.BIND], id="made suspended: it is bound as any other"
        ),
    ],
)  # fmt: skip
def test_plan_seen(view: KubeJobView, job: JobRecord | None, failures_known: int, expected: list[Do]) -> None:
    assert plan_seen(view, job, Looked(failures_known)) == expected


@pytest.mark.parametrize(
    ("terminating", "known", "expected"),
    [
        pytest.param(0, 0, [], id="nothing is new"),
        pytest.param(1, 0, [Do.READ_PODS], id="a pod was deleted: perhaps it says that it is evicted"),
        pytest.param(1, 1, [], id="it is ending still"),
        pytest.param(0, 1, [Do.READ_PODS], id="it has ended, or is gone"),
    ],
)
def test_plan_of_pods_that_are_deleted(terminating: int, known: int, expected: list[Do]) -> None:
    view = a_kube_job().but(terminating=terminating).build()
    assert plan_seen(view, LAUNCHED, Looked(0, known)) == expected


@pytest.mark.parametrize(
    ("job", "expected"),
    [
        pytest.param(None, [], id="no record"),
        pytest.param(LAUNCHED, [Do.CHECK_ABSENT], id="launched: look, for a watch is no proof"),
        pytest.param(a_record().launched("kube-2").build(), [], id="bound to another one"),
        pytest.param(a_record().launching().build(), [], id="unbound: it is POSTed again"),
        pytest.param(a_record().stopping("kube-1").build(), [Do.POKE_STOP], id="stopping"),
        pytest.param(a_record().ended(State.SUCCEEDED, "kube-1").build(), [], id="ended"),
        pytest.param(a_record().but(id="another").launched().build(), [], id="it had the name of another job"),
    ],
)
def test_plan_gone(job: JobRecord | None, expected: list[Do]) -> None:
    assert plan_gone(THERE, job) == expected


@pytest.mark.parametrize(("view", "expected"), [(COMPLETE, [Do.COMPLETE]), (FAILED, [Do.FAILED])])
def test_what_had_ended_before_it_went_is_not_lost(view: KubeJobView, expected: list[Do]) -> None:
    assert plan_gone(view, LAUNCHED) == expected


class TestEndings:
    async def test_complete(self, world: World) -> None:
        job = await world.launched()
        await world.pod_starts(job)
        world.launcher.change(job, complete=True)
        await world.observe()
        assert await world.state(job) == "succeeded"
        assert [attempt.outcome for attempt in await world.attempts(job)] == ["succeeded"]

    async def test_complete_without_any_start(self, world: World) -> None:
        job = await world.launched()
        world.launcher.change(job, complete=True)
        await world.observe()
        assert (await world.job(job)).attempt == 0
        assert await world.state(job) == "succeeded"

    async def test_oom(self, world: World) -> None:
        """It kills the runner too, so the container's status is all there is; Kubernetes tries again."""
        job = await world.launched()
        await world.pod_starts(job)
        world.launcher.pod(job, a_pod().exited(137, "OOMKilled").build())
        world.launcher.change(job, failed=1)
        await world.observe()
        record = await world.job(job)
        assert (record.state, record.phase, record.last_outcome) == ("launched", "retrying", "oom_killed")
        assert [(one.outcome, one.exit_code) for one in await world.attempts(job)] == [("oom_killed", 137)]
        assert (await world.pod_starts(job, "pod-2")).attempt == 2

    async def test_oom_of_the_last_attempt_is_the_outcome_of_the_job(self, world: World) -> None:
        job = await world.launched()
        await world.pod_starts(job)
        world.launcher.pod(job, a_pod().exited(137, "OOMKilled").build())
        world.launcher.change(job, failed=1, failure="BackoffLimitExceeded", message="Job has reached the limit")
        await world.observe()
        record = await world.job(job)
        assert (record.state, record.outcome) == ("failed", "oom_killed")
        assert record.reason == "BackoffLimitExceeded: Job has reached the limit"

    async def test_pods_of_other_attempts_change_nothing(self, world: World) -> None:
        job = await world.launched()
        await world.pod_starts(job, "pod-1")
        world.launcher.pod(job, a_pod("pod-0").exited(137, "OOMKilled").build())
        world.launcher.pod(job, a_pod("pod-1").build())
        world.launcher.change(job, failed=1)
        await world.observe()
        assert [attempt.ended_at for attempt in await world.attempts(job)] == [None]

    async def test_deleted_by_somebody_is_lost(self, world: World) -> None:
        job = await world.launched()
        async with world.watching():
            await until(lambda: world.observer.views)
            world.launcher.vanish(job)
            await until(lambda: not world.observer.views)
            other = await world.launched()
            await until(lambda: world.launcher.uid(other) in world.observer.views)  # so it is done with the one before
        record = await world.job(job)
        assert (record.state, record.outcome) == ("failed", "lost")
        assert (await world.store.queue_load(QUEUE_KEY)).owned == 1, "that of the other job"

    @pytest.mark.parametrize(
        ("request_is", "state"), [("there", "failed"), ("deleted", "stopping"), ("being deleted", "stopping")]
    )
    async def test_deleted_by_kubernetes_with_its_request_is_cancelled(
        self, world: World, request_is: str, state: str
    ) -> None:
        """Its owner reference does that, and we may see the KubeJob go before kopf tells of the request."""
        obj = world.resources.put(a_request())
        job = await world.launched(a_job().of_request("nightly"))
        if request_is == "deleted":
            world.resources.remove(obj)
        if request_is == "being deleted":
            obj["metadata"]["deletionTimestamp"] = "2026-11-24T17:40:00Z"
        world.launcher.vanish(job, silently=True)
        world.poked.clear()
        async with world.working(world.observing):
            await world.observer.compare([await world.job(job)])
        record = await world.job(job)
        assert record.state == state
        assert ("stop" in world.poked, record.verdict) == ((True, "cancelled") if state == "stopping" else (False, ""))

    @pytest.mark.parametrize(
        "ended", [{"complete": True}, {"failure": "BackoffLimitExceeded", "failed": 1}, {}], ids=str
    )
    async def test_one_that_somebody_made_for_a_job_that_waits_decides_nothing(
        self, world: World, ended: dict[str, Any]
    ) -> None:
        """Namespace, name and label fit, but nobody has asked for it: the job was never claimed."""
        job = await world.queued()
        queue = await world.store.queue(QUEUE_KEY)
        assert queue is not None
        await world.launcher.create(await world.job(job), queue)
        world.launcher.pod(job, a_pod().exited(0, "Completed").build())
        if ended:
            world.launcher.change(job, **ended)
        await world.observe()
        record = await world.job(job)
        assert (record.state, record.kube_uid, record.attempt) == ("queued", "", 0)
        assert (await world.pod_starts(job)).action == "wait"

    async def test_a_stale_deletion_is_no_proof(self, world: World) -> None:
        job = await world.launched()
        view = world.launcher.view(job)
        assert view is not None
        async with world.watching():
            await until(lambda: world.observer.views)
            world.launcher.tell(Gone(view))
            await until(lambda: not world.observer.views)
            world.launcher.change(job, failed=0)
            await until(lambda: world.observer.views)
        assert await world.state(job) == "launched"


class TestTrouble:
    async def test_what_vanishes_while_redis_is_away_is_noticed(self, world: World) -> None:
        job = await world.launched()
        await world.observe()
        world.store.failing = StoreUnavailableError("gone")
        world.launcher.vanish(job, silently=True)
        await world.reconcile()
        world.store.failing = None
        world.forward(10)
        await world.observe()
        await world.reconcile()
        record = await world.job(job)
        assert (record.state, record.outcome) == ("failed", "lost")

    async def test_pods_that_could_not_be_read_are_read_again(self, world: World) -> None:
        job = await world.launched()
        await world.pod_starts(job)
        world.launcher.pod(job, a_pod().exited(1).build())
        world.launcher.change(job, failed=1)
        world.launcher.away = True
        await world.observe()
        assert world.in_trouble("observe") == {NAMESPACE}
        world.launcher.away = False
        world.forward(1)
        async with world.working(world.observing):
            pass
        assert [attempt.outcome for attempt in await world.attempts(job)] == ["error"]

    async def test_a_stray_that_a_policy_keeps_holds_up_nothing_behind_it(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The list begins with it; the watch is not begun again, and the one behind it is taken in."""
        await world.lead(queue=a_queue(20))
        stray = await world.launched()
        job = await world.launched()
        copy = a_kube_job().but(name="a-copy", uid="copy", job_id=stray).build()
        delete, tries = world.launcher.delete, list[str]()

        async def refuse(namespace: str, name: str, uid: str) -> None:
            tries.append(uid)
            if uid == "copy":
                refusal = KubeRefusedError(403, "Forbidden", 'admission webhook "keep.example" denied the request')
                raise LauncherUnreachableError(str(refusal)) from refusal
            await delete(namespace, name, uid)

        monkeypatch.setattr(world.launcher, "delete", refuse)
        async with world.watching():
            await until(lambda: world.observer.views)
            begun = world.launcher.watched
            world.launcher.tell(Seen(copy))
            await until(lambda: "copy" in tries)
            world.launcher.change(job, complete=True)
            async with asyncio.timeout(5):
                while await world.state(job) != "succeeded":  # noqa: ASYNC110 - what is waited for is in Redis
                    await asyncio.sleep(0)
        assert (world.launcher.watched, tries) == (begun, ["copy"])
        assert world.in_trouble("observe") == set(), "it is trouble of this object, and not of its namespace"
        monkeypatch.undo()
        world.forward(5)
        async with world.working(world.observing):
            pass
        assert ("a-copy", "copy") in world.launcher.deletes, "it is looked at again by itself"

    async def test_a_record_that_cannot_be_read_holds_up_nobody(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await world.lead(queue=a_queue(20))
        broken, job = await world.launched(), await world.launched()
        for one in (broken, job):
            world.launcher.change(one, complete=True)
        jobs, read = world.store.jobs, world.store.job

        async def many_fail(ids: Sequence[str]) -> list[JobRecord]:
            if broken in ids:
                raise ValueError("of another version")
            return await jobs(ids)

        async def fails(job_id: str) -> JobRecord | None:
            if job_id == broken:
                raise ValueError("of another version")
            return await read(job_id)

        monkeypatch.setattr(world.store, "jobs", many_fail)
        monkeypatch.setattr(world.store, "job", fails)
        await world.observe()
        assert await world.state(job) == "succeeded"
