"""The rules of the machine of verbs (`test_machine.py`) for jobs that are held by what they are."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from hypothesis import strategies as st
from hypothesis.stateful import rule

from bgjobs_core.jobs.holds import JobHold, NewHold, which
from bgjobs_core.store import keys
from tests.store.builders import NAMESPACE
from tests.store.holding_rules import TWICE, HoldingRules

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.store.checked_store import Clock
    from tests.store.contents import Contents

HOLDS: Final = st.sampled_from([f"0192f0c1-2a3b-7c4d-8e5f-00000000001{number}" for number in range(3)])
# Of the class shop.jobs.Report, the method build; some jobs have the label.
PATTERNS: Final = st.sampled_from(["", "shop.*", "shop.jobs.Report", "shop.jobs.Report.build", "shop.jobs.Mail.*"])


class HoldRules(HoldingRules):
    """What the machine adds to them: its clock."""

    _clock: Clock

    @rule(
        hold=HOLDS,
        pattern=PATTERNS,
        customer=st.sampled_from([None, "8841", "8842"]),
        seconds=st.sampled_from([None, 4, 3000]),
        twice=TWICE,
    )
    def put_hold(self, hold: str, pattern: str, customer: str | None, seconds: int | None, twice: bool) -> None:
        before, there = self._now, self._now.fields(keys.holds(NAMESPACE))
        labels = {} if customer is None else {"customer": customer}
        new = NewHold(hold, NAMESPACE, pattern, labels, "ada", "why", None if seconds is None else seconds * 1000)
        did = self._do("put_hold", "", lambda: self._store.put_hold(new), str, twice=twice)
        if hold.encode() not in there:
            assert did == "put"
        else:
            assert did in {"same", "conflict"}
            assert before.differences(self._now) == []

    @rule(hold=HOLDS, twice=TWICE)
    def drop_hold(self, hold: str, twice: bool) -> None:
        there = self._now.fields(keys.holds(NAMESPACE))
        did = self._do(
            "drop_hold", "", lambda: self._store.drop_hold(namespace=NAMESPACE, hold_id=hold), str, twice=twice
        )
        assert did == ("dropped" if hold.encode() in there else "missing")

    @rule(limit=st.sampled_from([1, 3, 20]))
    def let_go(self, limit: int) -> None:
        before = self._now
        reply = self._do("let_go", "", lambda: self._store.let_go(limit=limit), lambda _: "", twice=False)
        back = [one for one, job in self._now.jobs().items() if job.hold != before.jobs()[one].hold]
        assert len(back) == reply.let_go <= limit
        assert reply.dropped == 0
        assert all(not self._now.jobs()[one].hold for one in back)
        over = [one for one, at in before.scores(keys.hold_ends()).items() if at <= reply.now]
        assert {before.jobs()[one].hold for one in back} <= {one.partition("/")[2] for one in over}
        if reply.more == "no":
            assert not {job.hold for job in self._now.jobs().values()} & {one.partition("/")[2] for one in over}

    @rule(limit=st.sampled_from([1, 3, 20]))
    def set_aside(self, limit: int) -> None:
        before = self._now
        reply = self._do("set_aside", "", lambda: self._store.set_aside(limit=limit), lambda _: "", twice=False)
        aside = [one for one, job in self._now.jobs().items() if job.hold != before.jobs()[one].hold]
        assert len(aside) == reply.aside <= limit
        assert set(aside) <= self._held(before, before.jobs())

    def _time(self) -> int:
        """The time of the store, as near as one can tell."""
        return round(time.time() * 1000) + self._clock()

    def _held(self, before: Contents, ids: Iterable[str]) -> set[str]:
        """Those of these jobs that are held, as Python says it."""
        now = self._time()
        there = before.fields(keys.holds(NAMESPACE))
        holds = [JobHold.read(NAMESPACE, one.decode(), raw) for one, raw in there.items()]
        return {one for one in ids if which(holds, before.jobs()[one], now) is not None}
