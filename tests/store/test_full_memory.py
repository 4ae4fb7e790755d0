"""When Redis is at its memory limit: nothing new comes in, and everything that frees memory goes on.

On real servers alone: fakeredis has no memory limit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bgjobs.ids import new_job_id
from bgjobs.vocabulary import OnParentFailure, Outcome, Phase, State
from bgjobs_core.health.operator_report import OperatorReport
from bgjobs_core.jobs.holds import NewHold
from bgjobs_core.jobs.schedule_record import ScheduleRecord
from bgjobs_core.redis.errors import StoreFullError
from bgjobs_core.store import keys
from tests.store import contents
from tests.store.builders import QUEUE_KEY, a_job, a_queue
from tests.store.life import EPOCH, KUBE, POD, Life
from tests.store.servers import REAL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from bgjobs_core.redis.connection import Client
    from tests.store.checked_store import CheckedStore, Clock

pytestmark = pytest.mark.parametrize("backend", REAL, indirect=True)


class Memory:
    """The server's limit."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def fill(self) -> None:
        """From now on no byte is free."""
        await self._client.config_set("maxmemory", 1)

    async def free(self) -> None:
        """There is no limit."""
        await self._client.config_set("maxmemory", 0)


@pytest.fixture
async def memory(client: Client) -> AsyncIterator[Memory]:
    """Freed again after the test: the server is the whole run's."""
    limit = Memory(client)
    yield limit
    await limit.free()


async def test_enqueue_is_refused_and_writes_nothing(store: CheckedStore, client: Client, memory: Memory) -> None:
    known = a_job().build()
    await store.enqueue(known)
    await memory.fill()
    before = await contents.read(client)

    for job in (a_job(), a_job().high(), a_job().delayed(60), a_job().of_request()):
        with pytest.raises(StoreFullError, match="nothing was written"):
            await store.enqueue(job.build())

    assert before.differences(await contents.read(client)) == []
    # What was acknowledged is acknowledged again.
    assert (await store.enqueue(known))[:2] == ("exists", "queued")
    await memory.free()
    assert (await store.enqueue(a_job().build())).did == "created"


async def _finish(store: CheckedStore, life: Life) -> Callable[[], Awaitable[object]]:
    job = await life.running()
    return lambda: store.finish(
        job_id=job.id, pod_uid=POD, attempt=1, outcome=Outcome.SUCCEEDED, failure="", result='{"rows":1}', exit_code=0
    )


async def _finish_with_error(store: CheckedStore, life: Life) -> Callable[[], Awaitable[object]]:
    job = await life.running()
    return lambda: store.finish(
        job_id=job.id, pod_uid=POD, attempt=1, outcome=Outcome.ERROR, failure='{"type":"E"}', result="", exit_code=1
    )


async def _finish_with_a_checkpoint(store: CheckedStore, life: Life) -> Callable[[], Awaitable[object]]:
    job = await life.running()
    return lambda: store.finish(
        job_id=job.id,
        pod_uid=POD,
        attempt=1,
        outcome=Outcome.ERROR,
        failure='{"type":"E"}',
        result="",
        exit_code=1,
        checkpoint='{"row":1}',
    )


async def _stop_waiting(store: CheckedStore, life: Life) -> Callable[[], Awaitable[object]]:
    job = await life.enqueued()
    return lambda: store.stop(job_id=job.id, verdict=Outcome.CANCELLED, by="ada", note="note")


async def _stop_running(store: CheckedStore, life: Life) -> Callable[[], Awaitable[object]]:
    job = await life.running()
    return lambda: store.stop(job_id=job.id, verdict=Outcome.CANCELLED, by="ada", note="note")


async def _observe_end(store: CheckedStore, life: Life) -> Callable[[], Awaitable[object]]:
    job = await life.running()
    return lambda: store.observe_end(job_id=job.id, kube_uid=KUBE, what="failed", outcome=Outcome.ERROR, reason="words")


