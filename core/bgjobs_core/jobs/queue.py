"""A queue as the store has it: its settings, and how much it holds."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from bgjobs_core.jobs.timed_limits import TimedLimits
from bgjobs_core.resources.models import QueueSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bgjobs_core.resources.models import StartRate


# The time of a key that has all the slots that it may have.
UNTIL_A_SLOT_IS_FREE: Final = 2**53 - 1


# Annotations of a queue's object: who has paused it by the API or the command, when, and why.
PAUSED_BY: Final = "bgjobs.dev/paused-by"
PAUSED_AT: Final = "bgjobs.dev/paused-at"
PAUSED_NOTE: Final = "bgjobs.dev/paused-note"
_LONGEST: Final = 500  # characters of each that are kept


@dataclass(frozen=True)
class Held:
    """Who has paused a queue.

    Attributes:
        by: "" if nobody knows, as when the object was changed by kubectl.
        at: when, in Unix ms, if that is known.
        note: why, in words.
    """

    by: str = ""
    at: int | None = None
    note: str = ""

    @classmethod
    def of_object(cls, annotations: Mapping[str, object]) -> Held | None:
        """What the annotations of a queue's object say; None if they say nothing of it."""
        by, at, note = (str(annotations.get(name) or "")[:_LONGEST] for name in (PAUSED_BY, PAUSED_AT, PAUSED_NOTE))
        try:
            moment = round(datetime.fromisoformat(at).timestamp() * 1000) if at else None
        except (ValueError, OverflowError):
            moment = None
        return cls(by, moment, note) if by or note else None

    def annotations(self) -> dict[str, str]:
        """What the annotations of a queue's object say then."""
        at = "" if self.at is None else datetime.fromtimestamp(self.at / 1000, UTC).isoformat(timespec="milliseconds")
        said = {PAUSED_BY: self.by, PAUSED_AT: at, PAUSED_NOTE: self.note}
        return {name: value for name, value in said.items() if value}

    def text(self) -> str:
        """As the store keeps it."""
        return json.dumps([self.by, self.at, self.note])

    @classmethod
    def read(cls, raw: bytes) -> Held | None:
        """From what the store has kept; None if that is empty."""
        return cls(*json.loads(raw)) if raw else None


@dataclass(frozen=True)
class QueueRecord:
    """A queue's settings, as the operator last saw its object.

    Attributes:
        namespace: of the object.
        name: of the object, without the namespace.
        spec: what it says.
        uid: of the object; two of one name at different times are two queues.
        since: when an object with this UID was seen first, in Unix ms.
        held: who has paused it, if it is paused and that is known.
        version: a digest of UID and settings, by which the store tells whether it still has these.
        refused: why nothing may be launched of it, as its pods ask for what is not allowed; "" if they do not.
        limits: what holds in place of its limits until a moment, which may be over.
    """

    namespace: str
    name: str
    spec: QueueSpec
    uid: str = ""
    since: int = field(default=0, compare=False)
    held: Held | None = None
    version: str = field(default="", compare=False)
    refused: str = ""
    limits: TimedLimits | None = None

    def limits_at(self, now_ms: int) -> TimedLimits | None:
        """What holds in place of its limits at a time (Unix ms); None if nothing does."""
        return self.limits if self.limits is not None and self.limits.until_ms > now_ms else None

    def most_at(self, now_ms: int) -> int:
        """How many of its jobs may hold a slot at a time."""
        limits = self.limits_at(now_ms)
        return self.spec.max_concurrent if limits is None or limits.max_concurrent is None else limits.max_concurrent

    def rate_at(self, now_ms: int) -> StartRate | None:
        """How many of its jobs may start in a time, as that is at this time; None: any number."""
        limits = self.limits_at(now_ms)
        return self.spec.start_rate if limits is None or limits.start_rate is None else limits.start_rate

    @property
    def key(self) -> str:
        """The full name of the queue, as `namespace/name`."""
        return f"{self.namespace}/{self.name}"

    @classmethod
    def read(cls, key: str, fields: Mapping[bytes, bytes]) -> QueueRecord:
        """The queue of this full name, from the fields of its hash in Redis."""
        namespace, _, name = key.partition("/")
        uid, since = fields.get(b"uid", b"").decode(), int(fields.get(b"since", b"0"))
        version = fields.get(b"version", b"").decode()
        held = Held.read(fields.get(b"held", b""))
        refused = fields.get(b"refused", b"").decode()
        limits = TimedLimits.read(fields.get(b"limits", b""))
        return cls(namespace, name, _spec(fields[b"spec"]), uid, since, held, version, refused, limits)


@lru_cache(maxsize=256)
def _spec(raw: bytes) -> QueueSpec:
    """Every job that is asked for reads its queue, and queues change seldom."""
    return QueueSpec.model_validate_json(raw)


@dataclass(frozen=True)
class QueueLoad:
    """How much a queue holds.

    Attributes:
        owned: how many of its jobs hold a slot.
        queued: how many are due and wait for one.
    """

    owned: int
    queued: int


@dataclass(frozen=True)
class QueueNow:
    """A job's queue as it is now.

    Attributes:
        record: its settings; None if there is no such queue.
        load: how much it holds.
        gone_at: when it was seen that there is none, in Unix ms; None if nobody has noted it.
        next_start: when its rate lets another job start, in Unix ms; None if it has no rate, or has not used it up.
        held: why nothing is launched from any queue; "" if nothing holds it.
        closed: concurrency keys at a limit, as the operator has found them last, each with its priority.
    """

    record: QueueRecord | None
    load: QueueLoad
    gone_at: int | None = None
    next_start: int | None = None
    held: str = ""
    closed: Mapping[str, int] = field(default_factory=dict[str, int])

    def shut_until(self, key: str, priority: int) -> int | None:
        """Until when a concurrency key may start no job of a priority, in Unix ms; None if it may start one now.

        It is `UNTIL_A_SLOT_IS_FREE` if it waits for one of its own jobs to end.
        """
        return self.closed.get(f"{priority}:{key}")
