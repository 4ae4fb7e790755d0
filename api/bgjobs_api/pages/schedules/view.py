"""What the pages of schedules show, from their records. Pure; times are Unix seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import yaml

from bgjobs.vocabulary import Phase, State
from bgjobs_api.pages.schedules import ticks, times_words
from bgjobs_api.pages.shared import states, words
from bgjobs_core.resources.models import API_VERSION, REQUESTS, SCHEDULES
from bgjobs_core.resources.schedules import DEFAULT_ZONE
from bgjobs_core.resources.ticks import BadTimesError
from bgjobs_core.resources.ticks import zone as zone_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bgjobs.wire import Schedule
    from bgjobs_core.jobs.record import JobRecord
    from bgjobs_core.jobs.schedule_record import ScheduleRecord

MOST_TICKS: Final = 10  # in a row of the list
MOST_TICKS_OF_ONE: Final = 20
_NEXT: Final = 3
_MOST_YAML: Final = 64 * 1024
_PATCH: Final = f"`patch` on {SCHEDULES}"
_CREATE: Final = f"`create` on {REQUESTS}"
_POLICIES: Final = {
    "Allow": "runs may overlap",
    "Forbid": "no run while an earlier one goes on",
    "Replace": "a run cancels the earlier one",
}


@dataclass(frozen=True)
class Rights:
    """What the reader may do in the namespace of a schedule.

    Attributes:
        patch: pause and resume schedules.
        enqueue: make jobs; both are needed to run one.
        jobs: list jobs.
    """

    patch: bool
    enqueue: bool
    jobs: bool

    def pause_needs(self, namespace: str) -> str:
        """What is missing to pause and resume schedules; "" if nothing is."""
        return "" if self.patch else _needs(namespace, _PATCH)

    def run_needs(self, namespace: str) -> str:
        """What is missing to run one now; "" if nothing is."""
        missing = [what for what, has in ((_PATCH, self.patch), (_CREATE, self.enqueue)) if not has]
        return _needs(namespace, *missing) if missing else ""


def _needs(namespace: str, *missing: str) -> str:
    return f"needs {' and '.join(missing)} in `{namespace}`"


@dataclass(frozen=True)
class Next:
    """A tick that is to come: when, and how long it is until then."""

    at: words.Stamp
    until: str


@dataclass(frozen=True)
class ScheduleView:
    """A schedule.

    Attributes:
        shown: as the API shows it.
        state: how it stands.
        trouble: why its latest tick made no job; "" if nothing is wrong.
        in_words: when it ticks, in words; "" if there are no good ones.
        written: the same, as it stands in the object.
        zone: the name of its time zone; "" if that has no meaning for it.
        policy: what happens if an earlier job has not ended.
        following: the next ticks; none while it is paused.
        ticks: the latest ones, the oldest first.
        cannot_run: why the reader cannot run it now; "" if that can be done.
        cannot_pause: why the reader can neither pause nor resume it; "" if that can be done.
    """

    shown: Schedule
    state: states.Shown
    trouble: str
    in_words: str
    written: str
    zone: str
    policy: str
    following: tuple[Next, ...]
    ticks: tuple[ticks.Tick, ...]
    cannot_run: str
    cannot_pause: str

    @property
    def path(self) -> str:
        """Of its page."""
        return f"/schedules/{self.shown.namespace}/{self.shown.name}"

    @property
    def will_be_paused(self) -> bool:
        """Whether it is paused, or about to be."""
        return self.shown.wish == "pause" or (self.shown.suspended and self.shown.wish != "resume")

    @property
    def newest_missed(self) -> ticks.Tick | None:
        """The latest tick, if no job was made for it."""
        return self.ticks[-1] if self.ticks and self.ticks[-1].is_missed else None


def view(
    record: ScheduleRecord,
    shown: Schedule,
    asked: ticks.Wanted,
    jobs: Iterable[JobRecord] | None,
    rights: Rights,
    now: int,
    most: int,
) -> ScheduleView:
    """All that is shown of a schedule.

    Args:
        record: of it.
        shown: the same, as the API shows it.
        asked: which jobs tell what became of its ticks.
        jobs: those of them that are there; None if the reader may not see jobs.
        rights: of the reader.
        now: Unix seconds.
        most: how many ticks are shown.
    """
    spec = record.spec_fields()
    zone = _zone(record.zone)
    is_cron = "everySeconds" not in spec
    written = str(spec.get("cron", "")) if is_cron else f"every {spec['everySeconds']} s"
    return ScheduleView(
        shown=shown,
        state=_state(shown),
        trouble="" if shown.ready else shown.message or shown.reason or "",
        in_words=times_words.in_words(spec),
        written=written if spec else shown.times or "",
        zone=record.zone if spec and is_cron else "",
        policy=_POLICIES.get(shown.concurrency_policy or "", ""),
        following=_following(record, shown, zone, now),
        ticks=ticks.latest(shown, asked, jobs, zone, most),
        cannot_run=rights.run_needs(record.namespace) or ("" if record.job else "there is no job in its spec to run"),
        cannot_pause=rights.pause_needs(record.namespace),
    )


def _zone(name: str) -> ZoneInfo:
    try:
        return zone_of(name)
    except BadTimesError:
        return ZoneInfo(DEFAULT_ZONE)


def _state(shown: Schedule) -> states.Shown:
    """How it stands, as a state of a job would be shown."""
    if shown.wish is not None:
        return _named("Pausing" if shown.wish == "pause" else "Resuming", State.PAUSED)
    if not shown.ready:
        return states.Shown("", "Makes no job", Phase.UNREACHABLE, "warn")
    return _named("Paused", State.PAUSED) if shown.suspended else _named("Active", State.SCHEDULED)


def _named(word: str, state: State) -> states.Shown:
    return states.Shown("", word, state, state)


def _following(record: ScheduleRecord, shown: Schedule, zone: ZoneInfo, now: int) -> tuple[Next, ...]:
    if shown.suspended:
        return ()
    found: list[int] = []
    times, at = record.ticks(), now
    while times is not None and len(found) < _NEXT and (after := times.after(at)) is not None:
        found.append(after)
        at = after
    if times is None and shown.next_tick is not None:  # all that an earlier version has told
        found.append(round(shown.next_tick.timestamp()))
    return tuple(Next(words.in_zone(one, zone), words.span((one - now) * 1000)) for one in found)


def as_yaml(record: ScheduleRecord) -> str:
    """The object, as it could be applied; "" if that is not known, as of one whose spec is invalid."""
    job = record.job_fields()
    if not record.spec or not job or len(record.job) > _MOST_YAML:
        return ""
    head = {
        "apiVersion": API_VERSION,
        "kind": "BackgroundJobSchedule",
        "metadata": {"name": record.name, "namespace": record.namespace},
        "spec": {**record.spec_fields(), "job": job},
    }
    text: str = yaml.safe_dump(head, sort_keys=False, allow_unicode=True, width=100)
    if record.parameters in {"", "[]"}:
        return text
    # JSON is YAML, and these numbers are as they were written.
    is_long = len(record.parameters) > _MOST_YAML
    return text + (
        "    # parameters: too long to be shown here\n" if is_long else f"    parameters: {record.parameters}\n"
    )


def kubectl_lines(namespace: str, name: str) -> Sequence[str]:
    """How its object is got, and how it is changed."""
    return (
        f"kubectl get {SCHEDULES} {name} -n {namespace} -o yaml",
        f"kubectl edit {SCHEDULES} {name} -n {namespace}",
    )
