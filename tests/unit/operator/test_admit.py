"""admit: requests become jobs, deleted requests cancel theirs, queues' settings go to Redis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bgjobs_core.actions.errors import TooManyClassesError
from bgjobs_core.jobs import ids
from bgjobs_core.jobs.admission import NotAdmitted
from bgjobs_core.redis.errors import StoreFullError
from bgjobs_core.redis.memory import Memory, MemoryGate
from bgjobs_core.resources.models import QUEUES, REQUESTS, QueueSpec
from bgjobs_operator.loops import admit
from bgjobs_operator.loops.admit import asked_by, parse, queue_problem
from bgjobs_operator.loops.fresh_queues import FreshQueues
from bgjobs_operator.pokes import Poke, Pokes
from tests.store.builders import QUEUE_KEY, a_queue
from tests.unit.operator.builders import CREATED_MS, NAMESPACE, a_queue_object, a_request
from tests.unit.operator.world import taken

if TYPE_CHECKING:
    from tests.unit.operator.world import World

JOB = ids.request_job_id("uid-of-nightly")


class TestPokes:
    def test_an_object_that_is_poked_often_is_looked_at_once(self) -> None:
        rung: list[str] = []
        pokes = Pokes(lambda: rung.append("admit"))
        first, second = Poke(REQUESTS, "shop", "a", "1"), Poke(REQUESTS, "shop", "b", "2")
        for poke in (first, second, first):
            pokes.add(poke)
        assert taken(pokes) == [first, second]
        assert len(rung) == 3

    def test_the_same_name_with_another_uid_is_another_object(self) -> None:
        pokes = Pokes(lambda: None)
        pokes.add(Poke(REQUESTS, "shop", "a", "1"))
        pokes.add(Poke(REQUESTS, "shop", "a", "2"))
        assert [poke.uid for poke in taken(pokes)] == ["1", "2"]

    def test_a_replica_that_does_not_lead_keeps_nothing(self) -> None:
        """Whoever begins to lead looks at everything."""
        pokes = Pokes(lambda: None)
        pokes.add(Poke(REQUESTS, "shop", "a", "1"))
        pokes.end()
        pokes.add(Poke(REQUESTS, "shop", "b", "2"))
        assert pokes.namespaces() == []
        pokes.begin()
        pokes.add(Poke(REQUESTS, "shop", "c", "3"))
        assert [poke.name for poke in taken(pokes)] == ["c"]


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        ({"class": "no-dots"}, "class"),
        ({"method": "_private"}, "method"),
        ({"priority": 2}, "priority"),
        ({"parameters": "text"}, "parameters"),
        ({"maxRetries": -1}, "maxRetries"),
        ({"mistyped": 1}, "mistyped"),
    ],
)
def test_a_spec_that_our_crd_would_not_have_let_in(spec: dict[str, Any], where: str) -> None:
    refused = parse(a_request(**spec))
    assert isinstance(refused, NotAdmitted)
    assert (refused.field, refused.code) == (where, "invalid_spec")
    assert refused.message.startswith(f"spec.{where}: ")


def test_a_request_without_a_spec() -> None:
    assert isinstance(parse({"metadata": {}}), NotAdmitted)


def test_the_job_that_a_request_asks_for() -> None:
    obj = a_request(parameters={"ids": [1, 2]}, priority=1, delaySeconds=60, maxRetries=0, image="shop:2")
    spec = parse(obj)
    assert not isinstance(spec, NotAdmitted)
    job = asked_by(obj, spec, CREATED_MS)
    assert not isinstance(job, NotAdmitted)
    assert (job.id, job.namespace, job.spec.queue, job.request_name) == (JOB, NAMESPACE, "default", "nightly")
    assert (job.parameters, job.spec.priority, job.spec.max_retries, job.spec.image) == (
        '{"ids":[1,2]}',
        1,
        0,
        "shop:2",
    )
    assert (job.created_by, job.not_before_ms, job.spec.timeout_seconds) == (
        "request:nightly",
        CREATED_MS + 60_000,
        None,
    )


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ([2**63], "beyond 64 bits"),
        (["x" * 300_000], "300,004 bytes"),
    ],
)
def test_parameters_that_the_api_would_refuse(parameters: list[Any], words: str) -> None:
    obj = a_request(parameters=parameters)
    spec = parse(obj)
    assert not isinstance(spec, NotAdmitted)
    refused = asked_by(obj, spec, 0)
    assert isinstance(refused, NotAdmitted)
    assert words in refused.message


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (QueueSpec(image="shop:1", approved_classes=["shop.jobs.*"]), None),
        (QueueSpec(approved_classes=["shop.jobs.*"]), "NoImage"),
        (QueueSpec(image="shop:1"), "NoApprovedClasses"),
    ],
)
def test_queue_problem(spec: QueueSpec, reason: str | None) -> None:
    problem = queue_problem(spec)
    assert (problem and problem[0]) == reason


class TestRequests:
    async def test_become_jobs(self, world: World) -> None:
        world.poke(REQUESTS, world.resources.put(a_request()))
        await world.admit()
        record = await world.job(JOB)
        assert (record.state, record.request_name, record.created_by) == ("queued", "nightly", "request:nightly")
        assert world.resources.written == [], "settle writes the status, from the record"

    async def test_are_admitted_once(self, world: World) -> None:
        obj = world.resources.put(a_request())
        for _ in range(3):
            world.poke(REQUESTS, obj)
            await world.admit()
        assert (await world.job(JOB)).rev == 1

    async def test_keep_their_job_when_the_queue_gets_other_defaults(self, world: World) -> None:
        """The status with the job's id is not written yet, and the operator looks again."""
        world.poke(REQUESTS, obj := world.resources.put(a_request()))
        await world.admit()
        await world.store.put_queue(QUEUE_KEY, a_queue().model_copy(update={"default_max_retries": 0}))
        world.poke(REQUESTS, obj)
        await world.admit()
        assert world.resources.written == []
        assert (await world.job(JOB)).spec.max_retries == 3

    async def test_whose_job_was_lost_with_redis_get_it_again(self, world: World) -> None:
        world.poke(REQUESTS, world.resources.put(a_request(status={"jobId": JOB, "state": "queued"})))
        await world.admit()
        assert await world.state(JOB) == "queued"

    async def test_whose_code_may_have_run_do_not(self, world: World) -> None:
        status = {"jobId": JOB, "state": "launched", "kubeJob": "bgjob-1"}
        world.poke(REQUESTS, world.resources.put(a_request(status=status)))
        await world.admit()
        assert await world.store.job(JOB) is None

    async def test_that_have_ended_are_left_alone(self, world: World) -> None:
        status = {"conditions": [{"type": "Failed", "status": "True"}]}
        world.poke(REQUESTS, world.resources.put(a_request(status=status)))
        await world.admit()
        assert await world.store.job(JOB) is None

    @pytest.mark.parametrize("gone", ["deleted", "being deleted", "replaced"])
    async def test_cancel_their_job_when_they_are(self, world: World, gone: str) -> None:
        obj = world.resources.put(a_request())
        world.poke(REQUESTS, obj)
        await world.admit()
        match gone:
            case "deleted":
                world.resources.remove(obj)
            case "being deleted":
                obj["metadata"]["deletionTimestamp"] = "2026-11-24T17:40:00Z"
            case _:
                again = a_request()
                again["metadata"]["uid"] = "another"
                world.resources.put(again)
        world.pokes.add(Poke(REQUESTS, NAMESPACE, "nightly", "uid-of-nightly"))
        await world.admit()
        record = await world.job(JOB)
        assert (record.state, record.stopped_by, record.note) == (
            "cancelled",
            "request:nightly",
            "its request was deleted",
        )

    async def test_that_are_deleted_stop_what_runs(self, world: World) -> None:
        obj = world.resources.put(a_request())
        world.poke(REQUESTS, obj)
        await world.admit()
        await world.dispatch()
        await world.launch()
        await world.pod_starts(JOB)
        world.resources.remove(obj)
        world.poke(REQUESTS, obj)
        await world.admit()
        await world.stop()
        await world.stop()
        assert await world.state(JOB) == "cancelled"
        assert world.launcher.view(JOB) is None

    @pytest.mark.parametrize(
        ("spec", "reason"),
        [
            ({"class": "elsewhere.Evil"}, "ClassNotApproved"),
            ({"image": "evil:1"}, "ImageNotAllowed"),
            ({"method": "_private"}, "InvalidSpec"),
            ({"parameters": [2**63]}, "InvalidParameters"),
        ],
    )
    async def test_that_can_never_run_say_why(self, world: World, spec: dict[str, Any], reason: str) -> None:
        world.poke(REQUESTS, world.resources.put(a_request(**spec)))
        await world.admit()
        (said,) = world.resources.statuses("nightly")
        assert (said["state"], said["conditions"][0]["reason"]) == ("failed", reason)
        assert world.resources.events == [("nightly", reason, said["reason"])]
        assert await world.store.job(JOB) is None

    async def test_wait_for_their_queue(self, world: World) -> None:
        world.poke(REQUESTS, world.resources.put(a_request(queue="reports")))
        for _ in range(3):
            await world.admit()
            world.forward(60)
        (said,) = world.resources.statuses("nightly")
        assert "no BackgroundJobQueue 'reports'" in said["reason"]
        assert (said["state"], said["conditions"][0]["reason"]) == ("waiting", "QueueNotFound")
        assert world.resources.events == [("nightly", "QueueNotFound", said["reason"])], (
            "one, however often it is tried"
        )
        await world.store.put_queue("shop/reports", a_queue())
        await world.admit()
        assert await world.state(JOB) == "queued"

    async def test_without_the_right_to_make_events_it_is_said_in_the_status_alone(self, world: World) -> None:
        world.resources.no_events = True
        world.poke(REQUESTS, world.resources.put(a_request(queue="reports")))
        await world.admit()
        assert [said["state"] for said in world.resources.statuses("nightly")] == ["waiting"]
        assert world.in_trouble("admit") == set()

    async def test_that_wait_for_something_else_now_say_so(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        async def full(*_: object) -> None:
            raise StoreFullError("Redis is at its memory limit")

        world.poke(REQUESTS, world.resources.put(a_request(queue="reports")))
        await world.admit()
        await world.store.put_queue("shop/reports", a_queue())
        monkeypatch.setattr(world.store, "enqueue", full)
        world.forward(5)
        await world.admit()
        assert [reason for _, reason, _ in world.resources.events] == ["QueueNotFound", "NoRoom"]

    async def test_that_are_of_one_class_too_many_wait_and_say_so(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def crowded(*_: object, **__: object) -> None:
            raise TooManyClassesError("shop")

        with monkeypatch.context() as patch:
            patch.setattr(admit, "enqueue", crowded)
            world.poke(REQUESTS, world.resources.put(a_request()))
            await world.admit()
        assert [reason for _, reason, _ in world.resources.events] == ["TooManyClasses"]
        assert "too many different queues, states and classes" in world.resources.statuses("nightly")[0]["reason"]
        world.forward(5)
        await world.admit()
        assert await world.state(JOB) == "queued"

    async def test_that_wait_are_looked_at_when_their_queue_has_come(self, world: World) -> None:
        world.poke(REQUESTS, world.resources.put(a_request(queue="reports")))
        await world.admit()
        world.poke(QUEUES, world.resources.put(a_queue_object("reports")))
        await world.admit()
        assert await world.state(JOB) == "queued", "at once, and not after its five seconds"

    async def test_that_wait_do_not_keep_the_loop_turning(self, world: World) -> None:
        world.poke(REQUESTS, world.resources.put(a_request(queue="reports")))
        await world.admit()
        reads = world.resources.reads
        await world.admit()
        assert world.resources.reads == reads, "it comes back after its five seconds, not at once"
        world.forward(5)
        await world.admit()
        assert world.resources.reads == reads + 1

    async def test_of_the_same_file_as_their_queue_wait_for_nothing(self, world: World) -> None:
        world.poke(REQUESTS, world.resources.put(a_request(queue="reports")))
        world.poke(QUEUES, world.resources.put(a_queue_object("reports")))
        await world.admit()
        assert await world.state(JOB) == "queued"
        assert world.resources.statuses("nightly") == [], "nobody has said that there is no queue"

    async def test_that_find_redis_nearly_full_wait_and_say_so(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What is left of the memory is for the jobs that are there to end in, as for callers of the API."""
        memory = Memory(86, 100)

        async def used() -> Memory:
            return memory

        monkeypatch.setattr(world.store, "memory", used)
        world.admission.gate = MemoryGate(world.store, world.clock.time)
        world.poke(REQUESTS, world.resources.put(a_request()))
        await world.admit()
        assert await world.store.job(JOB) is None
        assert world.resources.statuses("nightly")[0]["reason"] == "Redis is nearly full"
        memory = Memory(50, 100)
        world.forward(5)
        await world.admit()
        assert await world.state(JOB) == "queued"

    async def test_wait_while_redis_is_full(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        async def full(*_: object) -> None:
            raise StoreFullError("Redis is at its memory limit")

        monkeypatch.setattr(world.store, "enqueue", full)
        world.poke(REQUESTS, world.resources.put(a_request()))
        await world.admit()
        assert world.resources.statuses("nightly")[0]["reason"] == "Redis is at its memory limit"
        monkeypatch.undo()
        world.forward(5)
        await world.admit()
        assert await world.state(JOB) == "queued"

    async def test_wait_while_kubernetes_is_away(self, world: World) -> None:
        world.poke(REQUESTS, world.resources.put(a_request()))
        world.resources.away = True
        await world.admit()
        assert world.in_trouble("admit") == {NAMESPACE}
        world.resources.away = False
        world.forward(1)
        await world.admit()
        assert await world.state(JOB) == "queued"

    async def test_that_wait_survive_an_error_with_another(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        world.poke(REQUESTS, world.resources.put(a_request("waits", queue="reports")))
        world.poke(QUEUES, world.resources.put(a_queue_object("breaks")))

        async def broken(*_: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(world.store, "put_queue", broken)
        await world.admit()
        assert world.resources.statuses("waits") != []
        monkeypatch.undo()
        world.forward(5)
        await world.admit()
        assert await world.store.queue("shop/breaks") is not None, "it was looked at again by itself"


class TestQueues:
    async def test_go_to_redis(self, world: World) -> None:
        world.poke(QUEUES, world.resources.put(a_queue_object("reports", maxConcurrent=3, paused=True)))
        await world.admit()
        queue = await world.store.queue("shop/reports")
        assert queue is not None
        assert (queue.spec.max_concurrent, queue.spec.paused) == (3, True)
        (said,) = world.resources.statuses("reports")
        assert (said["conditions"][0]["status"], said["observedGeneration"]) == ("True", 1)

    async def test_are_told_once_for_each_generation(self, world: World) -> None:
        obj = world.resources.put(a_queue_object("reports"))
        for generation in (1, 1, 2, 2):
            obj["metadata"]["generation"] = generation
            world.poke(QUEUES, obj)
            await world.admit()
        assert [said["observedGeneration"] for said in world.resources.statuses("reports")] == [1, 2]

    async def test_that_are_wrong_say_so_and_keep_their_last_settings(self, world: World) -> None:
        world.poke(QUEUES, world.resources.put(a_queue_object(maxConcurrent=3)))
        await world.admit()
        world.poke(QUEUES, world.resources.put(a_queue_object(generation=2, maxConcurrent=-1)))
        await world.admit()
        queue = await world.store.queue(QUEUE_KEY)
        assert queue is not None
        assert queue.spec.max_concurrent == 3
        assert world.resources.statuses("default")[-1]["conditions"][0]["reason"] == "InvalidSpec"

    async def test_that_cannot_be_looked_at_hold_up_no_other_one_whenever_they_are_listed(self, world: World) -> None:
        """An event may come before the first list of a new leader, which asks for a look at each queue."""
        fresh = FreshQueues()
        world.admission.seen = fresh.looked_at
        obj = world.resources.put(a_queue_object("reports"))
        world.resources.away = True
        world.poke(QUEUES, obj)
        await world.admit()

        fresh.listed(NAMESPACE, {"reports"})
        world.poke(QUEUES, obj)
        world.forward(120)
        await world.admit()

        assert fresh.among([NAMESPACE]) == [NAMESPACE]

    async def test_that_are_deleted_launch_nothing_more(self, world: World) -> None:
        world.pokes.add(Poke(QUEUES, NAMESPACE, "default", ""))
        await world.admit()
        await world.queued()
        await world.dispatch()
        assert await world.store.queue_keys() == []
        assert world.launcher.posts == []

    async def test_whose_pods_ask_for_what_is_not_allowed_launch_nothing_until_it_is(self, world: World) -> None:
        world.poke(QUEUES, world.resources.put(a_queue_object()))
        await world.admit()
        waiting = await world.queued()
        pod = {"volumes": [{"name": "node", "hostPath": {"path": "/"}}]}
        changed = world.resources.put(a_queue_object(generation=2, pod=pod))
        world.poke(QUEUES, changed)
        world.poke(REQUESTS, world.resources.put(a_request()))
        await world.admit()
        await world.dispatch()

        said = world.resources.statuses("default")[-1]["conditions"][0]
        assert (said["status"], said["reason"]) == ("False", "PodNotAllowed")
        assert "spec.pod.volumes[0].hostPath" in said["message"]
        assert "jobs.allowedPodFeatures: [hostPath]" in said["message"]
        assert (await world.state(waiting), world.launcher.posts) == ("queued", [])
        refused = world.resources.statuses("nightly")[-1]
        assert refused["conditions"][0]["reason"] == "QueueRefused"

        # The object is the same, and the installation allows it now.
        world.admission.allowed_pod_features = {"hostPath"}
        world.poke(QUEUES, changed)
        await world.admit()
        await world.dispatch()
        assert world.resources.statuses("default")[-1]["conditions"][0]["status"] == "True"
        assert await world.state(waiting) == "launching"

    async def test_one_of_kueue_where_bgjobs_does_not_work_with_kueue(self, world: World) -> None:
        changed = world.resources.put(a_queue_object(generation=2, kueueQueueName="team"))
        world.poke(QUEUES, changed)
        world.poke(REQUESTS, world.resources.put(a_request()))
        await world.admit()
        said = world.resources.statuses("default")[-1]["conditions"][0]
        assert (said["status"], said["reason"]) == ("False", "KueueNotEnabled")
        assert "kueue.enabled in the values of the chart" in said["message"]
        assert world.resources.statuses("nightly")[-1]["conditions"][0]["reason"] == "QueueRefused"

        world.admission.with_kueue = True
        world.poke(QUEUES, changed)
        await world.admit()
        assert world.resources.statuses("default")[-1]["conditions"][0]["status"] == "True"
