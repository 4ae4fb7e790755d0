"""What an operator says of itself, and the API tells on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from bgjobs_core.health.findings import Doubt, dumps, loads

if TYPE_CHECKING:
    from collections.abc import Mapping

OperatorRole = Literal["leading", "waiting"]  # of a replica of the operator


@dataclass(frozen=True)
class OperatorReport:
    """What an operator says of itself.

    Attributes:
        version: of bgjobs.
        pod: its name.
        since_ms: since when it leads, or waits.
        doubts: what is wrong.
    """

    version: str
    pod: str
    since_ms: int
    doubts: tuple[Doubt, ...] = ()

    def fields(self) -> dict[str, str | int]:
        """For the store, without the pod."""
        return {"version": self.version, "since": self.since_ms, "doubts": dumps(self.doubts)}

    @classmethod
    def read(cls, fields: Mapping[bytes, bytes]) -> OperatorReport:
        """From what the store has; an operator of another version may have written it."""
        since = fields.get(b"since", b"0")
        return cls(
            version=fields.get(b"version", b"").decode(),
            pod=fields.get(b"pod", b"").decode(),
            since_ms=int(since) if since.isdigit() else 0,
            doubts=loads(fields.get(b"doubts", b"").decode()),
        )
