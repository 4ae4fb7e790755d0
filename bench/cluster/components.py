"""The processes of a Kubernetes on this machine, and how long a processor has worked for each part of it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.cpu import ProcessClock

if TYPE_CHECKING:
    from collections.abc import Mapping

# What a part is called on the page, by the name of its program as Linux cuts it off.
_PROGRAMS: Final = {
    "kube-apiserver": "API server",
    "etcd": "etcd",
    "kube-controller": "controllers",
    "kube-scheduler": "scheduler",
    "kwok": "fake nodes",
    "bgjobs-operator": "operator",
    "redis-server": "redis",
    "valkey-server": "redis",
}
_BENCH: Final = "this benchmark"  # it follows the KubeJobs, and is the bare loop
PARTS: Final = (*dict.fromkeys(_PROGRAMS.values()), _BENCH)


def seconds() -> dict[str, float]:
    """The processor time of all parts so far, in seconds; parts that do not run on this machine have none."""
    found = {**dict.fromkeys(PARTS, 0.0), _BENCH: time.process_time()}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            part = _PROGRAMS.get((folder / "comm").read_text().strip())
            if part is not None:
                found[part] += ProcessClock(int(folder.name)).seconds()
        except OSError:  # it has ended
            continue
    return found


def between(before: Mapping[str, float], after: Mapping[str, float], count: int) -> dict[str, float]:
    """What each part has worked for one of so many, in seconds."""
    return {part: max(0.0, after[part] - before[part]) / count for part in PARTS}
