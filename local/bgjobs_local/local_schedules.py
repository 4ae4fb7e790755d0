"""The schedules of local mode: what the files say, and what is remembered of each in the data folder.

On a cluster the status of a schedule, and that it is paused, are in its object; here they are in one file.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, cast

from bgjobs_core.resources.schedules import SUSPENDED_BY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from bgjobs_core.kube.objects import Object

Key = tuple[str, str]
_SUSPENDED: Final = "suspend"
_IN_FILE: Final = "in_file"
_BY: Final = "by"


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass
class LocalSchedules:
    """Makes objects of what the files say.

    Attributes:
        path: where it is remembered; None: nothing is remembered longer than the process lives.
        now: tells the time.
    """

    path: Path | None = None
    now: Callable[[], datetime] = _now
    _remembered: dict[str, Object] = field(default_factory=dict[str, "Object"])
    _lock: threading.RLock = field(default_factory=threading.RLock)  # files are read on a thread

    def __post_init__(self) -> None:
        try:
            found: Any = {} if self.path is None else json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # there is none yet, or it was cut off: then they begin anew
            found = {}
        if isinstance(found, dict):
            known = cast("dict[str, Any]", found)
            self._remembered = {key: cast("Object", one) for key, one in known.items() if isinstance(one, dict)}

    def objects(self, specs: Mapping[Key, Object]) -> dict[Key, Object]:
        """What the files say, as objects of Kubernetes; what they do not say any more is forgotten."""
        names = {_name(key) for key in specs}
        with self._lock:
            changed = self._remembered.keys() != names
            self._remembered = {name: one for name, one in self._remembered.items() if name in names}
            for name in names - self._remembered.keys():
                self._remembered[name] = {"created": self.now().isoformat(timespec="seconds")}
            if changed:
                self._save()
            return {key: self._object(key, spec) for key, spec in specs.items()}

    def keep_status(self, key: Key, status: Object) -> None:
        """Remember the status of a schedule."""
        with self._lock:
            self._remembered.setdefault(_name(key), {})["status"] = status
            self._save()

    def status(self, key: Key) -> Object:
        """The status that is remembered; empty if there is none."""
        found = self._remembered.get(_name(key), {}).get("status")
        return cast("Object", found) if isinstance(found, dict) else {}

    def suspend(self, key: Key, spec: Object, by: str, *, suspend: bool) -> None:
        """Pause or resume it, until the file says something else than it says now."""
        said = {_SUSPENDED: suspend, _IN_FILE: bool(spec.get("suspend", False)), _BY: by}
        with self._lock:
            self._remembered.setdefault(_name(key), {})["suspend"] = said
            self._save()

    def _object(self, key: Key, spec: Object) -> Object:
        namespace, name = key
        known = self._remembered[_name(key)]
        metadata: Object = {"namespace": namespace, "name": name, "uid": _name(key)}
        metadata["creationTimestamp"] = known.get("created") or self.now().isoformat(timespec="seconds")
        said: Any = known.get("suspend")
        if isinstance(said, dict):
            wish = cast("Object", said)
            if wish.get(_IN_FILE) is bool(spec.get("suspend", False)):
                spec = {**spec, "suspend": wish.get(_SUSPENDED) is True}
                if spec["suspend"]:
                    metadata["annotations"] = {SUSPENDED_BY: str(wish.get(_BY, ""))}
        metadata["generation"] = hash(repr(spec))  # it changes with the spec, as in Kubernetes
        return {"metadata": metadata, "spec": spec, "status": self.status(key)}

    def _save(self) -> None:
        if self.path is None:
            return
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps(self._remembered), encoding="utf-8")
        new.replace(self.path)


def troubles(status: Object) -> Iterable[str]:
    """What a status says that is not well."""
    for condition in cast("Iterable[dict[str, str]]", status.get("conditions") or ()):
        if condition["status"] == "False":
            yield f"{condition['reason']}: {condition['message']}"


def _name(key: Key) -> str:
    return "/".join(key)
