"""Reads the API server's audit log, which shows independently of bgjobs what was written to Kubernetes."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from installation import dev

if TYPE_CHECKING:
    from collections.abc import Iterator

Entry = dict[str, Any]
_OK = 200
_CREATED = 201


def entries() -> Iterator[Entry]:
    """Yield all entries of the log and of its rotated files, the oldest first."""
    log = Path(dev("audit").strip())
    files = sorted(log.parent.glob(f"{log.stem}-*{log.suffix}"))
    for file in [*files, log]:
        with file.open(encoding="utf-8") as lines:
            for line in lines:
                try:
                    yield json.loads(line)
                except ValueError:  # a line that is just being written
                    continue


def creations() -> Counter[str]:
    """How many KubeJobs the API server has made for each job, by the job's id.

    A POST whose operator ends while it is under way is logged as a timeout, although the KubeJob was made. That is seen
    when the POST is sent again: the answer is that the KubeJob exists already. If the next leader has seen the KubeJob
    first, it sends none; then what the Job controller writes to the KubeJob names its UID.
    """
    made, there = Counter[str](), set[str]()
    uids: defaultdict[str, set[str]] = defaultdict(set)
    for entry in entries():
        about, answer = entry.get("objectRef", {}), entry.get("responseStatus", {})
        if about.get("resource") != "jobs" or "code" not in answer:
            continue
        job_id = about.get("name", "").removeprefix("bgjob-")
        if entry["verb"] == "create":
            made[job_id] += answer["code"] == _CREATED
            if answer.get("reason") == "AlreadyExists":
                there.add(job_id)
        elif entry["verb"] == "update" and answer["code"] == _OK and "uid" in about:
            uids[job_id].add(about["uid"])
    for job_id in there:
        made[job_id] = max(1, made[job_id])
    for job_id, of_it in uids.items():
        made[job_id] = max(len(of_it), made[job_id])
    return made


def kube_jobs_created(job_id: str) -> list[Entry]:
    """Return the entries of the job's KubeJobs that the API server has created."""
    return [
        entry
        for entry in entries()
        if entry["verb"] == "create"
        and entry.get("objectRef", {}).get("resource") == "jobs"
        and entry["responseStatus"]["code"] < 300
        and entry["objectRef"].get("name") == f"bgjob-{job_id}"
    ]


def received_at(entry: Entry) -> datetime:
    """Return when the request of this entry reached the API server."""
    return datetime.fromisoformat(entry["requestReceivedTimestamp"])


def created_at(job_id: str) -> list[datetime]:
    """Return when the requests to create the job's KubeJobs reached the API server; there should be exactly one."""
    return [received_at(entry) for entry in kube_jobs_created(job_id)]
