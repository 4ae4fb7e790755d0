"""What one step may change, and what it may not: the safety properties that span two moments (S1 to S7
of docs/safety.md).

`Witness` remembers what was promised and judges each step by what Redis held before and after it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bgjobs.vocabulary import OWNED, TERMINAL
from bgjobs_core.jobs import lifecycle
from bgjobs_core.store import keys
from tests.store import invariants

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from bgjobs_core.jobs.record import JobRecord
    from tests.store.contents import Contents

GONE = "gone"


def did(reply: Any) -> str:
    """What a verb says that it did."""
    return reply.did


@dataclass(frozen=True)
class Step:
    """One verb: its name, the job it is about ("" if none), Redis before and after, and what the caller was told."""

    verb: str
    job_id: str
    before: Contents
    after: Contents
    said: str


@dataclass
class Witness:
    """Remembers promises.

    Attributes:
        acknowledged: ids that an enqueue has confirmed and no retire has dropped (S3).
        cancelled: ids whose cancel was acknowledged (S4).
        suspended: ids whose suspension was acknowledged and has not been lifted.
        runs: for each id the UIDs of KubeJobs that `start` let pass (S2).
        ends: for each id how often it went to a terminal state (S1).
    """

    acknowledged: set[str] = field(default_factory=set[str])
    cancelled: set[str] = field(default_factory=set[str])
    suspended: set[str] = field(default_factory=set[str])
    runs: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    ends: dict[str, int] = field(default_factory=dict[str, int])

    def judge(self, step: Step) -> list[str]:
        """Everything that is wrong with a step."""
        before, after = step.before.jobs(), step.after.jobs()
        wrong = [*invariants.broken(step.after), *self._promises(step, after)]
        for job_id in sorted({*before, *after}):
            old, new = before.get(job_id), after.get(job_id)
            wrong += [f"{step.verb}: {job_id}: {words}" for words in self._change(step, job_id, old, new)]
        return wrong

    def _promises(self, step: Step, after: dict[str, JobRecord]) -> Iterator[str]:
        if step.verb == "enqueue" and step.said in {"created", "exists"}:
            self.acknowledged.add(step.job_id)
        if step.verb == "retire" and step.said == "retired" and step.job_id not in after:
            self._forget(step.job_id)
        if missing := self.acknowledged - set(after):
            yield f"S3: {missing} were acknowledged and are gone"

    def _forget(self, job_id: str) -> None:
        """A retired id may be used again: that is another job."""
        self.acknowledged.discard(job_id)
        self.cancelled.discard(job_id)
        self.suspended.discard(job_id)
        self.runs.pop(job_id, None)
        self.ends.pop(job_id, None)

    def _change(self, step: Step, job_id: str, old: JobRecord | None, new: JobRecord | None) -> Iterator[str]:
        source = old.state.value if old else lifecycle.NEW
        target = new.state.value if new else GONE
        if target not in {source, GONE} and not lifecycle.allowed(step.verb, source, target):
            yield f"went from {source} to {target}, which is no arrow of the life cycle"
        if target == GONE and not (step.verb == "retire" and old and old.state in TERMINAL):
            yield f"vanished from {source}"
        if source != target and new and new.state in TERMINAL:
            self.ends[job_id] = self.ends.get(job_id, 0) + 1
            if self.ends[job_id] > 1:
                yield "S1: ended twice"
        if old and new:
            yield from _same_job(step, old, new)

    def started(self, job_id: str, kube_uid: str) -> list[str]:
        """`start` said run."""
        wrong: list[str] = []
        uids = self.runs.setdefault(job_id, set())
        uids.add(kube_uid)
        if len(uids) > 1:
            wrong.append(f"S2: {job_id} was started in {uids}")
        if job_id in self.cancelled:
            wrong.append(f"S4: {job_id} was started after its cancel was acknowledged")
        if job_id in self.suspended:
            wrong.append(f"{job_id} was started though it is suspended")
        return wrong


def _same_job(step: Step, old: JobRecord, new: JobRecord) -> Iterator[str]:
    record, shared = keys.job(old.id), keys.spec(step.before.fields(keys.job(old.id))[b"spec"].decode())
    was, is_now = step.before.fields(record), step.after.fields(record)
    if old.state in TERMINAL and was != is_now:
        yield "S1: changed after its end"
    at_an_end = [keys.result(old.id), keys.progress(old.id), keys.checkpoint(old.id)]
    texts = [keys.payload(old.id), *(at_an_end if old.state in TERMINAL else [])]
    if any(step.before.value(text) != step.after.value(text) for text in texts):
        yield "S1: its parameters changed, or its result, progress or checkpoint did after its end"
    if {**step.before.fields(shared), b"jobs": b""} != {**step.after.fields(shared), b"jobs": b""}:
        yield "what it has in common with other jobs changed"
    if new.rev != old.rev + (was != is_now):
        yield f"rev went from {old.rev} to {new.rev}, the record {'changed' if was != is_now else 'did not change'}"
    if old.kube_uid and new.kube_uid != old.kube_uid:
        yield f"was bound to {old.kube_uid} and is bound to {new.kube_uid}"
    if new.attempt not in {old.attempt, old.attempt + (step.verb == "start")}:
        yield f"attempt went from {old.attempt} to {new.attempt}"
    if old.verdict and new.verdict != old.verdict:
        yield f"verdict went from {old.verdict} to {new.verdict}"
    slots = keys.owned(old.queue_key)
    if {old.state, new.state} <= OWNED and step.before.scores(slots)[old.id] != step.after.scores(slots)[old.id]:
        yield "holds its slot, and no longer since when it took it"
    for number in range(1, old.attempt + 1):
        name = keys.attempt(old.id, number)
        if b"ended_at" in step.before.fields(name) and step.before.fields(name) != step.after.fields(name):
            yield f"attempt {number} changed after its end"
    if new.state in TERMINAL and old.state not in TERMINAL and new.request_name:
        dirty = step.after.scores(keys.dirty(new.namespace))
        if new.id not in dirty:
            yield "ended, and its request will not hear of it"
