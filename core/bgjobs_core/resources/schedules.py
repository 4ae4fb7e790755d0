"""The custom resource `BackgroundJobSchedule`, as models: what the owner wants, and what the operator says of it."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator
from pydantic.alias_generators import to_camel

from bgjobs.job_spec import JobCall
from bgjobs_core.resources.models import Condition, Resource
from bgjobs_core.resources.ticks import CRON, MAX_CRON, MAX_ZONE, ZONE, BadTimesError, Every, Ticks, cron

MAX_MISSED: Final = 10
MAX_ACTIVE: Final = 50
DEFAULT_ZONE: Final = "Etc/UTC"
SUSPENDED_BY: Final = "bgjobs.dev/suspended-by"  # an annotation: who suspended it by the API or the command
_YEAR: Final = 366 * 86400

_Time = Annotated[str, StringConstraints(max_length=40)]
_JobId = Annotated[str, StringConstraints(max_length=36)]


class ScheduledJob(JobCall, frozen=True):
    """A job as a request asks for it, without a delay, a trace and a unique key.

    The schedule says when, nobody asks, and what happens at a tick while a job is there is its concurrencyPolicy.
    """

    model_config = ConfigDict(alias_generator=to_camel)

    delay_seconds: ClassVar[float] = 0  # pyright: ignore[reportIncompatibleVariableOverride] (no field here)
    traceparent: ClassVar[None] = None  # pyright: ignore[reportIncompatibleVariableOverride] (no field here)
    unique_key: ClassVar[None] = None  # pyright: ignore[reportIncompatibleVariableOverride] (no field here)
    unique_mode: ClassVar[None] = None  # pyright: ignore[reportIncompatibleVariableOverride] (no field here)
    unique_for_seconds: ClassVar[None] = None  # pyright: ignore[reportIncompatibleVariableOverride] (no field here)


class ScheduleSpec(Resource):
    """When a job is made, and which."""

    cron: Annotated[str, StringConstraints(pattern=CRON, max_length=MAX_CRON)] | None = Field(
        default=None,
        description="Minute, hour, day, month and weekday, or `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`.",
    )
    every_seconds: int | None = Field(
        default=None,
        ge=1,
        le=_YEAR,
        description="Instead of cron: every so many seconds, counted from the beginning of 1970, so 300 is :00, :05 …",
    )
    time_zone: Annotated[str, StringConstraints(pattern=ZONE, max_length=MAX_ZONE)] | None = Field(
        default=None, description="Of cron: a name of IANA, such as Europe/Berlin; if absent, Etc/UTC."
    )
    concurrency_policy: Literal["Allow", "Forbid", "Replace"] = Field(
        default="Allow",
        description="What happens at a tick while an earlier job has not ended: `Allow` makes the new one, `Forbid` "
        "does not, `Replace` cancels the earlier one first.",
    )
    starting_deadline_seconds: int | None = Field(
        default=None, ge=1, le=_YEAR, description="A tick that is noticed later than this is missed."
    )
    jitter_seconds: int = Field(
        default=0,
        ge=0,
        le=86400,
        description="Each job is due up to so much later than its tick, the same for the same tick.",
    )
    missed_ticks: Literal["none", "last", "all"] = Field(
        default="last",
        description="Which ticks are made up that came while no operator ran: `none`, the `last` one, or `all`, "
        "of these the newest 100.",
    )
    suspend: bool = Field(default=False, description="No job is made; what runs goes on.")
    job: ScheduledJob = Field(description="As the spec of a request, but for the delay.")

    @model_validator(mode="after")
    def _has_times(self) -> Self:
        self.ticks()
        return self

    def ticks(self) -> Ticks:
        """When it ticks. Raises BadTimesError."""
        if self.every_seconds is not None:
            if self.cron is not None:
                raise BadTimesError("a schedule has either cron or everySeconds, not both")
            if self.time_zone is not None:
                raise BadTimesError("timeZone is for cron: everySeconds has none")
            return Every(self.every_seconds)
        if self.cron is None:
            raise BadTimesError("a schedule needs cron or everySeconds")
        return cron(self.cron, self.time_zone or DEFAULT_ZONE)

    @property
    def times(self) -> str:
        """When it ticks, in words that are the same for the same ticks."""
        return f"every {self.every_seconds} s" if self.cron is None else f"{self.cron} {self.time_zone or DEFAULT_ZONE}"


class MissedTick(Resource):
    """A tick for which no job was made."""

    tick: _Time
    reason: Annotated[str, StringConstraints(max_length=1024)]


class ScheduleStatus(Resource):
    """Written by the operator."""

    observed_generation: int | None = Field(
        default=None, description="The generation of the schedule that this status describes."
    )
    times: Annotated[str, StringConstraints(max_length=200)] | None = Field(
        default=None, description="When it ticks, as far as this status knows; by it a change is noticed."
    )
    since: _Time | None = Field(
        default=None,
        description="Earlier ticks do not count: the schedule was made, resumed, or given other times then.",
    )
    last_tick: _Time | None = Field(
        default=None, description="The latest tick that was dealt with: its job was made, or it was missed."
    )
    next_tick: _Time | None = Field(default=None, description="The next tick; absent while it is suspended.")
    last_job_id: _JobId | None = Field(default=None, description="The latest job.")
    active: Annotated[list[_JobId], Field(max_length=MAX_ACTIVE)] = Field(
        default_factory=list[str],
        description=f"Jobs that had not ended when the schedule was last looked at; at most {MAX_ACTIVE}.",
    )
    missed: Annotated[list[MissedTick], Field(max_length=MAX_MISSED)] = Field(
        default_factory=list[MissedTick], description=f"The newest {MAX_MISSED} ticks that made no job, and why."
    )
    conditions: Annotated[list[Condition], Field(max_length=8)] = Field(
        default_factory=list[Condition], description="`Ready`: whether the next tick will make a job."
    )
