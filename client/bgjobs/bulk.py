"""The JSON bodies for what is done with all jobs that a filter means: its preview, and how far it is."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from bgjobs.ids import is_job_id
from bgjobs.job_spec import LabelName
from bgjobs.vocabulary import BulkState, BulkVerb, Outcome, State, WhySkipped, state_and_phase

MOST_EXCEPTED: Final = 500
MOST_NOTE: Final = 400
MOST_TOKEN: Final = 48 * 1024
MAX_BULK_BYTES: Final = 64 * 1024  # of a body

# What `skipped` of a bulk says, in words that follow one job, and more.
WORDS: Final[dict[str, tuple[str, str]]] = {
    WhySkipped.ENDED: ("has ended", "have ended"),
    WhySkipped.NOT_ENDED: ("has not ended", "have not ended"),
    WhySkipped.ALREADY: (
        "is already paused, suspended, queued or being stopped",
        "are already paused, suspended, queued or being stopped",
    ),
    WhySkipped.STARTED: ("has started", "have started"),
    WhySkipped.NOT_STARTED: ("has not started", "have not started"),
    WhySkipped.HELD: ("is paused or waits for other jobs", "are paused or wait for other jobs"),
    WhySkipped.NOT_HELD: ("is neither paused nor suspended", "are neither paused nor suspended"),
    WhySkipped.STOPPING: ("is being stopped", "are being stopped"),
    WhySkipped.TOO_OFTEN: ("was suspended as often as a job may be", "were suspended as often as a job may be"),
    WhySkipped.UNIQUE: (
        "has a unique key that another job has at present",
        "have a unique key that another job has at present",
    ),
    WhySkipped.MISSING: ("is gone", "are gone"),
    WhySkipped.UNREADABLE: ("cannot be read", "cannot be read"),
    WhySkipped.CHANGED: ("has changed before its turn", "have changed before their turn"),
}


class Sentences(NamedTuple):
    """What is said about a verb; each is one whole sentence, so that nobody has to put one together.

    Attributes:
        name: the verb.
        one: what it does with one job.
        many: what it does with more jobs, whose number is `{}`.
        every: what it does with all that match, where `{}` were counted and there may be more.
        none: that there is no job for it.
    """

    name: str
    one: str
    many: str
    every: str
    none: str


SENTENCES: Final[dict[str, Sentences]] = {
    BulkVerb.CANCEL: Sentences(
        "cancel",
        "Cancel 1 job",
        "Cancel {} jobs",
        "Cancel all jobs that match, at least {}",
        "No job here can be cancelled.",
    ),
    BulkVerb.PAUSE: Sentences(
        "pause", "Pause 1 job", "Pause {} jobs", "Pause all jobs that match, at least {}", "No job here can be paused."
    ),
    BulkVerb.RESUME: Sentences(
        "resume",
        "Resume 1 job",
        "Resume {} jobs",
        "Resume all jobs that match, at least {}",
        "No job here can be resumed.",
    ),
    BulkVerb.SUSPEND: Sentences(
        "suspend",
        "Suspend 1 job",
        "Suspend {} jobs",
        "Suspend all jobs that match, at least {}",
        "No job here can be suspended.",
    ),
    BulkVerb.RUN_NOW: Sentences(
        "run now",
        "Run 1 job now",
        "Run {} jobs now",
        "Run now all jobs that match, at least {}",
        "No job here can be run now.",
    ),
    BulkVerb.RERUN: Sentences(
        "run again",
        "Run 1 job again",
        "Run {} jobs again",
        "Run again all jobs that match, at least {}",
        "No job here can be run again.",
    ),
}
TYPE_IT: Final = 100  # from so many jobs on the number is to be typed
EVERY: Final = "all"  # and this word, where nobody has counted them to the end


def order_in_words(verb: BulkVerb, total: int, *, is_exact: bool) -> str:
    """What is ordered, as `Run 12 jobs again`."""
    words = SENTENCES[verb]
    if not is_exact:
        return words.every.format(f"{total:,}")
    return words.one if total == 1 else words.many.format(f"{total:,}")


def to_type(total: int, *, is_exact: bool) -> str:
    """What somebody must type who agrees: the number of jobs, or `all`; "" where a yes is enough."""
    if not is_exact:
        return EVERY
    return str(total) if total >= TYPE_IT else ""


def _state(text: str) -> str:
    try:
        state_and_phase(text)
    except ValueError:
        raise ValueError("must be the name of a state or of a phase, as queued or running") from None
    return text


def _stored_id(text: str) -> str:
    if not is_job_id(text, (5, 7, 8)):
        raise ValueError("must be the id of a job or batch")
    return text


_Name = Annotated[str, StringConstraints(min_length=1, max_length=253)]
_When = Annotated[str, StringConstraints(min_length=1, max_length=40)]
_StoredId = Annotated[str, AfterValidator(_stored_id)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class BulkFilter(_Body):
    """Which jobs are meant: the filters of the list of jobs. A job must fit all of them; none means every job."""

    state: Annotated[str, AfterValidator(_state)] | None = Field(
        default=None, description="a state, or a phase of launched jobs, such as `running`"
    )
    queue: LabelName | None = None
    cls: Annotated[str, StringConstraints(min_length=1, max_length=253)] | None = Field(default=None, alias="class")
    batch: _StoredId | None = Field(default=None, description="id of a batch of the namespace")
    outcome: Outcome | None = Field(default=None, description="why it ended")
    error_type: _Name | None = Field(default=None, description="of the error of the job, such as `ValueError`")
    who: _Name | None = Field(default=None, description="has asked for it; as in the list")
    schedule: _Name | None = Field(default=None, description="name of the BackgroundJobSchedule that has made it")
    request: _Name | None = Field(default=None, description="name of its BackgroundJobRequest")
    label: Annotated[str, StringConstraints(min_length=1, max_length=1000)] | None = Field(
        default=None, description="labels that it has: `team=billing`, or `team=billing,region` of any region"
    )
    since: _When | None = Field(default=None, description="it has changed then, or later: a time, or `24h` before now")
    until: _When | None = Field(default=None, description="it has changed before; as `since`")


class BulkPreviewRequest(_Body):
    """The body of `POST /api/v1/bulk/preview`."""

    namespace: LabelName | None = Field(
        default=None, description="of the jobs; if absent, that of the caller's ServiceAccount"
    )
    verb: BulkVerb = Field(description="what is to be done with them")
    filter: BulkFilter = Field(default_factory=BulkFilter)
    excepted: list[_StoredId] = Field(
        default_factory=list[str],
        alias="except",
        max_length=MOST_EXCEPTED,
        description="ids of jobs that are left as they are, though the filter means them",
    )
    note: Annotated[str, StringConstraints(max_length=MOST_NOTE)] | None = Field(
        default=None, description="why, for people who look at the jobs later"
    )


class BulkStartRequest(_Body):
    """The body of `POST /api/v1/bulk`."""

    token: Annotated[str, StringConstraints(min_length=1, max_length=MOST_TOKEN)] = Field(
        description="as a preview has given it, not more than five minutes ago, to the same caller"
    )


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)  # a newer server may send more fields


class BulkPreview(_Answer):
    """What would be done. Jobs that come later than `as_of` are never touched."""

    token: str = Field(description="begins it; only this caller can use it")
    namespace: str
    verb: BulkVerb | str = Field(union_mode="left_to_right")
    as_of: datetime
    counts: dict[State, int] = Field(description="how many jobs the filter means, by their states")
    total: int = Field(description="with how many of them it can be done")
    is_exact: bool = Field(description="false: there may be more, since so many are counted at most")
    skipped: dict[str, int] = Field(description="how many of them would be left as they are, by reason")
    expires_at: datetime = Field(description="until when the token is good")

    @property
    def words(self) -> str:
        """How many jobs, as `1,204` or `10,000+`."""
        return f"{self.total:,}" if self.is_exact else f"{self.total:,}+"


class Bulk(_Answer):
    """Something that is done with all jobs that a filter means, and how far it is."""

    id: str
    namespace: str
    verb: BulkVerb | str = Field(union_mode="left_to_right")
    state: BulkState | str = Field(
        description="`running`; `stopped`: somebody has stopped it; `done`", union_mode="left_to_right"
    )
    filter: dict[str, Any] = Field(description="which jobs are meant; times in it are fixed")
    excepted: int = Field(default=0, description="how many were excepted by their ids")
    by: str
    note: str | None = None
    as_of: datetime = Field(description="when it was previewed; jobs that came later are never touched")
    started_at: datetime
    latest_at: datetime = Field(description="when it last went on")
    ended_at: datetime | None = None
    stopped_by: str | None = None
    total: int = Field(description="with how many jobs it could be done when it was previewed")
    is_exact: bool = Field(description="false: there may be more")
    done: int
    failed: int
    failures: dict[str, int] = Field(default_factory=dict[str, int], description="why, by the codes of the API")
    skipped: dict[str, int] = Field(default_factory=dict[str, int], description="left as they were, by reason")
    left: int = Field(description="how many of `total` are left; 0 when it is over")
    waits: str | None = Field(default=None, description="why it does not go on at the moment")

    @property
    def is_over(self) -> bool:
        """Whether nothing more is done."""
        return self.state != BulkState.RUNNING

    @property
    def words(self) -> str:
        """How far it is, as `120 of 1,204 done, 3 skipped`."""
        total = f"{self.total:,}" if self.is_exact else f"{self.total:,}+"
        parts = [f"{self.done:,} of {total} done"]
        if number := sum(self.skipped.values()):
            parts.append(f"{number:,} skipped")
        if self.failed:
            parts.append(f"{self.failed:,} failed")
        return ", ".join(parts)


class BulkList(_Answer):
    """The bulks of a namespace that are remembered, the latest first."""

    items: list[Bulk]


def reasons(skipped: dict[str, int]) -> list[str]:
    """Why jobs are left as they are, in words: `3 have ended`."""
    return [f"{number:,} {WORDS.get(why, (why, why))[number != 1]}" for why, number in skipped.items()]