async def _observe_absence(store: CheckedStore, life: Life) -> Callable[[], Awaitable[object]]:
    job = await life.in_state("stopping")
    return lambda: store.observe_end(job_id=job.id, kube_uid=KUBE, what="absent", reason="")


async def _observe_attempt(store: CheckedStore, life: Life) -> Callable[[], Awaitable[object]]:
    job = await life.running()
    return lambda: store.observe_attempt(
        job_id=job.id, kube_uid=KUBE, pod_uid=POD, outcome=Outcome.OOM_KILLED, exit_code=137, failure='{"type":"E"}'
    )


async def _observe_phase(store: CheckedStore, life: Life) -> Callable[[], Awaitable[object]]:
    job = await life.launched()
    return lambda: store.observe_phase(job_id=job.id, kube_uid=KUBE, phase=Phase.PENDING, reason="words")


async def _observe_admission(store: CheckedStore, life: Life) -> Callable[[], Awaitable[object]]:
    job = await life.running()
    return lambda: store.observe_admission(job_id=job.id, kube_uid=KUBE, admitted="no", reason="words")


async def _decline_to_scheduled(store: CheckedStore, life: Life) -> Callable[[], Awaitable[object]]:
    job = await life.launching()
    return lambda: store.decline(epoch=EPOCH, job_id=job.id, target=State.SCHEDULED, back_off_ms=1000, reason="quota")


async def _decline_to_failed(store: CheckedStore, life: Life) -> Callable[[], Awaitable[object]]:
    job = await life.launching()
    return lambda: store.decline(epoch=EPOCH, job_id=job.id, target=State.FAILED, back_off_ms=0, reason="manifest")


async def _promote(store: CheckedStore, life: Life) -> Callable[[], Awaitable[object]]:
    await life.enqueued(a_job().delayed(60))
    life.clock.forward(61)
    return store.promote


async def _claim(store: CheckedStore, life: Life) -> Callable[[], Awaitable[object]]:
    await life.leader()
    await life.enqueued()
    return lambda: store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=1)


async def _bind(store: CheckedStore, life: Life) -> Callable[[], Awaitable[object]]:
    job = await life.launching()
    return lambda: store.bind(job_id=job.id, kube_uid=KUBE)


async def _start_first(store: CheckedStore, life: Life) -> Callable[[], Awaitable[object]]:
    job = await life.launched()
    return lambda: store.start(job_id=job.id, kube_uid=KUBE, pod_uid=POD, pod_name="")


async def _start_unbound(store: CheckedStore, life: Life) -> Callable[[], Awaitable[object]]:
    job = await life.launching()
    return lambda: store.start(job_id=job.id, kube_uid=KUBE, pod_uid=POD, pod_name="")


async def _start_next(store: CheckedStore, life: Life) -> Callable[[], Awaitable[object]]:
    job = await life.running(a_job().of_request())
    return lambda: store.start(job_id=job.id, kube_uid=KUBE, pod_uid="pod-2", pod_name="")


async def _start_in_series(store: CheckedStore, life: Life) -> Callable[[], Awaitable[object]]:
    job = await life.running(a_job().of_request())
    await life.attempt_failed(job, POD)
    return lambda: store.start(job_id=job.id, kube_uid=KUBE, pod_uid=POD, pod_name="", after=1)


async def _lead(store: CheckedStore, life: Life) -> Callable[[], Awaitable[object]]:
    return lambda: store.lead("epoch-2")


async def _pause_queue(store: CheckedStore, life: Life) -> Callable[[], Awaitable[object]]:
    await life.leader()
    return lambda: store.put_queue(QUEUE_KEY, a_queue(paused=True))


async def _put_schedule(store: CheckedStore, life: Life) -> Callable[[], Awaitable[object]]:
    return lambda: store.put_schedule(ScheduleRecord("shop", "nightly", "{}"))


