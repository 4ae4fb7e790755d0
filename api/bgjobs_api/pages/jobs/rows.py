"""Rows of the jobs list, from records. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bgjobs.vocabulary import Phase, State
from bgjobs_api.pages.shared import job_facts, json_text, reasons, states, words
from bgjobs_core.jobs.why_not import ALL_WELL

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bgjobs_api.pages.shared.reasons import RowWords
    from bgjobs_core.jobs.queue import QueueNow
    from bgjobs_core.jobs.record import FullJob
    from bgjobs_core.jobs.why_not import Around

NOTHING = "–"


@dataclass(frozen=True)
class Row:
    """One job as a row of the list.

    Attributes:
        module: of its class, with the dot, to be dimmed.
        call: class and method.
        percent: how far it is, if it says so.
    """

    id: str
    namespace: str
    state: states.Shown
    why: RowWords
    module: str
    call: str
    arguments: str
    queue: str
    high: bool
    attempt: str
    first_attempt: bool
    waited: str
    ran: str
    percent: int | None
    changed: words.Stamp


def row(record: FullJob, now: int, queue: QueueNow | None = None, around: Around = ALL_WELL) -> Row:
    """The row of the list for one job, as it is seen at this time."""
    module, call = job_facts.name_of(record)
    wait, run = job_facts.waited(record, now), job_facts.ran(record, now)
    running = record.state == State.LAUNCHED and record.phase == Phase.RUNNING
    return Row(
        id=record.id,
        namespace=record.namespace,
        state=states.of(record),
        why=reasons.of(record, now, queue, around),
        module=module,
        call=call,
        arguments=json_text.arguments(record.parameters),
        queue=record.spec.queue,
        high=record.spec.priority > 0,
        attempt=f"{record.attempt} / {record.spec.max_retries + 1}",
        first_attempt=record.attempt <= 1,
        waited=NOTHING if wait is None else words.span(wait),
        ran=NOTHING if run is None else words.ran(run),
        percent=reasons.percent(reasons.progress(record.progress)) if running else None,
        changed=words.age(record.changed_at, now),
    )


def rows(
    records: Sequence[FullJob],
    now: int,
    queues: Mapping[str, QueueNow],
    around: Callable[[FullJob], Around] = lambda _: ALL_WELL,
) -> list[Row]:
    """The rows for a page of jobs; the queues are found by their full names."""
    return [row(one, now, queues.get(one.queue_key), around(one)) for one in records]
