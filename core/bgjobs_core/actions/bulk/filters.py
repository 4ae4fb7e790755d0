"""The frozen filter of a bulk: as a value, and as text that is always written the same."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from bgjobs.vocabulary import Outcome, Phase, State
from bgjobs_core.actions.listing import Filter

# Fields of a `Filter`, by the names that they have in the API.
_NAMES: Final = {
    "state": "state", "phase": "phase", "queue": "queue", "class": "cls", "outcome": "outcome",
    "error_type": "error_type", "who": "who", "schedule": "schedule", "request": "request", "labels": "labels",
    "since": "since", "until": "until",
}  # fmt: skip


@dataclass(frozen=True)
class Frozen:
    """Which jobs are meant.

    Attributes:
        looked_for: of one namespace; its times are fixed.
        batch: id of the batch that they are of; "" if that does not matter.
    """

    looked_for: Filter
    batch: str = ""

    @property
    def namespace(self) -> str:
        """Of the jobs."""
        return self.looked_for.namespaces[0]

    def named(self) -> dict[str, Any]:
        """What is filtered by, by the names that the API has for it."""
        found = {name: getattr(self.looked_for, field) for name, field in _NAMES.items()}
        return {name: value for name, value in {**found, "batch": self.batch}.items() if value not in (None, "", ())}

    def text(self) -> str:
        """As it is signed, and kept in Redis."""
        return json.dumps(self.named(), sort_keys=True, separators=(",", ":"))

    @classmethod
    def read(cls, namespace: str, text: str) -> Frozen:
        """What `text` has written.

        Raises:
            KeyError, ValueError, TypeError: it was not.
        """
        found: dict[str, Any] = json.loads(text)
        batch = str(found.pop("batch", ""))
        known: dict[str, Any] = {_NAMES[name]: value for name, value in found.items()}
        for name, kind in (("state", State), ("phase", Phase), ("outcome", Outcome)):
            if name in known:
                known[name] = kind(known[name])
        known["labels"] = tuple((key, value) for key, value in known.get("labels", ()))
        return cls(Filter((namespace,), **known), batch)