async def _wish(store: CheckedStore, life: Life) -> Callable[[], Awaitable[object]]:
    await store.put_schedule(ScheduleRecord("shop", "nightly", "{}"))
    return lambda: store.schedule_wish(schedule="shop/nightly", suspend="1", by="ada")


async def _drop_schedule(store: CheckedStore, life: Life) -> Callable[[], Awaitable[object]]:
    await store.put_schedule(ScheduleRecord("shop", "nightly", "{}"))
    return lambda: store.drop_schedule(schedule="shop/nightly")


async def _drop_queue(store: CheckedStore, life: Life) -> Callable[[], Awaitable[object]]:
    await life.leader()
    return lambda: store.drop_queue(queue=QUEUE_KEY)


async def _settled(store: CheckedStore, life: Life) -> Callable[[], Awaitable[object]]:
    job = await life.ended(a_job().of_request())
    return lambda: store.settled(job_id=job.id, rev=job.rev)


async def _report(store: CheckedStore, life: Life) -> Callable[[], Awaitable[object]]:
    await store.lead(EPOCH)
    return lambda: store.report(OperatorReport("0.1.0", "op-1", 0), EPOCH)


async def _retire_kube_job(store: CheckedStore, life: Life) -> Callable[[], Awaitable[object]]:
    job = await life.ended()
    return lambda: store.retire(job_id=job.id, stage="kube_job")


async def _retire_record(store: CheckedStore, life: Life) -> Callable[[], Awaitable[object]]:
    job = await life.ended()
    await store.retire(job_id=job.id, stage="kube_job")
    life.clock.forward(3601)
    return lambda: store.retire(job_id=job.id, stage="record")


async def _unblock(store: CheckedStore, life: Life) -> Callable[[], Awaitable[object]]:
    child = await life.in_state("blocked")
    (parent,) = (await store.family(child)).parents
    await store.stop(job_id=parent.id, verdict=Outcome.CANCELLED, by="ada", note="")
    return store.unblock


async def _unblock_to_run(store: CheckedStore, life: Life) -> Callable[[], Awaitable[object]]:
    child = await life.in_state("blocked", a_job().but(on_parent_failure=OnParentFailure.RUN))
    (parent,) = (await store.family(child)).parents
    await store.stop(job_id=parent.id, verdict=Outcome.CANCELLED, by="ada", note="")
    return store.unblock


async def _stop_parent(store: CheckedStore, life: Life) -> Callable[[], Awaitable[object]]:
    child = await life.in_state("blocked")
    (parent,) = (await store.family(child)).parents
    return lambda: store.stop(job_id=parent.id, verdict=Outcome.CANCELLED, by="ada", note="")


async def _suspend(store: CheckedStore, life: Life) -> Callable[[], Awaitable[object]]:
    job = await life.running()
    return lambda: store.suspend(job_id=job.id, by="ada", note="note")


async def _suspended(store: CheckedStore, life: Life) -> Callable[[], Awaitable[object]]:
    job = await life.running()
    await store.suspend(job_id=job.id, by="ada", note="note")
    return lambda: store.suspended(job_id=job.id, kube_uid=KUBE, is_suspended="yes")


async def _resume(store: CheckedStore, life: Life) -> Callable[[], Awaitable[object]]:
    job = await life.running()
    await store.suspend(job_id=job.id, by="ada", note="note")
    return lambda: store.resume(job_id=job.id, by="ada", note="")


def _a_hold() -> NewHold:
    return NewHold(new_job_id(), "shop", "shop.jobs.*", {}, "ada", "why")


async def _put_hold(store: CheckedStore, life: Life) -> Callable[[], Awaitable[object]]:
    return lambda: store.put_hold(_a_hold())


async def _drop_hold(store: CheckedStore, life: Life) -> Callable[[], Awaitable[object]]:
    hold = _a_hold()
    await store.put_hold(hold)
    return lambda: store.drop_hold(namespace="shop", hold_id=hold.id)


