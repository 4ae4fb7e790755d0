"""The rules of the machine of verbs (`test_machine.py`) for bulks: they are begun, go on by steps, and are stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, rule

from bgjobs.ids import new_job_id
from bgjobs.vocabulary import BulkVerb
from bgjobs_core.jobs.bulk import MOST_OPEN, BulkOrder, BulkRecord, Cursor
from bgjobs_core.store import keys
from tests.store.builders import NAMESPACE
from tests.store.enqueue_rules import EnqueueRules
from tests.store.holding_rules import TWICE
from tests.store.safety import did

if TYPE_CHECKING:
    from collections.abc import Callable

    from bgjobs_core.jobs.record import NewJob

_OVER: Final = {b"done", b"stopped"}


class BulkRules(EnqueueRules):
    """What the machine adds to them: which epochs there were."""

    jobs: Bundle[Any] = Bundle("jobs")
    bulks: Bundle[Any] = Bundle("bulks")
    _epoch: Callable[[int], str]

    @rule(target=bulks, verb=st.sampled_from(BulkVerb), excepted=st.booleans(), twice=TWICE)
    def start_bulk(self, verb: BulkVerb, excepted: bool, twice: bool) -> str:
        key = self._do(
            "signing_key", "", lambda: self._store.signing_key(candidate="0" * 64), lambda _: "", twice=twice
        )
        assert key.found == "0" * 64
        order = BulkOrder(
            new_job_id(), NAMESPACE, verb, "{}", key.now, "ada", excepted=(new_job_id(),) if excepted else ()
        )
        open_ones = len(self._now.scores(keys.bulks_open(NAMESPACE)))
        reply = self._do(
            "start_bulk",
            "",
            lambda: self._store.start_bulk(bulk_id=order.id, namespace=NAMESPACE, fields=order.fields()),
            str,
            twice=twice and open_ones < MOST_OPEN - 1,  # the last one that there may be is refused when it comes again
        )
        assert reply == ("started" if open_ones < MOST_OPEN else "too_many")
        self._open_ones_are_known()
        return order.id

    @rule(
        bulk=bulks,
        job=jobs,
        led_ago=st.sampled_from([0, 0, 0, 1]),
        late=st.sampled_from([0, 0, 1]),
        is_over=st.sampled_from(["no", "no", "yes"]),
        twice=TWICE,
    )
    def advance_bulk(
        self, bulk: str, job: NewJob, led_ago: int, late: int, is_over: Literal["yes", "no"], twice: bool
    ) -> None:
        before = self._now
        fields = before.fields(keys.bulk(bulk))
        step = int(fields.get(b"step", b"0")) - late
        reply = self._do(
            "advance_bulk",
            "",
            lambda: self._store.advance_bulk(
                bulk_id=bulk, epoch=self._epoch(led_ago), step=step, cursor=Cursor().text(), taken=job.id,
                is_over=is_over, waits="", done=2, reasons={"skipped:ended": 3, "failure:odd": 1},
            ),
            did,
            twice=twice,
        )  # fmt: skip
        after = self._now.fields(keys.bulk(bulk))
        if reply.did in {"missing", "not_leader"} or late:
            assert before.differences(self._now) == []
            return
        assert int(after[b"done"]) == int(fields[b"done"]) + 2
        assert (reply.did == "stopped") == (fields[b"state"] == b"stopped")
        assert (b"taken" in after) == (reply.did == "running")
        if reply.did != "running":
            assert bulk not in self._now.scores(keys.bulks_open(NAMESPACE))
        self._open_ones_are_known()

    @rule(bulk=bulks, twice=TWICE)
    def stop_bulk(self, bulk: str, twice: bool) -> None:
        before = self._now
        reply = self._do("stop_bulk", "", lambda: self._store.stop_bulk(bulk_id=bulk, by="bo"), str, twice=twice)
        if reply != "stopped":
            assert before.differences(self._now) == []

    @rule(bulk=bulks, twice=TWICE)
    def drop_bulk(self, bulk: str, twice: bool) -> None:
        before = self._now
        reply = self._do(
            "drop_bulk", "", lambda: self._store.drop_bulk(bulk_id=bulk, namespace=NAMESPACE), str, twice=twice
        )
        assert (reply == "kept") == bool(before.fields(keys.bulk(bulk)))
        assert before.differences(self._now) == []

    def _open_ones_are_known(self) -> None:
        known, open_ones = (self._now.scores(key(NAMESPACE)) for key in (keys.bulks, keys.bulks_open))
        assert open_ones.keys() <= known.keys()
        assert len(open_ones) <= MOST_OPEN
        for bulk_id in known:
            record = BulkRecord.read(bulk_id, self._now.fields(keys.bulk(bulk_id)))
            assert record.id in open_ones or record.state.value.encode() in _OVER
