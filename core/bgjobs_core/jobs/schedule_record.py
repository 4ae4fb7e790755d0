"""A schedule as the store has it: what the API shows of it, the job that it makes, and what is wished of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bgjobs.wire import Schedule
from bgjobs_core.resources.schedules import ScheduledJob

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class ScheduleRecord:
    """What the operator has last seen of a schedule.

    Attributes:
        namespace: of its object.
        name: likewise.
        shown: as JSON of `wire.Schedule`.
        job: the spec of the job as JSON, without parameters; "" if the spec of the object is invalid.
        parameters: of the job, as JSON text that is never encoded again.
        wish_suspend: "1" if somebody wishes it to be suspended, "0" to be resumed; None if nobody does.
        wish_by: who does.
        wish_ran: ids of jobs that were run by hand, with spaces between them, the latest last; the operator has not yet
            taken note of them.
    """

    namespace: str
    name: str
    shown: str
    job: str = ""
    parameters: str = ""
    wish_suspend: str | None = None
    wish_by: str = ""
    wish_ran: str | None = None

    @property
    def key(self) -> str:
        """The full name of the schedule, as `namespace/name`."""
        return f"{self.namespace}/{self.name}"

    @property
    def ran(self) -> tuple[str, ...]:
        """The ids of `wish_ran`."""
        return tuple((self.wish_ran or "").split())

    def fields(self) -> dict[str, str | int | float]:
        """What is written to its hash."""
        return {"shown": self.shown, "job": self.job, "parameters": self.parameters}

    @classmethod
    def read(cls, key: str, fields: Mapping[bytes, bytes]) -> ScheduleRecord:
        """The schedule of this full name, from the fields of its hash in Redis."""
        namespace, _, name = key.partition("/")
        texts = {field.decode(): value.decode() for field, value in fields.items()}
        return cls(
            namespace,
            name,
            texts.get("shown", ""),
            texts.get("job", ""),
            texts.get("parameters", ""),
            texts.get("wish_suspend"),
            texts.get("wish_by", ""),
            texts.get("wish_ran"),
        )

    def view(self) -> Schedule:
        """As the API shows it. Raises pydantic's ValidationError if nobody of us has written it."""
        shown = Schedule.model_validate_json(self.shown)
        wishes_pause = self.wish_suspend == "1"
        if self.wish_suspend is None or wishes_pause == shown.suspended:
            return shown
        return shown.model_copy(update={"wish": "pause" if wishes_pause else "resume"})

    def job_spec(self) -> ScheduledJob | None:
        """The job that it makes; None if the spec of its object is invalid."""
        return ScheduledJob.model_validate_json(self.job) if self.job else None
