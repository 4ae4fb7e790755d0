"""All verbs in any order, by two leaders and several pods, each perhaps sent twice, the clock jumping, memory full.

Hypothesis looks for an order after which a promise of docs/safety.md does not hold (`safety.py`, `invariants.py`).
`pytest --hypothesis-profile=explore` looks elsewhere each time.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar, cast

from fakeredis import FakeAsyncRedis, FakeServer
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, initialize, precondition, rule, run_state_machine_as_test

from bgjobs.vocabulary import Outcome, Phase, State
from bgjobs_core.jobs.record import MAX_DISRUPTIONS
from bgjobs_core.redis import connection
from bgjobs_core.redis.errors import StoreFullError
from bgjobs_core.store import keys
from bgjobs_core.store.store import Store
from tests.store import contents
from tests.store.builders import NAMESPACE, a_queue
from tests.store.checked_store import Clock
from tests.store.ending_rules import EndingRules
from tests.store.enqueue_rules import QUEUES, queues
from tests.store.holding_rules import TWICE
from tests.store.safety import Step, Witness, did
from tests.store.turns import ForNow, in_lanes, in_turn, limits_from, slots_at

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from bgjobs_core.jobs.record import NewJob
    from bgjobs_core.redis.connection import Client
    from tests.store.contents import Contents
    from tests.store.servers import Servers

Answer = TypeVar("Answer")

# Half of the draws are what the real KubeJob and its pods would say, so that runs get far.
KUBES: Final = st.sampled_from(["kube-1", "kube-1", "kube-1", "kube-2"])
PODS: Final = st.sampled_from(["pod-1", "pod-1", "pod-2", "pod-2", "pod-3"])
SEEN_PHASES: Final = st.sampled_from([Phase.PENDING, Phase.UNREACHABLE, Phase.RUNNING, Phase.SUSPENDED])
_ENDS: Final = ["succeeded", "error", "error", "timed_out", "aborted", "rejected"]
OUTCOMES: Final = st.sampled_from([Outcome(word) for word in _ENDS])
# Mostly the leader, sometimes the one before, who does not know it yet, or somebody who never led.
# What a claim may write without claiming anything: which concurrency keys are at their limit.
TURNS: Final = tuple(keys.PREFIX + name for name in ("turns:", "closed:", "reopening:", "seq"))
LED_AGO: Final = st.sampled_from([0, 0, 0, 1, 9])


class Machine(EndingRules):
    """One Redis, and a `Witness` of what was promised."""

    jobs: Bundle[Any] = Bundle("jobs")

    def __init__(self, open_client: Callable[[], Client], *, can_be_full: bool) -> None:
        super().__init__()
        self._can_be_full, self._full = can_be_full, False
        self._loop = asyncio.Runner()
        self._client = open_client()
        self._clock = Clock()
        self._store = Store(self._client, self._clock)
        self._witness = Witness()
        self._epochs: list[str] = []
        self._wait_for(self._client.flushall())
        self._now: Contents = self._wait_for(contents.read(self._client))

    def teardown(self) -> None:
        """Hypothesis calls this after each run."""
        self.memory(full=False)
        self._wait_for(self._client.aclose())
        self._loop.close()

    def _wait_for(self, coroutine: Coroutine[Any, Any, Answer]) -> Answer:
        return self._loop.run(coroutine)

    def _do(
        self,
        verb: str,
        job_id: str,
        send: Callable[[], Awaitable[Answer]],
        said: Callable[[Answer], str],
        *,
        twice: bool,
    ) -> Answer:
        """Send a verb, perhaps again after a lost reply, and let the witness judge."""

        async def step() -> tuple[Answer, Contents]:
            return await send(), await contents.read(self._client)

        answer, after = self._wait_for(step())
        wrong = self._witness.judge(Step(verb, job_id, self._now, after, said(answer)))
        self._now = after
        assert wrong == [], wrong
        if twice:
            _, again = self._wait_for(step())
            assert after.differences(again) == [], f"{verb} did more when it came again"
        return answer

    @precondition(lambda self: self._can_be_full)
    @rule(full=st.booleans())
    def memory(self, full: bool) -> None:
        """At the limit everything but `enqueue` goes on, and of a `beat` nothing is kept."""
        if self._full != full:
            self._wait_for(self._client.config_set("maxmemory", int(full)))
        self._full = full

    def _is_refused(self, send: Callable[[], Awaitable[object]]) -> bool:
        """Whether a verb that only adds meets a full Redis; then it must not have written anything."""

        async def attempt() -> tuple[bool, Contents]:
            try:
                await send()
            except StoreFullError:
                return True, await contents.read(self._client)
            return False, await contents.read(self._client)

        if not self._full:
            return False
        refused, after = self._wait_for(attempt())
        assert self._now.differences(after) == [], "written to a full Redis"
        return refused

    # ------------------------------------------------------------------ leader and queues
    @initialize()
    def begin(self) -> None:
        for queue in QUEUES:
            self.settings(queue, 2, "uid-1", None, twice=False)
        self.lead()

    @rule()
    def lead(self) -> None:
        epoch = f"epoch-{len(self._epochs) + 1}"
        self._epochs.append(epoch)
        self._do("lead", "", lambda: self._store.lead(epoch), lambda _: "", twice=False)

    @rule(
        queue=queues,
        becomes=st.sampled_from([0, 1, 1, 2, 2, 3, 3, "paused", "dropped", (0, 4), (3, 4), (1, 3000)]),
        uid=st.sampled_from(["uid-1", "uid-1", "uid-1", "uid-2"]),
        of_key=st.sampled_from([None, 1, 1, 2]),
        twice=TWICE,
    )
    def settings(self, queue: str, becomes: int | str | ForNow, uid: str, of_key: int | None, twice: bool) -> None:
        key = f"{NAMESPACE}/{queue}"
        if becomes == "dropped":
            self._do("drop_queue", "", lambda: self._store.drop_queue(queue=key), str, twice=twice)
            return
        spec = a_queue(becomes if isinstance(becomes, int) else 2, paused=becomes == "paused")
        spec = spec.model_copy(update={"max_concurrent_per_key": of_key})
        limits = limits_from(self._time(), *becomes) if isinstance(becomes, tuple) else None
        self._do("put_queue", "", lambda: self._store.put_queue(key, spec, uid, limits=limits), str, twice=twice)

    def _epoch(self, led_ago: int) -> str:
        return self._epochs[-1 - led_ago] if led_ago < len(self._epochs) else "never led"

    @rule(seconds=st.sampled_from([-2, 1, 5, 40, 3700]))
    def time_passes(self, seconds: int) -> None:
        self._clock.forward(seconds)

    # ------------------------------------------------------------------- how it should go
    @rule(job=jobs, steps=st.integers(1, 3), pod=PODS, twice=TWICE)
    def goes_on(self, job: NewJob, steps: int, pod: str, twice: bool) -> None:
        """What comes next for a job, so that runs get beyond the first states."""
        for _ in range(steps):
            record = self._now.jobs().get(job.id)
            match record.state.value if record else "gone":
                case "scheduled":
                    self._clock.forward(6)
                    self.promote(200)
                case "queued":
                    self.claim(0, job.spec.queue, 3)
                case "launching":
                    self.bind(job, "kube-1", twice=twice)
                case "launched":
                    self.start(job, "kube-1", pod, twice=twice)
                case "stopping":
                    self.observe_end(job, record.kube_uid if record else "", "absent", twice=twice)
                case _:
                    return

    @rule(
        job=jobs,
        how=st.sampled_from([Outcome.SUCCEEDED, Outcome.ERROR, Outcome.ABORTED, "complete", "failed", "oom"]),
        twice=TWICE,
    )
    def ends(self, job: NewJob, how: Outcome | str, twice: bool) -> None:
        """The current attempt, or the KubeJob, comes to its end."""
        record = self._now.jobs().get(job.id)
        if record is None or not record.kube_uid:
            return
        if isinstance(how, Outcome):
            self._finish(job, record.fence, record.attempt, how, twice=twice)
        elif how == "oom":
            self._see_attempt(job, record.kube_uid, record.fence, twice=twice)
        else:
            self.observe_end(job, record.kube_uid, "complete" if how == "complete" else "failed", twice=twice)

    # -------------------------------------------------------------------------- dispatch
    @rule(limit=st.sampled_from([1, 200]))
    def promote(self, limit: int) -> None:
        before = self._now
        promoted = self._do("promote", "", lambda: self._store.promote(limit=limit), lambda _: "", twice=False)
        late = [one for one, due in before.scores(keys.due("shop")).items() if due <= promoted.now]
        assert promoted.promoted == min(limit, len(late))
        still = [one for one in self._now.scores(keys.due("shop")) if one not in late]
        assert len(still) == len(before.scores(keys.due("shop"))) - len(late), "S6: promoted before its time"

    @rule(led_ago=LED_AGO, queue=queues, limit=st.integers(1, 3))
    def claim(self, led_ago: int, queue: str, limit: int) -> None:
        before, key, epoch = self._now, f"{NAMESPACE}/{queue}", self._epoch(led_ago)
        claimed = self._do(
            "claim", "", lambda: self._store.claim(epoch=epoch, queue=key, limit=limit), lambda _: "", twice=False
        )

        assert (claimed.did == "not_leader") == (led_ago > 0)
        spec = before.fields(keys.queue(key))
        uid = spec.get(b"uid", b"").decode()
        most_of_key = int(spec.get(b"max_per_key", b"") or 0) or None
        ready = in_turn(before, key, uid, most_of_key)
        free = slots_at(spec, self._time()) - len(before.scores(keys.owned(key)))
        is_open = claimed.did != "not_leader" and spec.get(b"is_paused") == b"0"
        ended = [one for one, job in self._now.jobs().items() if job.state != before.jobs()[one].state]
        aside = [one for one, job in self._now.jobs().items() if job.hold != before.jobs()[one].hold]
        held = self._held(before, ready)
        assert not held & set(claimed.ids), "what is held was claimed"
        assert set(aside) - set(claimed.ids) <= held, "what is not held was set aside"
        expired = {one for one in ended if self._now.jobs()[one].state is State.CANCELLED}
        assert all(before.scores(keys.start_by())[one] <= self._now.jobs()[one].changed_at for one in expired)
        if not expired and not held:
            expected = ready[: max(0, min(limit, free))] if is_open else []
            assert list(claimed.ids) == expected, "S5, S6, or the order"
        if not ended and not aside:
            assert before.differences(self._now, besides=TURNS) == []

    @rule(queue=queues, uid=st.sampled_from(["uid-1", "uid-2"]), limit=st.integers(1, 3))
    def disown(self, queue: str, uid: str, limit: int) -> None:
        before, key = self._now, f"{NAMESPACE}/{queue}"
        reply = self._do(
            "disown",
            "",
            lambda: self._store.disown(queue=key, uid=uid, reason="gone", limit=limit),
            lambda _: "",
            twice=False,
        )
        settings = before.fields(keys.queue(key))
        is_there = settings.get(b"uid", b"").decode() == uid
        assert (reply.did == "kept") == is_there, "jobs of a queue that is there were ended, or others kept"
        waiting = in_lanes(before, key, uid)
        assert reply.found == (0 if is_there else min(limit, len(waiting)))

    @rule(job=jobs, led_ago=LED_AGO, back_to=st.sampled_from([State.SCHEDULED, State.FAILED]), twice=TWICE)
    def decline(self, job: NewJob, led_ago: int, back_to: Literal[State.SCHEDULED, State.FAILED], twice: bool) -> None:
        before, epoch = self._now, self._epoch(led_ago)
        reply = self._do(
            "decline",
            job.id,
            lambda: self._store.decline(epoch=epoch, job_id=job.id, target=back_to, back_off_ms=1000, reason="quota"),
            did,
            twice=twice,
        )
        assert (reply.did == "not_leader") == (led_ago > 0)
        if reply.did != "declined":
            assert before.differences(self._now) == []

    @rule(job=jobs, kube=KUBES, twice=TWICE)
    def bind(self, job: NewJob, kube: str, twice: bool) -> None:
        reply = self._do("bind", job.id, lambda: self._store.bind(job_id=job.id, kube_uid=kube), did, twice=twice)
        record = self._now.jobs().get(job.id)
        assert (reply.did == "bound") == (record is not None and record.kube_uid == kube and bool(record.claimed_at))

    # ----------------------------------------------------------------------- the runner
    @rule(job=jobs, kube=KUBES, pod=PODS, after=st.sampled_from([None, None, 1, 2]), twice=TWICE)
    def start(self, job: NewJob, kube: str, pod: str, twice: bool, after: int | None = None) -> None:
        pod = f"{kube}-{pod}"
        started = self._do(
            "start",
            job.id,
            lambda: self._store.start(job_id=job.id, kube_uid=kube, pod_uid=pod, pod_name=pod, after=after),
            lambda one: one.action,
            twice=twice,
        )
        if started.action == "run":
            assert self._witness.started(job.id, kube) == []
            record = self._now.jobs()[job.id]
            assert (record.fence, record.attempt, record.kube_uid) == (pod, started.attempt, kube)
            beside = record.suspensions + record.preemptions
            assert record.attempt <= job.spec.max_retries + 1 + MAX_DISRUPTIONS + beside, "S7"

    @rule(job=jobs, new_pods=st.integers(3, 9))
    def many_disruptions(self, job: NewJob, new_pods: int) -> None:
        for number in range(new_pods):
            self.start(job, "kube-1", f"pod-{len(self._now.entries)}-{number}", twice=False)

    @rule(
        job=jobs,
        pod=PODS,
        attempt=st.integers(1, 2),
        offset=st.sampled_from([0, 10, 50]),
        checkpoint=st.sampled_from(["", '{"row":1}', "null"]),
        twice=TWICE,
    )
    def beat(self, job: NewJob, pod: str, attempt: int, offset: int, checkpoint: str, twice: bool) -> None:
        before, pod = self._now, f"kube-1-{pod}"
        chunk = (offset, 10, b"packed")

        async def send() -> tuple[str, int, str]:
            return await self._store.beat(
                job_id=job.id,
                pod_uid=pod,
                attempt=attempt,
                chunk=chunk,
                progress='{"done":1}',
                checkpoint=checkpoint,
                keep_seconds=600,
            )

        assert not self._is_refused(send), "a beat is answered also when Redis is full"
        action, _, _ = self._do("beat", job.id, send, lambda one: one[0], twice=twice)
        record = self._now.jobs().get(job.id)
        if record is None or (record.fence, record.attempt) != (pod, attempt):
            assert action == "go_away"
        if action == "go_away":
            assert before.differences(self._now) == []
        if job.id in self._witness.cancelled:
            assert action != "continue"

    @rule(
        job=jobs,
        pod=PODS,
        attempt=st.integers(1, 2),
        outcome=OUTCOMES,
        twice=TWICE,
    )
    def finish(self, job: NewJob, pod: str, attempt: int, outcome: Outcome, twice: bool) -> None:
        self._finish(job, f"kube-1-{pod}", attempt, outcome, twice=twice)

    @rule(job=jobs, outcome=st.sampled_from([Outcome.ERROR, Outcome.DISRUPTED]), times=st.integers(1, 4))
    def a_series(self, job: NewJob, outcome: Outcome, times: int) -> None:
        """The current pod goes on, again and again."""
        for _ in range(times):
            record = self._now.jobs().get(job.id)
            if record is None or not record.fence:
                return
            kube, fence, attempt = record.kube_uid, record.fence, record.attempt
            self._finish(job, fence, attempt, outcome, twice=False, retry_ms=1000)
            self.start(job, kube, fence.removeprefix(f"{kube}-"), twice=False, after=attempt)

    def _finish(
        self, job: NewJob, pod: str, attempt: int, outcome: Outcome, *, twice: bool, retry_ms: int | None = None
    ) -> None:
        before = self._now
        reply = self._do(
            "finish",
            job.id,
            lambda: self._store.finish(
                job_id=job.id,
                pod_uid=pod,
                attempt=attempt,
                outcome=outcome,
                failure="{}",
                result="7",
                exit_code=1,
                checkpoint='{"row":2}',
                retry_ms=retry_ms,
            ),
            did,
            twice=twice,
        )
        record = before.jobs().get(job.id)
        if record is None or record.fence != pod or record.attempt != attempt:
            assert before.differences(self._now) == [], f"the fence did not hold: {reply}"

    # --------------------------------------------------------------------- the observer
    @rule(
        job=jobs,
        kube=st.sampled_from(["kube-1", "kube-1", "kube-2", ""]),
        what=st.sampled_from(["complete", "failed", "absent", "absent"]),
        twice=TWICE,
    )
    def observe_end(self, job: NewJob, kube: str, what: Literal["complete", "failed", "absent"], twice: bool) -> None:
        before = self._now
        reply = self._do(
            "observe_end",
            job.id,
            lambda: self._store.observe_end(
                job_id=job.id, kube_uid=kube, what=what, outcome=Outcome.ERROR, reason="seen"
            ),
            did,
            twice=twice,
        )
        record = before.jobs().get(job.id)
        if record is None or record.kube_uid != kube:
            assert reply.did in {"stray", "missing"}
        if reply.did != "moved":
            assert before.differences(self._now) == []

    @rule(job=jobs, kube=KUBES, pod=PODS, twice=TWICE)
    def observe_attempt(self, job: NewJob, kube: str, pod: str, twice: bool) -> None:
        self._see_attempt(job, kube, f"kube-1-{pod}", twice=twice)

    def _see_attempt(self, job: NewJob, kube: str, pod: str, *, twice: bool) -> None:
        self._do(
            "observe_attempt",
            job.id,
            lambda: self._store.observe_attempt(
                job_id=job.id, kube_uid=kube, pod_uid=pod, outcome=Outcome.OOM_KILLED, exit_code=137, failure="{}"
            ),
            did,
            twice=twice,
        )

    @rule(job=jobs, kube=KUBES, phase=SEEN_PHASES, twice=TWICE)
    def observe_phase(self, job: NewJob, kube: str, phase: Phase, twice: bool) -> None:
        self._do(
            "observe_phase",
            job.id,
            lambda: self._store.observe_phase(job_id=job.id, kube_uid=kube, phase=phase, reason="words"),
            did,
            twice=twice,
        )


def test_no_order_of_verbs_breaks_a_promise(backend: str, servers: Servers) -> None:
    def open_client() -> Client:
        if backend == "fakeredis":
            return FakeAsyncRedis(server=FakeServer())
        return connection.connect(servers.url(backend))

    # The same runs on each; Valkey is the fastest, so it has the most.
    examples = {"valkey": 80, "redis": 15, "fakeredis": 15}[backend]
    machine = cast("type[Machine]", lambda: Machine(open_client, can_be_full=backend != "fakeredis"))
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=40,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
        ),
    )
