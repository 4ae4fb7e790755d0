"""A queue as the store has it: its settings, and how much it holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from bgjobs_core.resources.models import QueueSpec

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class QueueRecord:
    """A queue's settings, as the operator last saw its object.

    Attributes:
        namespace: of the object.
        name: of the object, without the namespace.
        spec: what it says.
        uid: of the object; two of one name at different times are two queues.
        since: when an object with this UID was seen first, in Unix ms.
        version: a digest of UID and settings, by which the store tells whether it still has these.
    """

    namespace: str
    name: str
    spec: QueueSpec
    uid: str = ""
    since: int = field(default=0, compare=False)
    version: str = field(default="", compare=False)

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
        return cls(namespace, name, _spec(fields[b"spec"]), uid, since, version)


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
    """

    record: QueueRecord | None
    load: QueueLoad
    gone_at: int | None = None
