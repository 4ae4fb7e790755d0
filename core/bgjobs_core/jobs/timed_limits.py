"""Limits of a queue that hold in place of its own until a moment. They stand in an annotation of its object."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, Self

import structlog
from pydantic import AwareDatetime, ConfigDict, Field, StringConstraints, ValidationError

from bgjobs.wire import QueueLimits
from bgjobs.wire import StartRate as Rate
from bgjobs_core.resources.models import Resource, StartRate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bgjobs_core.resources.models import QueueSpec

LIMITS: Final = "bgjobs.dev/limits-for-a-time"
_LONGEST: Final = 8192  # of the annotation; whoever writes more does not mean this
_Words = Annotated[str, StringConstraints(max_length=500)]

log: Any = structlog.get_logger(__name__)


class TimedLimits(Resource):
    """Limits in place of those of the queue.

    Attributes:
        until: when they are over.
        max_concurrent: how many jobs may hold a slot; None: as many as the queue says.
        start_rate: how many may start in a time; None: as the queue says.
        by: who wants it.
        at: since when.
        note: why, in words.
    """

    model_config = ConfigDict(extra="ignore")  # a newer server may write more

    until: AwareDatetime
    max_concurrent: int | None = Field(default=None, ge=0, le=100000)
    start_rate: StartRate | None = None
    by: _Words = ""
    at: AwareDatetime | None = None
    note: _Words = ""

    @classmethod
    def of_object(cls, annotations: Mapping[str, object]) -> Self | None:
        """What the annotations of a queue's object say; None if they say nothing of it, or what cannot be read."""
        said = annotations.get(LIMITS)
        if not isinstance(said, str) or not said:
            return None
        try:
            found = cls.model_validate_json(said) if len(said) <= _LONGEST else None
            if found is not None and found.until_ms > 0:
                return found
        except (ValidationError, OverflowError) as error:
            log.warning("limits for a time cannot be read, and do not hold", error=str(error)[:500])
        return None

    @classmethod
    def read(cls, raw: bytes) -> Self | None:
        """From what the store has kept; None if that is empty."""
        return cls.model_validate_json(raw) if raw else None

    def text(self) -> str:
        """As the annotation and the store have it: JSON."""
        return self.model_dump_json(by_alias=True, exclude_defaults=True)

    @property
    def until_ms(self) -> int:
        """When they are over, in Unix ms."""
        return round(self.until.timestamp() * 1000)

    def view(self, spec: QueueSpec) -> QueueLimits:
        """For the API.

        Args:
            spec: what the queue says of itself.
        """
        rate = self.start_rate
        return QueueLimits(
            max_concurrent=self.max_concurrent,
            start_rate=None if rate is None else Rate(starts=rate.starts, seconds=rate.seconds),
            until=self.until.astimezone(UTC),
            who=self.by or None,
            at=self.at.astimezone(UTC) if self.at is not None else None,
            note=self.note or None,
            usual_max_concurrent=spec.max_concurrent,
        )


def for_a_time(
    now_ms: int, for_seconds: float, *, by: str, note: str, max_concurrent: int | None, start_rate: StartRate | None
) -> TimedLimits:
    """Limits from now on.

    Args:
        now_ms: Redis TIME, which decides when they are over.
        for_seconds: for how long.
        by: who wants it.
        note: why.
        max_concurrent: how many jobs may hold a slot; None: as many as the queue says.
        start_rate: how many may start in a time; None: as the queue says.
    """

    def moment(at_ms: int) -> datetime:
        return datetime.fromtimestamp(at_ms / 1000, UTC)

    return TimedLimits(
        until=moment(now_ms + round(for_seconds * 1000)),
        max_concurrent=max_concurrent,
        start_rate=start_rate,
        by=by[:500],
        at=moment(now_ms),
        note=note,
    )
