"""The rules of the machine of verbs (`test_machine.py`) by which jobs are stopped, told and dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, precondition, rule

from bgjobs.vocabulary import Outcome
from bgjobs_core.store import keys
from tests.store.bulk_rules import BulkRules
from tests.store.holding_rules import TWICE
from tests.store.safety import Witness, did

if TYPE_CHECKING:
    from bgjobs_core.jobs.record import NewJob
    from bgjobs_core.store.verbs import Verdict


class EndingRules(BulkRules):
    """What the machine adds to them: what it has seen."""

    jobs: Bundle[Any] = Bundle("jobs")
    _witness: Witness

    @rule(
        job=jobs,
        verdict=st.sampled_from(
            [
                Outcome.CANCELLED,
                Outcome.CANCELLED,
                Outcome.LOST,
                Outcome.DISRUPTED,
                Outcome.NEVER_STARTED,
            ]
        ),
        twice=TWICE,
    )
    def stop(self, job: NewJob, verdict: Verdict, twice: bool) -> None:
        reply = self._do(
            "stop",
            job.id,
            lambda: self._store.stop(job_id=job.id, verdict=verdict, by="ada", note="why"),
            did,
            twice=twice,
        )
        if reply.did in {"cancelled", "stopping"}:
            self._witness.cancelled.add(job.id)
        assert verdict != Outcome.CANCELLED or reply.did != "kept"

    @rule(job=jobs, stage=st.sampled_from(["kube_job", "record"]), twice=TWICE)
    def retire(self, job: NewJob, stage: Literal["kube_job", "record"], twice: bool) -> None:
        self._do("retire", job.id, lambda: self._store.retire(job_id=job.id, stage=stage), str, twice=twice)

    @precondition(lambda self: bool(self._now.scores(keys.ended("shop"))))
    @rule(twice=TWICE)
    def retire_everything_that_is_due(self, twice: bool) -> None:
        self._clock.forward(61)
        for job in self._now.jobs().values():
            self._do(
                "settled", job.id, lambda job=job: self._store.settled(job_id=job.id, rev=job.rev), str, twice=twice
            )
            for stage in ("kube_job", "record"):
                self._do(
                    "retire",
                    job.id,
                    lambda job=job, stage=stage: self._store.retire(job_id=job.id, stage=stage),
                    str,
                    twice=twice,
                )
        assert self._now.scores(keys.ended("shop")) == {}

    @rule(job=jobs, behind=st.integers(0, 1), twice=TWICE)
    def settled(self, job: NewJob, behind: int, twice: bool) -> None:
        record = self._now.jobs().get(job.id)
        rev = record.rev - behind if record else 1
        said = self._do("settled", job.id, lambda: self._store.settled(job_id=job.id, rev=rev), str, twice=twice)
        assert (said == "dirty") == (record is not None and behind == 1)
