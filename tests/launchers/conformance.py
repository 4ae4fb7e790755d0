"""What every launcher must do, told once: the loops rely on it, whatever runs the jobs.

A launcher's own test derives from `Conformance` and has a fixture `bench`. Behind it are a real API and a real
runner; the test itself is the operator.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import pytest
import uvicorn
from fakeredis import FakeAsyncRedis, FakeServer

from bgjobs.ids import new_job_id
from bgjobs.job_spec import CompleteSpec
from bgjobs.protocol import EXIT_FAILED, EXIT_REFUSED, EXIT_SUCCESS
from bgjobs.vocabulary import Outcome, State
from bgjobs_api.app import create_app
from bgjobs_api.clock import system_clock
from bgjobs_api.http.deps import Deps
from bgjobs_core.jobs.record import AskedJob, JobRecord, NewJob
from bgjobs_core.store.store import Store
from bgjobs_operator.interfaces.launcher import Gone, LauncherObjectError, Listed, Seen
from tests.api.world import FakeAccess, FakeRedisState

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from bgjobs_api.http.deps import Authenticator
    from bgjobs_core.jobs.queue import QueueRecord
    from bgjobs_core.jobs.record import JobRecord
    from bgjobs_core.resources.models import QueueSpec
    from bgjobs_operator.interfaces.launcher import KubeJobView, Launcher

EPOCH: Final = "the test"
NAMESPACE: Final = "shop"
GRACE_SECONDS: Final = 4
_PATIENCE_SECONDS: Final = 90


@dataclass
class Bench:
    """A launcher, with what stands around it.

    Attributes:
        events: all that the watch has told.
    """

    launcher: Launcher
    store: Store
    queue: QueueRecord
    events: list[Seen | Gone | Listed] = field(default_factory=list[Seen | Gone | Listed])
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def follow(self) -> None:
        """Take note of everything, until cancelled."""
        async for event in self.launcher.watch(NAMESPACE):
            async with self._news:
                self.events.append(event)
                self._news.notify_all()

    async def until(self, what: str, holds: Callable[[], bool]) -> None:
        """Wait for an event after which it is so."""
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS), self._news:
                await self._news.wait_for(holds)
        except TimeoutError as error:
            raise AssertionError(f"not so after {_PATIENCE_SECONDS} s: {what}; seen: {self.events}") from error

    def last(self, uid: str) -> KubeJobView | None:
        """A KubeJob as it was last seen; None if it is gone."""
        found: KubeJobView | None = None
        for event in self.events:
            if isinstance(event, Seen) and event.view.uid == uid:
                found = event.view
            elif isinstance(event, Gone) and event.view.uid == uid:
                found = None
        return found

    def has_ended(self, uid: str) -> bool:
        """Whether Kubernetes makes no more pods for it."""
        view = self.last(uid)
        return view is not None and (view.complete or bool(view.failure))

    def is_gone(self, uid: str) -> bool:
        """Whether the watch said so."""
        return any(isinstance(event, Gone) and event.view.uid == uid for event in self.events)

    async def claimed(self, call: str, *parameters: Any, max_retries: int = 0) -> JobRecord:
        """A job in `launching`."""
        cls, _, method = call.rpartition(".")
        spec = CompleteSpec(
            queue=self.queue.name, cls=f"shop.jobs.{cls}", method=method, max_retries=max_retries, timeout_seconds=300,
            image=self.queue.spec.image,
        )  # fmt: skip
        asked = AskedJob(new_job_id(), NAMESPACE, spec, json.dumps(parameters), created_by="ada")
        job = NewJob(asked, spec, records_seconds=3600, logs_seconds=3600)
        await self.store.enqueue(job)
        assert job.id in (await self.store.claim(epoch=EPOCH, queue=self.queue.key, limit=100)).ids
        return await self.record(job.id)

    async def launched(self, call: str, *parameters: Any, max_retries: int = 0) -> tuple[JobRecord, str]:
        """A job with a KubeJob, and its UID."""
        job = await self.claimed(call, *parameters, max_retries=max_retries)
        uid = await self.launcher.create(job, self.queue)
        assert (await self.store.bind(job_id=job.id, kube_uid=uid)).state == State.LAUNCHED
        return job, uid

    async def record(self, job_id: str) -> JobRecord:
        """The job as it is now."""
        record = await self.store.job(job_id)
        assert record is not None
        return record

    async def running(self, call: str, *parameters: Any) -> tuple[JobRecord, str]:
        """A job whose code has printed something, and the UID of its KubeJob."""
        job, uid = await self.launched(call, *parameters)
        await self.store.watch_log(job.id)  # so that the runner ships its log soon
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while not await self.store.log_chunks(job.id, 1):  # noqa: ASYNC110 - the store has no event for it
                await asyncio.sleep(0.1)
        return job, uid


@contextlib.asynccontextmanager
async def api(authenticator: Authenticator, host: str) -> AsyncGenerator[tuple[Store, int]]:
    """A real API for real runners, on a store of its own."""
    client: Any = FakeAsyncRedis(server=FakeServer())
    store = Store(client)
    await store.lead(EPOCH)
    deps = Deps(store, FakeRedisState(), authenticator, FakeAccess(), system_clock, (NAMESPACE,))
    config = uvicorn.Config(create_app(deps), host=host, port=0, log_config=None, access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        assert not serving.done()
        await asyncio.sleep(0.01)
    try:
        yield store, server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await serving
        await store.close()


@contextlib.asynccontextmanager
async def bench_of(launcher: Launcher, store: Store, spec: QueueSpec) -> AsyncGenerator[Bench]:
    """A bench that follows its launcher."""
    key = f"{NAMESPACE}/conformance"
    await store.put_queue(key, spec)
    queue = await store.queue(key)
    assert queue is not None
    made = Bench(launcher, store, queue)
    following = asyncio.create_task(made.follow())
    try:
        yield made
    finally:
        following.cancel()
        await asyncio.wait({following})


class Conformance:
    """The suite."""

    async def test_what_succeeds_is_seen_from_its_beginning_to_its_end(self, bench: Bench) -> None:
        job, uid = await bench.launched("Invoices.render", 2026, 11)
        await bench.until("it has ended", lambda: bench.has_ended(uid))
        view = bench.last(uid)
        assert view is not None
        assert (view.complete, view.failure, view.failed) == (True, "", 0)
        assert (view.namespace, view.name, view.job_id) == (NAMESPACE, job.kube_job, job.id)
        seen = [one.view for one in bench.events if isinstance(one, Seen) and one.view.uid == uid]
        assert not seen[0].complete
        [pod] = await bench.launcher.pods(NAMESPACE, uid)
        assert (pod.ended, pod.exit_code, pod.disrupted) == (True, EXIT_SUCCESS, False)
        assert pod.name.startswith(f"{job.kube_job}-")
        record = await bench.record(job.id)
        assert (record.state, record.fence) == (State.SUCCEEDED, pod.uid)

    async def test_asked_twice_it_is_one_kube_job(self, bench: Bench) -> None:
        job, uid = await bench.launched("Invoices.render", 2026, 11)
        assert await bench.launcher.create(job, bench.queue) == uid
        await bench.until("it has ended", lambda: bench.has_ended(uid))
        assert await bench.launcher.create(job, bench.queue) == uid
        assert {one.view.uid for one in bench.events if isinstance(one, Seen) and one.view.job_id == job.id} == {uid}
        assert len(await bench.launcher.pods(NAMESPACE, uid)) == 1

    async def test_find_reads_what_is_there_now(self, bench: Bench) -> None:
        job = await bench.claimed("Invoices.render", 2026, 11)
        assert await bench.launcher.find(NAMESPACE, job.kube_job) is None
        uid = await bench.launcher.create(job, bench.queue)
        found = await bench.launcher.find(NAMESPACE, job.kube_job)
        assert found is not None
        assert (found.uid, found.job_id, found.deleting) == (uid, job.id, False)

    async def test_what_fails_is_tried_again_and_then_has_failed(self, bench: Bench) -> None:
        job, uid = await bench.launched("Payments.charge", 42, max_retries=1)
        await bench.until("it has ended", lambda: bench.has_ended(uid))
        view = bench.last(uid)
        assert view is not None
        assert (view.complete, view.failure, view.failed) == (False, "BackoffLimitExceeded", 2)
        pods = await bench.launcher.pods(NAMESPACE, uid)
        assert [(pod.ended, pod.exit_code) for pod in pods] == [(True, EXIT_FAILED)] * 2
        assert all(json.loads(pod.termination_message)["outcome"] == Outcome.ERROR for pod in pods)
        failures = [one.view.failed for one in bench.events if isinstance(one, Seen) and one.view.uid == uid]
        assert failures == sorted(failures)
        assert 1 in failures  # the observer looks at pods when it rises
        assert [one.outcome for one in await bench.store.attempts(await bench.record(job.id))] == [Outcome.ERROR] * 2

    async def test_what_is_tried_again_may_succeed(self, bench: Bench) -> None:
        _, uid = await bench.launched("Flaky.until_attempt", 2, max_retries=2)
        await bench.until("it has ended", lambda: bench.has_ended(uid))
        view = bench.last(uid)
        assert view is not None
        assert (view.complete, view.failed) == (True, 1)

    async def test_what_is_rejected_is_not_tried_again(self, bench: Bench) -> None:
        job, uid = await bench.launched("Invoices.no_such_method", max_retries=3)
        await bench.until("it has ended", lambda: bench.has_ended(uid))
        view = bench.last(uid)
        assert view is not None
        assert (view.complete, view.failure) == (False, "PodFailurePolicy")
        [pod] = await bench.launcher.pods(NAMESPACE, uid)
        assert pod.exit_code == EXIT_REFUSED
        assert (await bench.record(job.id)).outcome == Outcome.REJECTED

    async def test_the_pod_of_a_kube_job_that_is_not_the_recorded_one_runs_nothing(self, bench: Bench) -> None:
        job = await bench.claimed("Invoices.render", 2026, 11)
        await bench.store.bind(job_id=job.id, kube_uid="another-kube-job")
        uid = await bench.launcher.create(job, bench.queue)
        await bench.until("it has ended", lambda: bench.has_ended(uid))
        view = bench.last(uid)
        assert view is not None
        assert view.failure == "PodFailurePolicy"
        assert (await bench.record(job.id)).attempt == 0

    async def test_a_deletion_ends_the_code_and_then_the_kube_job(self, bench: Bench) -> None:
        job, uid = await bench.running("Orders.hold", 600)
        await bench.launcher.delete(NAMESPACE, job.kube_job, uid)
        await bench.until("it is gone", lambda: bench.is_gone(uid))
        assert await bench.launcher.find(NAMESPACE, job.kube_job) is None
        assert await bench.launcher.pods(NAMESPACE, uid) == []
        seen = [one.view for one in bench.events if isinstance(one, Seen) and one.view.uid == uid]
        assert seen[-1].deleting
        # The runner had its grace: it said how its attempt ended.
        [attempt] = await bench.store.attempts(await bench.record(job.id))
        assert attempt.outcome == Outcome.DISRUPTED

    async def test_what_ignores_sigterm_is_killed_when_its_grace_is_over(self, bench: Bench) -> None:
        job, uid = await bench.running("Orders.stubborn", 600)
        begun = asyncio.get_running_loop().time()
        await bench.launcher.delete(NAMESPACE, job.kube_job, uid)
        await bench.until("it is gone", lambda: bench.is_gone(uid))
        assert asyncio.get_running_loop().time() - begun > GRACE_SECONDS / 2 - 0.5  # half of it is the job's own
        assert await bench.launcher.pods(NAMESPACE, uid) == []

    async def test_a_deletion_that_means_another_one_does_nothing(self, bench: Bench) -> None:
        job, uid = await bench.launched("Invoices.render", 2026, 11)
        await bench.launcher.delete(NAMESPACE, job.kube_job, "another-kube-job")
        await bench.until("it has ended", lambda: bench.has_ended(uid))
        assert not bench.is_gone(uid)

    async def test_deleting_what_is_gone_is_no_error(self, bench: Bench) -> None:
        job, uid = await bench.launched("Invoices.render", 2026, 11)
        await bench.launcher.delete(NAMESPACE, job.kube_job, uid)
        await bench.launcher.delete(NAMESPACE, job.kube_job, uid)
        await bench.until("it is gone", lambda: bench.is_gone(uid))
        await bench.launcher.delete(NAMESPACE, job.kube_job, uid)

    async def test_its_name_is_free_again_when_it_is_gone(self, bench: Bench) -> None:
        job, uid = await bench.launched("Invoices.render", 2026, 11)
        await bench.launcher.delete(NAMESPACE, job.kube_job, uid)
        await bench.until("it is gone", lambda: bench.is_gone(uid))
        other = await bench.launcher.create(replace(job), bench.queue)
        assert other != uid

    async def test_one_that_is_being_deleted_is_not_taken_for_the_one_that_is_asked_for(self, bench: Bench) -> None:
        job, uid = await bench.running("Orders.stubborn", 600)
        await bench.launcher.delete(NAMESPACE, job.kube_job, uid)
        await bench.until("it is being deleted", lambda: (view := bench.last(uid)) is not None and view.deleting)
        with pytest.raises(LauncherObjectError):
            await bench.launcher.create(job, bench.queue)
        await bench.until("it is gone", lambda: bench.is_gone(uid))
        assert await bench.launcher.create(job, bench.queue) != uid

    async def test_a_pod_that_is_deleted_makes_room_for_another_one_of_its_kube_job(self, bench: Bench) -> None:
        job, uid = await bench.running("Orders.hold", 600)
        [pod] = await bench.launcher.pods(NAMESPACE, uid)
        await bench.launcher.delete_pod(NAMESPACE, pod.name, "another-pod")
        await bench.launcher.delete_pod(NAMESPACE, "another-pod", pod.uid)
        assert [one.uid for one in await bench.launcher.pods(NAMESPACE, uid) if not one.ended] == [pod.uid]
        await bench.launcher.delete_pod(NAMESPACE, pod.name, pod.uid)
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while {one.uid for one in await bench.launcher.pods(NAMESPACE, uid)} <= {pod.uid}:  # noqa: ASYNC110 - a watch of KubeJobs has no event for it
                await asyncio.sleep(0.1)
        found = await bench.launcher.find(NAMESPACE, job.kube_job)
        assert found is not None
        assert (found.uid, found.deleting, found.failure) == (uid, False, "")
        attempt = (await bench.store.attempts(await bench.record(job.id)))[0]
        assert (attempt.number, attempt.outcome) == (1, Outcome.DISRUPTED)
        await bench.launcher.delete_pod(NAMESPACE, pod.name, pod.uid)  # it is gone, which is no error

    @pytest.mark.parametrize("method", ["hold", "stubborn"])
    async def test_a_suspended_kube_job_has_no_pod_until_it_is_resumed(self, bench: Bench, method: str) -> None:
        job, uid = await bench.running(f"Orders.{method}", 600)
        await bench.launcher.suspend(NAMESPACE, job.kube_job, "another-kube-job", suspend=True)
        found = await bench.launcher.find(NAMESPACE, job.kube_job)
        assert found is not None
        assert not found.suspended

        await bench.store.suspend(job_id=job.id, by="ada", note="")
        for _ in range(2):  # twice is once
            await bench.launcher.suspend(NAMESPACE, job.kube_job, uid, suspend=True)
        await bench.until("it is suspended", lambda: (view := bench.last(uid)) is not None and view.suspended)
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while not all(pod.ended for pod in await bench.launcher.pods(NAMESPACE, uid)):  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.1)
        assert (await bench.store.suspended(job_id=job.id, kube_uid=uid, is_suspended="yes")).did == "noted"
        [attempt] = await bench.store.attempts(await bench.record(job.id))
        assert attempt.outcome == Outcome.DISRUPTED

        await bench.store.resume(job_id=job.id, by="ada", note="")
        await bench.launcher.suspend(NAMESPACE, job.kube_job, uid, suspend=False)
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while (await bench.record(job.id)).attempt < 2:  # noqa: ASYNC110 - the store has no event for it
                await asyncio.sleep(0.1)
        view = bench.last(uid)
        assert view is not None
        # It had no retry: what was interrupted is not charged.
        assert (view.suspended, view.failed, view.failure, view.deleting) == (False, 0, "", False)

    async def test_suspending_what_is_gone_is_no_error(self, bench: Bench) -> None:
        job, uid = await bench.launched("Invoices.render", 2026, 11)
        await bench.launcher.delete(NAMESPACE, job.kube_job, uid)
        await bench.until("it is gone", lambda: bench.is_gone(uid))
        await bench.launcher.suspend(NAMESPACE, job.kube_job, uid, suspend=True)

    async def test_a_watch_begins_with_what_is_there(self, bench: Bench) -> None:
        _, uid = await bench.launched("Invoices.render", 2026, 11)
        await bench.until("it has ended", lambda: bench.has_ended(uid))
        second = Bench(bench.launcher, bench.store, bench.queue)
        following = asyncio.create_task(second.follow())
        await second.until("all are listed", lambda: Listed(NAMESPACE) in second.events)
        following.cancel()
        await asyncio.wait({following})
        listed = second.events[: second.events.index(Listed(NAMESPACE))]
        assert [one.view.complete for one in listed if isinstance(one, Seen) and one.view.uid == uid] == [True]

    async def test_nothing_is_known_of_what_never_was(self, bench: Bench) -> None:
        assert await bench.launcher.pods(NAMESPACE, "nobody") == []
        assert await bench.launcher.complaint(NAMESPACE, "nobody") == ""
        assert await bench.launcher.events(NAMESPACE, "nobody") == []
        await bench.launcher.give_up_pod(NAMESPACE, "nobody", "nobody", "its node is away")
        glance = await bench.launcher.glance(NAMESPACE)
        assert (glance.waiting.get("nobody"), glance.complaints.get("nobody")) == (None, None)
