"""A schedule as the store has it: what the API shows of it, the job that it makes, and what is wished of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bgjobs.wire import Schedule
from bgjobs_core.resources.schedules import DEFAULT_ZONE, ScheduledJob
from bgjobs_core.resources.ticks import Every, cron

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bgjobs_core.resources.ticks import Ticks


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
        uid: of its object; "" if an earlier version has written this.
        spec: the spec of its object as JSON, without the job and what is as by default; "" if it is invalid, or if an
            earlier version has written this.
        since: ticks up to this time, as ISO 8601, do not count; "" as with `uid`.
    """

    namespace: str
    name: str
    shown: str
    job: str = ""
    parameters: str = ""
    wish_suspend: str | None = None
    wish_by: str = ""
    wish_ran: str | None = None
    uid: str = ""
    spec: str = ""
    since: str = ""

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
        return {
            "shown": self.shown, "job": self.job, "parameters": self.parameters, "uid": self.uid, "spec": self.spec,
            "since": self.since,
        }  # fmt: skip

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
            texts.get("uid", ""),
            texts.get("spec", ""),
            texts.get("since", ""),
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

    def spec_fields(self) -> dict[str, Any]:
        """The fields of `spec`, by their names in the object; empty if it is not known."""
        return json.loads(self.spec) if self.spec else {}

    def job_fields(self) -> dict[str, Any]:
        """The fields of `spec.job` but for the parameters, by their names in the object; empty if it is not known."""
        return json.loads(self.job) if self.job else {}

    @property
    def zone(self) -> str:
        """The name of the time zone of its cron expression."""
        return str(self.spec_fields().get("timeZone", DEFAULT_ZONE))

    def ticks(self) -> Ticks | None:
        """When it ticks; None if that is not known, as where nothing ticks by its spec."""
        said = self.spec_fields()
        try:
            if "everySeconds" in said:
                return Every(said["everySeconds"])
            return cron(said["cron"], self.zone) if "cron" in said else None
        except ValueError:  # of a time zone that is not here, but where the operator is
            return None

    @property
    def counts_from(self) -> int:
        """The time up to which ticks do not count, in Unix seconds; 0 if it is not known."""
        return round(datetime.fromisoformat(self.since).astimezone(UTC).timestamp()) if self.since else 0