async def _claim_what_is_held(store: CheckedStore, life: Life) -> Callable[[], Awaitable[object]]:
    await life.leader()
    await life.enqueued()
    await store.put_hold(_a_hold())
    return lambda: store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=1)


async def _set_aside(store: CheckedStore, life: Life) -> Callable[[], Awaitable[object]]:
    await life.leader()
    await store.put_hold(_a_hold())
    for _ in range(3):
        await life.enqueued()
    await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=1)
    return store.set_aside


async def _let_go(store: CheckedStore, life: Life) -> Callable[[], Awaitable[object]]:
    hold = _a_hold()
    await life.leader()
    await life.enqueued()
    await store.put_hold(hold)
    await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=1)
    await store.drop_hold(namespace="shop", hold_id=hold.id)
    return store.let_go


GOES_ON = {
    "put a hold": _put_hold,
    "drop a hold": _drop_hold,
    "claim of what is held": _claim_what_is_held,
    "set aside": _set_aside,
    "let go": _let_go,
    "finish": _finish,
    "finish with an error": _finish_with_error,
    "finish with a checkpoint": _finish_with_a_checkpoint,
    "stop of a waiting job": _stop_waiting,
    "stop of a running job": _stop_running,
    "observe an end": _observe_end,
    "observe that nothing is left": _observe_absence,
    "observe a dead pod": _observe_attempt,
    "observe a phase": _observe_phase,
    "observe a pre-emption": _observe_admission,
    "decline to scheduled": _decline_to_scheduled,
    "decline to failed": _decline_to_failed,
    "promote": _promote,
    "unblock": _unblock,
    "unblock, and run": _unblock_to_run,
    "end a job that others need": _stop_parent,
    "claim": _claim,
    "bind": _bind,
    "start": _start_first,
    "start before the bind": _start_unbound,
    "start of the next attempt": _start_next,
    "suspend": _suspend,
    "see to a suspension": _suspended,
    "resume what is suspended": _resume,
    "start of the next attempt in the same pod": _start_in_series,
    "lead": _lead,
    "pause a queue": _pause_queue,
    "drop a queue": _drop_queue,
    "put a schedule": _put_schedule,
    "wish": _wish,
    "drop a schedule": _drop_schedule,
    "settled": _settled,
    "report": _report,
    "retire the KubeJob": _retire_kube_job,
    "retire the record": _retire_record,
}


@pytest.mark.parametrize("arrange", GOES_ON.values(), ids=GOES_ON)
async def test_everything_else_goes_on(
    store: CheckedStore,
    client: Client,
    life: Life,
    memory: Memory,
    arrange: Callable[[CheckedStore, Life], Awaitable[Callable[[], Awaitable[object]]]],
) -> None:
    act = await arrange(store, life)
    before = await contents.read(client)
    await memory.fill()

    await act()

    assert before.differences(await contents.read(client)) != []


async def test_memory_comes_back_by_retiring(
    store: CheckedStore, client: Client, clock: Clock, life: Life, memory: Memory
) -> None:
    """The whole way out of a full Redis, at the limit all the time: what runs ends, and what has ended goes."""
    job = await life.running(a_job().with_parameters(f'["{"x" * 200_000}"]'))
    await memory.fill()
    used = await _used(client)

    await store.finish(
        job_id=job.id, pod_uid=POD, attempt=1, outcome=Outcome.SUCCEEDED, failure="", result="", exit_code=0
    )
    await store.retire(job_id=job.id, stage="kube_job")
    clock.forward(3601)
    assert await store.retire(job_id=job.id, stage="record") == "retired"

    assert await _used(client) < used - 150_000


