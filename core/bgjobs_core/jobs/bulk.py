"""A bulk: one thing that is done with all jobs that a filter means. What is known of it, and what it may do with whom.

A job is judged at its turn, by its record as it is then. One that came after the preview is never touched.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from bgjobs.vocabulary import TERMINAL, BulkState, BulkVerb, Phase, State, WhySkipped
from bgjobs_core.jobs.ids import NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from bgjobs_core.jobs.record import JobRecord

MOST_EXCEPTED: Final = 500
MOST_OPEN: Final = 20  # of a namespace
MOST_NOTE: Final = 400  # so that the note of each job, which names the bulk too, has at most 500 characters
VALID_MS: Final = 5 * 60_000  # of a preview
# Jobs of one request are stored in several scripts, and are all there since the first one: for so long it may take.
_IN_FLIGHT_MS: Final = 2_000
# What a job may come to fit only after the preview, by the names of the filters.
_TIMES: Final = frozenset({"since", "until"})
_CHANGING: Final = frozenset({"state", "phase", "outcome", "error_type"})
_SKIPPED: Final = b"skipped:"
_FAILURE: Final = b"failure:"

_WAITING: Final = (State.BLOCKED, State.SCHEDULED, State.QUEUED)
_SUSPENDED: Final = Phase.SUSPENDED
_Row = dict[str, WhySkipped | None]


def _row(default: WhySkipped | None, **others: WhySkipped | None) -> _Row:
    return {**dict.fromkeys([*State, _SUSPENDED], default), **others}


# What a bulk does with a job by its state, in which a suspended one counts as one of its own: None: what it is for.
TABLE: Final[Mapping[BulkVerb, _Row]] = {
    BulkVerb.CANCEL: _row(None, stopping=WhySkipped.ALREADY),
    BulkVerb.PAUSE: _row(WhySkipped.STARTED, **dict.fromkeys(_WAITING), paused=WhySkipped.ALREADY),
    BulkVerb.SUSPEND: _row(WhySkipped.NOT_STARTED, launched=None, suspended=WhySkipped.ALREADY),
    BulkVerb.RESUME: _row(WhySkipped.NOT_HELD, paused=None, suspended=None),
    BulkVerb.RUN_NOW: _row(
        WhySkipped.STARTED,
        scheduled=None,
        queued=WhySkipped.ALREADY,
        **dict.fromkeys((State.BLOCKED, State.PAUSED), WhySkipped.HELD),
    ),
    BulkVerb.RERUN: _row(WhySkipped.NOT_ENDED),
}


def why_not(verb: BulkVerb, state: State, phase: str = "") -> WhySkipped | None:
    """Why a bulk leaves jobs of this state, and phase if they are launched, as they are; None if it does not."""
    if state in TERMINAL:
        return None if verb is BulkVerb.RERUN else WhySkipped.ENDED
    found = TABLE[verb][_SUSPENDED if state is State.LAUNCHED and phase == _SUSPENDED else state]
    if state is State.STOPPING and verb not in {BulkVerb.CANCEL, BulkVerb.RERUN}:
        return WhySkipped.STOPPING
    return found


@dataclass(frozen=True)
class BulkOrder:
    """What is to be done with which jobs, as it was previewed.

    Attributes:
        id: a UUID of version 7, which the preview has made.
        namespace: of the jobs.
        verb: what is done with them.
        filter: which of them, as `bgjobs_core.actions.bulk.filters` writes it.
        as_of: when it was previewed, in Unix ms; jobs that came later are never touched.
        by: who wants it.
        note: why, in words; "" if nothing was said.
        total: with how many jobs it can be done, as far as they were counted.
        is_exact: whether these are all.
        excepted: ids of jobs that are left as they are.
    """

    id: str
    namespace: str
    verb: BulkVerb
    filter: str
    as_of: int
    by: str
    note: str = ""
    total: int = 0
    is_exact: bool = True
    excepted: tuple[str, ...] = ()

    @property
    def job_note(self) -> str:
        """The note in the history of each job, which names the bulk."""
        return f"{self.note} (bulk {self.id})" if self.note else f"bulk {self.id}"

    def rerun_id(self, job_id: str) -> str:
        """The id of the job that runs one again: asked for twice, it is the same."""
        return str(uuid.uuid5(NAMESPACE, f"bulk/{self.id}/{job_id}"))

    def fields(self) -> dict[str, str | int]:
        """As fields of its hash in Redis, without those that `start_bulk` writes."""
        found: dict[str, str | int] = {
            "verb": self.verb.value, "filter": self.filter, "as_of": self.as_of, "by": self.by, "total": self.total,
            "is_exact": int(self.is_exact),
        }  # fmt: skip
        if self.note:
            found["note"] = self.note
        if self.excepted:
            found["excepted"] = " ".join(self.excepted)
        return found


@dataclass(frozen=True)
class Cursor:
    """How far the search for the jobs of a bulk is.

    It goes through the cells in passes: a job that has moved while one pass looked elsewhere has changed since that
    began, and is found by the next one. A pass looks at what has changed in its time alone, so each is shorter.

    Attributes:
        number: of the pass; the first one is 0.
        low: it looks at jobs that have changed at this Unix time in ms or later.
        high: and before this one.
        cell: where it is; "" before the first one.
        at: when the last job that it has looked at there has changed.
        job: this job; of a batch, whose jobs are looked at once, in the order of their ids, it is all that counts.
        taken: how many jobs this pass has taken.
    """

    number: int = 0
    low: int = 0
    high: int = 0
    cell: str = ""
    at: int = 0
    job: str = ""
    taken: int = 0

    def text(self) -> str:
        """As it is kept in Redis."""
        return json.dumps([self.number, self.low, self.high, self.cell, self.at, self.job, self.taken])

    @classmethod
    def read(cls, text: str, high: int) -> Cursor:
        """What is kept; where there is nothing, the first pass, up to a time.

        Raises:
            ValueError: it cannot be read.
        """
        if not text:
            return cls(high=high)
        found = json.loads(text)
        if not isinstance(found, list):
            raise TypeError(text)
        number, low, high, cell, at, job, taken = found  # pyright: ignore[reportUnknownVariableType] - it is our own
        return cls(int(number), int(low), int(high), str(cell), int(at), str(job), int(taken))  # pyright: ignore[reportUnknownArgumentType]


@dataclass(frozen=True)
class BulkRecord(BulkOrder):
    """A bulk as it is read from the store.

    Attributes:
        state: where it is.
        step: how many steps it has made.
        done: with how many jobs it was done.
        failures: with how many it could not be done, by the code of the reason.
        skipped: how many were left as they were, by reason.
        cursor: how far the search is.
        taken: ids of the jobs that the latest step took.
        waits: why it does not go on at the moment, in words.
        started_at: when it was begun, in Unix ms.
        latest_at: when its latest step was.
        ended_at: when it was done, or stopped.
        stopped_by: who has stopped it.
    """

    state: BulkState = BulkState.RUNNING
    step: int = 0
    done: int = 0
    failures: Mapping[str, int] = field(default_factory=dict[str, int])
    skipped: Mapping[str, int] = field(default_factory=dict[str, int])
    cursor: Cursor = field(default_factory=Cursor)
    taken: tuple[str, ...] = ()
    waits: str = ""
    started_at: int = 0
    latest_at: int = 0
    ended_at: int | None = None
    stopped_by: str = ""

    @property
    def failed(self) -> int:
        """With how many it could not be done."""
        return sum(self.failures.values())

    @property
    def visited(self) -> int:
        """Of how many jobs it was decided."""
        return self.done + self.failed + sum(self.skipped.values())

    @property
    def left(self) -> int:
        """How many jobs of those that were counted are left."""
        return max(0, self.total - self.visited) if self.state is BulkState.RUNNING else 0

    @classmethod
    def read(cls, bulk_id: str, found: Mapping[bytes, bytes]) -> BulkRecord:
        """A bulk, from the fields of its hash in Redis.

        Raises:
            KeyError, ValueError, TypeError: it cannot be read.
        """

        def text(name: bytes) -> str:
            return found.get(name, b"").decode()

        started_at = int(found[b"started_at"])
        return cls(
            id=bulk_id,
            namespace=found[b"namespace"].decode(),
            verb=BulkVerb(found[b"verb"].decode()),
            filter=found[b"filter"].decode(),
            as_of=int(found[b"as_of"]),
            by=found[b"by"].decode(),
            note=text(b"note"),
            total=int(found[b"total"]),
            is_exact=found[b"is_exact"] == b"1",
            excepted=tuple(text(b"excepted").split()),
            state=BulkState(found[b"state"].decode()),
            step=int(found[b"step"]),
            done=int(found[b"done"]),
            failures=_counts(found, _FAILURE),
            skipped=_counts(found, _SKIPPED),
            cursor=Cursor.read(text(b"cursor"), started_at + 1),
            taken=tuple(text(b"taken").split()),
            waits=text(b"waits"),
            started_at=started_at,
            latest_at=int(found[b"latest_at"]),
            ended_at=int(found[b"ended_at"]) if b"ended_at" in found else None,
            stopped_by=text(b"stopped_by"),
        )


def _counts(found: Mapping[bytes, bytes], prefix: bytes) -> dict[str, int]:
    return {name.removeprefix(prefix).decode(): int(one) for name, one in found.items() if name.startswith(prefix)}


def was_there(record: JobRecord, as_of: int) -> bool:
    """Whether a job came before a preview. In doubt it did not: such a job must not be touched."""
    if record.created_at > as_of:
        return False
    if record.changed_at <= as_of:
        return True
    if record.rev == 1:  # it has not changed since it was stored
        return False
    if as_of - record.created_at > _IN_FLIGHT_MS:
        return True
    known: tuple[Any, ...] = (
        record.claimed_at, record.launched_at, record.started_at, record.stopped_at, record.paused_at,
    )  # fmt: skip
    return any(at is not None and at <= as_of for at in known)


def _fitted(verb: BulkVerb, record: JobRecord, as_of: int, filtered_by: Collection[str]) -> bool:
    """Whether the record of a job shows that the filter and the verb meant it at the preview, as they do now."""
    if record.changed_at <= as_of:
        return True
    if not _TIMES.isdisjoint(filtered_by):
        return False
    if not _CHANGING.isdisjoint(filtered_by) and not _is_since(record, as_of, "phase" in filtered_by):
        return False
    match verb:
        case BulkVerb.CANCEL:
            return True  # what has not ended had not ended then
        case BulkVerb.PAUSE:
            # It has become queued since then: it was scheduled or blocked. One that was paused and resumed is older.
            queued_at = record.queued_at
            return record.claimed_at is None and queued_at is not None and queued_at > as_of
        case BulkVerb.SUSPEND:
            was_held = record.resumed_at is not None and record.resumed_at > as_of
            since = max(record.launched_at or record.changed_at, record.paused_at or 0)
            return since <= as_of and not was_held
        case BulkVerb.RESUME:
            return record.paused_at is not None and record.paused_at <= as_of
        case BulkVerb.RUN_NOW:
            return False
        case BulkVerb.RERUN:
            return record.finished_at is not None and record.finished_at <= as_of


def _is_since(record: JobRecord, as_of: int, by_phase: bool) -> bool:
    """Whether a job that has changed since the preview has shown to be in the same state then; phases show nothing."""
    if by_phase:
        return False
    if record.state in TERMINAL:
        at = record.finished_at
    else:
        at = {
            State.PAUSED: record.paused_at, State.LAUNCHING: record.claimed_at, State.LAUNCHED: record.launched_at,
        }.get(record.state)  # fmt: skip
    return at is not None and at <= as_of


def judge(order: BulkOrder, record: JobRecord, filtered_by: Collection[str] = ()) -> WhySkipped | bool:
    """What is done with a job that the filter means: True: it is for this one; False: it does not count at all.

    A job that was not meant at the preview, or of which the record does not show that it was, is left as it is: nobody
    has seen it when it was decided. Where the count was exact, what was counted and is not met here is told at the end.

    Args:
        order: what was previewed.
        record: the job as it is now; the filter means it.
        filtered_by: names of what is filtered by, as `state` or `since`.
    """
    if not was_there(record, order.as_of):
        return False
    why = why_not(order.verb, record.state, record.phase)
    if why is not None:
        # What the verb is not for from the beginning was not counted either.
        return why if record.changed_at > order.as_of else False
    if not _fitted(order.verb, record, order.as_of, filtered_by):
        return False if order.is_exact else WhySkipped.CHANGED
    return True if order.verb is not BulkVerb.SUSPEND or not record.paused_by else WhySkipped.ALREADY
