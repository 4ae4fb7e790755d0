"""The API server's audit log: a witness that is not ours."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from installation import dev

if TYPE_CHECKING:
    from collections.abc import Iterator

Entry = dict[str, Any]
_CREATED = 201


def entries() -> Iterator[Entry]:
    """All writes, the first one first; rotated files too."""
    log = Path(dev("audit").strip())
    files = sorted(log.parent.glob(f"{log.stem}-*{log.suffix}"))
    for file in [*files, log]:
        with file.open(encoding="utf-8") as lines:
            for line in lines:
                try:
                    yield json.loads(line)
                except ValueError:  # the line that is being written
                    continue


def creations() -> Counter[str]:
    """How many KubeJobs the API server has made for each job, by the job's id.

    A POST that is broken off while it is under way (its operator ends) is logged as a timeout, although it was obeyed:
    whoever asks again is told that the KubeJob is there.
    """
    made, there = Counter[str](), set[str]()
    for entry in entries():
        if entry["verb"] == "create" and entry["objectRef"]["resource"] == "jobs":
            job_id = entry["objectRef"].get("name", "").removeprefix("bgjob-")
            made[job_id] += entry["responseStatus"]["code"] == _CREATED
            if entry["responseStatus"].get("reason") == "AlreadyExists":
                there.add(job_id)
    for job_id in there:
        made[job_id] = max(1, made[job_id])
    return made


def kube_jobs_created(job_id: str) -> list[Entry]:
    """Creations of the job's KubeJob that the API server accepted."""
    return [
        entry
        for entry in entries()
        if entry["verb"] == "create"
        and entry.get("objectRef", {}).get("resource") == "jobs"
        and entry["responseStatus"]["code"] < 300
        and entry["objectRef"].get("name") == f"bgjob-{job_id}"
    ]


def received_at(entry: Entry) -> datetime:
    """When the request reached the API server."""
    return datetime.fromisoformat(entry["requestReceivedTimestamp"])


def created_at(job_id: str) -> list[datetime]:
    """When the API server took the job's KubeJobs, one if all is well."""
    return [received_at(entry) for entry in kube_jobs_created(job_id)]