async def test_what_open_jobs_need_is_put_behind_what_can_go(
    store: CheckedStore, client: Client, clock: Clock, life: Life, memory: Memory
) -> None:
    """Or nothing would go any more in a namespace with very many of them, and memory would stay full."""
    parent = await life.ended()
    await store.enqueue(a_job().but(needs=(parent.id,), delay_seconds=100_000).build())
    await store.retire(job_id=parent.id, stage="kube_job")
    clock.forward(3601)
    due = await client.zscore(keys.expiring("shop"), parent.id)
    await memory.fill()

    assert await store.retire(job_id=parent.id, stage="record") == "kept"

    later = await client.zscore(keys.expiring("shop"), parent.id)
    assert due is not None
    assert later is not None
    assert later >= due + 600_000


async def _used(client: Client) -> int:
    """Bytes of all keys. What the server has in use besides grows when it meets a script for the first time."""
    return sum([await client.memory_usage(name, samples=0) or 0 async for name in client.scan_iter()])


BROUGHT: dict[str, dict[str, Any]] = {
    "nothing": {"chunk": None, "progress": ""},
    "log": {"chunk": (0, 9, b"packed"), "progress": ""},
    "progress": {"chunk": None, "progress": '{"done":1}'},
    "checkpoint": {"chunk": None, "progress": "", "checkpoint": '{"row":1}'},
    "both": {"chunk": (0, 9, b"packed"), "progress": '{"done":1}'},
}


@pytest.mark.parametrize("brought", BROUGHT.values(), ids=BROUGHT)
async def test_a_beat_is_answered_though_nothing_of_it_is_kept(
    store: CheckedStore, client: Client, life: Life, memory: Memory, brought: dict[str, Any]
) -> None:
    """The order to stop, and the one to go away, arrive whatever else the runner has to say."""
    job = await life.running()
    kept = "yes" if brought == BROUGHT["nothing"] else "no"

    async def beat(pod: str = POD) -> tuple[str, int, str]:
        return await store.beat(job_id=job.id, pod_uid=pod, attempt=1, keep_seconds=600, **brought)

    await memory.fill()
    before = await contents.read(client)
    assert await beat() == ("continue", 0, kept)
    assert await beat("another") == ("go_away", 0, "yes")
    assert before.differences(await contents.read(client)) == []
    await store.stop(job_id=job.id, verdict=Outcome.CANCELLED, by="ada", note="")
    assert await beat() == ("stop", 0, kept)
    await memory.free()
    assert await beat() == ("stop", 9 if brought["chunk"] else 0, "yes")
    assert (await store.there(job.id)).progress == brought["progress"].encode()
    assert await store.checkpoint(job.id) == brought.get("checkpoint", "").encode()


async def test_the_next_piece_of_a_log_waits_for_room(store: CheckedStore, life: Life, memory: Memory) -> None:
    job = await life.running()

    async def beat(offset: int) -> tuple[str, int, str]:
        chunk = (offset, 10, b"packed")
        return await store.beat(
            job_id=job.id, pod_uid=POD, attempt=1, chunk=chunk, progress='{"done":2}', keep_seconds=600
        )

    assert await beat(0) == ("continue", 10, "yes")
    await memory.fill()
    assert await beat(10) == ("continue", 10, "no")
    assert len(await store.log_chunks(job.id, 1)) == 1
    await memory.free()
    assert await beat(10) == ("continue", 20, "yes")
    assert len(await store.log_chunks(job.id, 1)) == 2


async def test_stacks_wait_for_room_too(store: CheckedStore, client: Client, life: Life, memory: Memory) -> None:
    job, other = await life.running(), await life.running()
    await store.ask_stack(job_id=job.id)
    before = await contents.read(client)
    await memory.fill()

    with pytest.raises(StoreFullError):
        await store.ask_stack(job_id=other.id)
    with pytest.raises(StoreFullError):
        await store.keep_stack(job_id=job.id, pod_uid=POD, attempt=1, number=1, words="in main")

    assert before.differences(await contents.read(client)) == []
    await memory.free()
    assert await store.keep_stack(job_id=job.id, pod_uid=POD, attempt=1, number=1, words="in main") == "recorded"
