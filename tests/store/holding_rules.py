"""The rules of the machine of verbs (`test_machine.py`) for jobs that are held, hastened and end in time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, rule

from bgjobs.vocabulary import TERMINAL, Phase, State
from bgjobs_core.store import keys
from tests.store import families
from tests.store.looking import NOTHING_DONE, looks
from tests.store.safety import did

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bgjobs_core.jobs.record import NewJob
    from bgjobs_core.store.store import Store
    from tests.store.contents import Contents
    from tests.store.safety import Witness

Answer = TypeVar("Answer")

TWICE: Final = st.booleans()
WHETHER: Final = st.sampled_from(["yes", "no"])


class HoldingRules(RuleBasedStateMachine):
    """What the machine adds to them: a store, what is in it now, who remembers promises, and how a verb is sent."""

    jobs: Bundle[Any] = Bundle("jobs")
    _store: Store
    _now: Contents
    _witness: Witness

    def _do(
        self,
        verb: str,
        job_id: str,
        send: Callable[[], Awaitable[Answer]],
        said: Callable[[Answer], str],
        *,
        twice: bool,
    ) -> Answer:
        raise NotImplementedError

    def _is_refused(self, send: Callable[[], Awaitable[object]]) -> bool:
        raise NotImplementedError

    @rule(
        job=jobs,
        pod=st.sampled_from(["pod-1", "pod-1", "pod-2", "pod-2", "pod-3"]),
        number=st.integers(1, 2),
        twice=TWICE,
    )
    def look(self, job: NewJob, pod: str, number: int, twice: bool) -> None:
        for verb, send in looks(self._store, job.id, f"kube-1-{pod}", number).items():
            before = self._now
            if not self._is_refused(send) and self._do(verb, job.id, send, str, twice=twice) in NOTHING_DONE:
                assert before.differences(self._now) == []

    @rule(job=jobs, generation=st.sampled_from([None, None, None, 2, 3]), twice=TWICE)
    def pause(self, job: NewJob, generation: int | None, twice: bool) -> None:
        before = self._now
        reply = self._do(
            "pause",
            job.id,
            lambda: self._store.pause(job_id=job.id, by="ada", note="why", generation=generation),
            did,
            twice=twice,
        )
        record = before.jobs().get(job.id)
        # A newer generation is noted also where it is too late to pause the job.
        may_be_noted = generation is not None and record is not None and record.state not in TERMINAL
        if reply.did != "paused" and not may_be_noted:
            assert before.differences(self._now) == []
        if reply.did in {"kept", "same"}:  # no more is noted than the generation
            assert before.jobs()[job.id].state == self._now.jobs()[job.id].state

    @rule(job=jobs, generation=st.sampled_from([None, None, None, 2, 3]), twice=TWICE)
    def resume(self, job: NewJob, generation: int | None, twice: bool) -> None:
        before = self._now
        reply = self._do(
            "resume",
            job.id,
            lambda: self._store.resume(job_id=job.id, by="bo", note="", generation=generation),
            did,
            twice=twice,
        )
        if reply.did in {"ended", "missing"} or (reply.did == "same" and generation is None):
            assert before.differences(self._now) == []
        record = self._now.jobs().get(job.id)
        if reply.did == "resumed":
            self._witness.suspended.discard(job.id)
            assert record is not None
            assert (record.paused_by, record.paused_at) == ("", None)

    @rule(job=jobs, twice=TWICE)
    def suspend(self, job: NewJob, twice: bool) -> None:
        before = self._now
        reply = self._do(
            "suspend", job.id, lambda: self._store.suspend(job_id=job.id, by="ada", note="why"), did, twice=twice
        )
        if reply.did == "suspending":
            self._witness.suspended.add(job.id)
        else:
            assert before.differences(self._now) == []

    @rule(
        job=jobs,
        kube=st.sampled_from(["kube-1", "kube-1", "kube-2"]),
        admitted=st.sampled_from(["no", "no", "yes", "still_no"]),
        twice=TWICE,
    )
    def observe_admission(
        self, job: NewJob, kube: str, admitted: Literal["yes", "no", "still_no"], twice: bool
    ) -> None:
        before = self._now
        reply = self._do(
            "observe_admission",
            job.id,
            lambda: self._store.observe_admission(job_id=job.id, kube_uid=kube, admitted=admitted, reason="no quota"),
            did,
            twice=twice,
        )
        record = self._now.jobs().get(job.id)
        if record is not None and record.state is State.LAUNCHED and record.kube_uid == kube:
            assert admitted == "still_no" or (record.kueue_at is not None) == (admitted == "no")
        if reply.did != "noted":
            assert before.differences(self._now) == []

    @rule(job=jobs, kube=st.sampled_from(["kube-1", "kube-1", "kube-2"]), is_suspended=WHETHER, twice=TWICE)
    def suspended(self, job: NewJob, kube: str, is_suspended: Literal["yes", "no"], twice: bool) -> None:
        before = self._now
        reply = self._do(
            "suspended",
            job.id,
            lambda: self._store.suspended(job_id=job.id, kube_uid=kube, is_suspended=is_suspended),
            did,
            twice=twice,
        )
        if reply.did != "noted":
            assert before.differences(self._now) == []
        elif is_suspended == "yes":
            assert self._now.jobs()[job.id].phase == Phase.SUSPENDED

    @rule(job=jobs, high=st.booleans(), how=st.sampled_from(["run_now", "set_priority", "note_rerun"]), twice=TWICE)
    def hasten(self, job: NewJob, high: bool, how: str, twice: bool) -> None:
        before = self._now

        async def send() -> str:
            if how == "run_now":
                return (await self._store.run_now(job_id=job.id, by="ada", note="")).did
            if how == "set_priority":
                return (await self._store.set_priority(job_id=job.id, priority=int(high), by="ada", note="")).did
            return await self._store.note_rerun(job_id=job.id, by="ada", new_id="another")

        if self._do(how, job.id, send, str, twice=twice) in {"same", "kept", "missing"}:
            assert before.differences(self._now) == []

    @rule(limit=st.sampled_from([1, 20]))
    def expire(self, limit: int) -> None:
        before = self._now
        reply = self._do("expire", "", lambda: self._store.expire(limit=limit), lambda _: "", twice=False)
        late = [one for one, by in before.scores(keys.start_by()).items() if by <= reply.now]
        assert (reply.expired, reply.dropped) == (min(limit, len(late)), 0)

    @rule(limit=st.sampled_from([1, 3, 20]))
    def unblock(self, limit: int) -> None:
        before = self._now
        reply = self._do("unblock", "", lambda: self._store.unblock(limit=limit), lambda _: "", twice=False)
        children = {name.rpartition(":")[2]: before.scores(name) for name in before.entries if ":children:" in name}
        untold = [
            child
            for parent, scores in children.items()
            if families.state_of(before, parent) in TERMINAL
            for child, told in scores.items()
            if told == 0
        ]
        # Whoever is cancelled by the first of several ends does not hear of the others.
        assert min(1, len(untold)) <= reply.told <= min(limit, len(untold))
        assert reply.dropped == 0
        if reply.more == "no":
            after = self._now.jobs()
            for one in after.values():
                if one.state is State.BLOCKED:
                    parents = [families.state_of(self._now, parent) for parent in families.ends(self._now, one)]
                    assert set(parents) - TERMINAL, "it waits, and all that it needs have ended"
