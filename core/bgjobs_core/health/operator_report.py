"""The report that each process of the operator writes into Redis, where the API reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from bgjobs_core.health.findings import Finding, dumps, loads

if TYPE_CHECKING:
    from collections.abc import Mapping

OperatorRole = Literal["leading", "waiting"]  # of a replica of the operator


@dataclass(frozen=True)
class OperatorReport:
    """What a process of the operator reports about itself.

    Attributes:
        version: its version of bgjobs.
        pod: the name of its pod.
        since_ms: since when it leads, or stands by, in Unix milliseconds.
        findings: what is wrong, as it sees it.
    """

    version: str
    pod: str
    since_ms: int
    findings: tuple[Finding, ...] = ()

    def fields(self) -> dict[str, str | int]:
        """The fields that the store writes; it adds the name of the pod itself."""
        return {"version": self.version, "since": self.since_ms, "findings": dumps(self.findings)}

    @classmethod
    def read(cls, fields: Mapping[bytes, bytes]) -> OperatorReport:
        """Make a report from the fields in the store, which an operator of another version may have written."""
        since = fields.get(b"since", b"0")
        return cls(
            version=fields.get(b"version", b"").decode(),
            pod=fields.get(b"pod", b"").decode(),
            since_ms=int(since) if since.isdigit() else 0,
            findings=loads(fields.get(b"findings", b"").decode()),
        )
