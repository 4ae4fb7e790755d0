"""What a bulk does with a job, by its state and its times: the whole table."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from bgjobs.bulk import SENTENCES, WORDS
from bgjobs.vocabulary import BulkVerb, Phase, State, WhySkipped
from bgjobs_core.jobs.bulk import BulkOrder, Cursor, judge, was_there, why_not
from tests.store.builders import a_job

if TYPE_CHECKING:
    from bgjobs_core.jobs.record import JobRecord

AS_OF = 1_000_000
YES = None
# For each verb: blocked, scheduled, queued, paused, launching, launched, suspended, stopping, ended.
TABLE: dict[BulkVerb, tuple[str | None, ...]] = {
    BulkVerb.CANCEL: (YES, YES, YES, YES, YES, YES, YES, "already", "ended"),
    BulkVerb.PAUSE: (YES, YES, YES, "already", "started", "started", "started", "stopping", "ended"),
    BulkVerb.SUSPEND: (*["not_started"] * 5, YES, "already", "stopping", "ended"),
    BulkVerb.RESUME: (*["not_held"] * 3, YES, "not_held", "not_held", YES, "stopping", "ended"),
    BulkVerb.RUN_NOW: ("held", YES, "already", "held", "started", "started", "started", "stopping", "ended"),
    BulkVerb.RERUN: (*["not_ended"] * 8, YES),
}
STATES = (
    (State.BLOCKED, ""), (State.SCHEDULED, ""), (State.QUEUED, ""), (State.PAUSED, ""), (State.LAUNCHING, ""),
    (State.LAUNCHED, Phase.RUNNING), (State.LAUNCHED, Phase.SUSPENDED), (State.STOPPING, Phase.ENDING),
    (State.FAILED, ""),
)  # fmt: skip


def record(**fields: Any) -> JobRecord:
    """A job that was enqueued before the preview, a minute ago."""
    known: dict[str, Any] = {
        "created_at": AS_OF - 60_000,
        "changed_at": AS_OF - 50_000,
        "rev": 3,
        "state": State.QUEUED,
    }
    return replace(a_job().build().as_created(State.QUEUED, AS_OF), **(known | fields))


def order(verb: BulkVerb) -> BulkOrder:
    """What was previewed."""
    return BulkOrder("id", "shop", verb, "{}", AS_OF, "ada")


@pytest.mark.parametrize("verb", BulkVerb)
def test_the_table(verb: BulkVerb) -> None:
    assert tuple(why_not(verb, state, phase) for state, phase in STATES) == TABLE[verb]
    assert {why_not(verb, state) for state in (State.SUCCEEDED, State.FAILED, State.CANCELLED)} == {TABLE[verb][-1]}


def test_each_reason_and_verb_has_words() -> None:
    assert WORDS.keys() == set(WhySkipped)
    assert SENTENCES.keys() == set(BulkVerb)


@pytest.mark.parametrize(
    ("fields", "there"),
    [
        ({}, True),
        ({"created_at": AS_OF, "changed_at": AS_OF}, True),
        ({"created_at": AS_OF + 1}, False),
        # Of one request with many jobs: there since the first of them, and stored after the preview.
        ({"created_at": AS_OF - 1, "changed_at": AS_OF + 1, "rev": 1}, False),
        ({"created_at": AS_OF - 1, "changed_at": AS_OF + 1, "rev": 2}, False),
        ({"created_at": AS_OF - 1, "changed_at": AS_OF + 1, "rev": 2, "claimed_at": AS_OF}, True),
        ({"created_at": AS_OF - 2_001, "changed_at": AS_OF + 1}, True),
    ],
)
def test_who_was_there(fields: dict[str, Any], there: bool) -> None:
    assert was_there(record(**fields), AS_OF) is there


@pytest.mark.parametrize(
    ("verb", "fields", "judged"),
    [
        (BulkVerb.CANCEL, {}, True),
        (BulkVerb.CANCEL, {"created_at": AS_OF + 1}, False),
        # What the verb was not for from the beginning does not count; what has become so is told.
        (BulkVerb.CANCEL, {"state": State.FAILED}, False),
        (BulkVerb.CANCEL, {"state": State.FAILED, "changed_at": AS_OF + 1}, WhySkipped.ENDED),
        (BulkVerb.RERUN, {"state": State.FAILED, "finished_at": AS_OF}, True),
        (BulkVerb.RERUN, {"state": State.FAILED, "finished_at": AS_OF + 1, "changed_at": AS_OF + 1}, False),
        (BulkVerb.RESUME, {"state": State.PAUSED, "paused_at": AS_OF}, True),
        (BulkVerb.RESUME, {"state": State.PAUSED, "paused_at": AS_OF + 1, "changed_at": AS_OF + 1}, False),
        (BulkVerb.SUSPEND, {"state": State.LAUNCHED, "phase": "running"}, True),
        (
            BulkVerb.SUSPEND,
            {"state": State.LAUNCHED, "phase": "running", "paused_by": "bo", "paused_at": AS_OF},
            WhySkipped.ALREADY,
        ),
        (
            BulkVerb.SUSPEND,
            {
                "state": State.LAUNCHED,
                "phase": "running",
                "paused_by": "bo",
                "paused_at": AS_OF + 1,
                "changed_at": AS_OF + 1,
            },
            False,
        ),
    ],
)
def test_what_becomes_of_a_job(verb: BulkVerb, fields: dict[str, Any], judged: WhySkipped | bool) -> None:
    assert judge(order(verb), record(**fields)) == judged


LATER = {"changed_at": AS_OF + 1}


@pytest.mark.parametrize(
    ("verb", "filtered_by", "fields", "judged"),
    [
        # It is queued now, and may have been scheduled then. When it was due says nothing.
        (BulkVerb.CANCEL, ["state"], {"queued_at": AS_OF - 1}, False),
        (BulkVerb.CANCEL, ["queue", "class"], {}, True),
        (BulkVerb.CANCEL, ["since"], {}, False),
        (BulkVerb.CANCEL, ["until"], {}, False),
        (BulkVerb.CANCEL, ["error_type"], {}, False),
        (BulkVerb.CANCEL, ["state"], {"state": State.PAUSED, "paused_at": AS_OF}, True),
        (BulkVerb.CANCEL, ["state"], {"state": State.PAUSED, "paused_at": AS_OF + 1}, False),
        (BulkVerb.CANCEL, ["state"], {"state": State.LAUNCHING, "claimed_at": AS_OF}, True),
        (BulkVerb.CANCEL, ["state"], {"state": State.LAUNCHED, "launched_at": AS_OF}, True),
        (BulkVerb.CANCEL, ["state"], {"state": State.LAUNCHED, "launched_at": AS_OF + 1}, False),
        (BulkVerb.CANCEL, ["state", "phase"], {"state": State.LAUNCHED, "launched_at": AS_OF}, False),
        (BulkVerb.PAUSE, [], {"queued_at": AS_OF + 1}, True),
        (BulkVerb.PAUSE, [], {"queued_at": AS_OF}, False),
        (BulkVerb.PAUSE, [], {"state": State.SCHEDULED}, False),
        (BulkVerb.PAUSE, ["state"], {"queued_at": AS_OF + 1}, False),
        (BulkVerb.PAUSE, [], {"queued_at": AS_OF + 1, "claimed_at": AS_OF}, False),
        (BulkVerb.SUSPEND, [], {"state": State.LAUNCHED, "launched_at": AS_OF}, True),
        (BulkVerb.SUSPEND, [], {"state": State.LAUNCHED, "launched_at": AS_OF + 1}, False),
        (BulkVerb.SUSPEND, [], {"state": State.LAUNCHED, "launched_at": AS_OF, "resumed_at": AS_OF + 1}, False),
        (BulkVerb.RUN_NOW, [], {"state": State.SCHEDULED}, False),
        (BulkVerb.RERUN, ["outcome"], {"state": State.FAILED, "finished_at": AS_OF}, True),
        (BulkVerb.RERUN, ["error_type"], {"state": State.FAILED, "finished_at": AS_OF + 1}, False),
    ],
)
def test_what_has_changed_since_is_taken_only_if_it_shows_that_it_fitted_then(
    verb: BulkVerb, filtered_by: list[str], fields: dict[str, Any], judged: bool
) -> None:
    job = record(**{"queued_at": None} | LATER | fields)
    assert judge(order(verb), job, filtered_by) is judged
    # Where it was not counted to the end, nothing else can tell of it.
    expected = True if judged else WhySkipped.CHANGED
    assert judge(replace(order(verb), is_exact=False), job, filtered_by) == expected
    assert judge(order(verb), replace(job, changed_at=AS_OF), filtered_by) is True


def test_a_cursor_is_read_as_it_was_written() -> None:
    cursor = Cursor(2, 5, 9, "shop/default:queued/0:shop.jobs.Mail", 7, "id", 20)
    assert Cursor.read(cursor.text(), 0) == cursor
    assert Cursor.read("", 9) == Cursor(high=9)
    with pytest.raises((TypeError, ValueError)):
        Cursor.read("7", 0)
