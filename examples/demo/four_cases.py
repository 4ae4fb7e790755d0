"""Four cases: a job that runs, priorities, a delay and retries. Each can be played in every way to ask for a job."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from bgjobs import BgjobsError, JobClient
from installation import CommandError, wait_until

if TYPE_CHECKING:
    from datetime import datetime

    from bgjobs.wire import Job
    from ways import Way


@dataclass(frozen=True)
class Site:
    """The installation on which the cases are played.

    Attributes:
        client: asks the API.
        created: returns when the KubeJobs of a job (by its id) were created, from another source than the job's record.
        say: prints a line.
    """

    client: JobClient
    created: Callable[[str], list[datetime]]
    say: Callable[[str], None]


@dataclass(frozen=True)
class Row:
    """One line of the table: a case, played in one way.

    Attributes:
        case: its letter, `a` to `d`.
        way: how the jobs were asked for.
        expected: how the case should end.
        seen: how it ended.
        passed: whether that is as expected.
        seconds: how long it took.
    """

    case: str
    way: str
    expected: str
    seen: str
    passed: bool
    seconds: float


def ended(site: Site, job_id: str, seconds: float = 120) -> Job:
    """Wait until a job has ended, and print its states meanwhile.

    Raises:
        TimeoutError: if it has not ended after so many seconds.
    """
    last = ""
    deadline = time.monotonic() + seconds
    while True:
        job = site.client.get(job_id)
        how = job.reason or (job.last_outcome if job.phase == "retrying" else None)
        now = " ".join(part for part in (job.state, job.phase, how) if part)
        if now != last:
            site.say(f"{job.cls.rpartition('.')[2]}.{job.method} {job_id[-6:]}: {now}")
            last = now
        if job.finished_at is not None:
            return job
        if time.monotonic() > deadline:
            raise TimeoutError(f"job {job_id} is still {now} after {seconds:g} s")
        time.sleep(0.3)


def runs(way: Way, site: Site) -> Row:
    """A: a job with no delay or priority runs, and its parameters reach it."""
    began = time.monotonic()
    job = ended(site, way.ask("shop.jobs.Invoices", "render", [2026, 11]))
    value = site.client.handle(job.id).result() if job.state == "succeeded" else None
    seen = f"{job.state}, {json.dumps(value)}"
    expected = 'succeeded, {"invoices": 5, "folder": "invoices/de/2026/11"}'
    return Row("a", way.name, expected, seen, seen == expected, time.monotonic() - began)


def priority(way: Way, site: Site) -> Row:
    """B: one slot is held while low, then high are enqueued; when it is free, high runs first."""
    began = time.monotonic()
    hold = way.ask("shop.jobs.Orders", "hold", [600], queue="single")
    wait_until("the slot is taken", lambda: site.client.get(hold).started_at is not None)
    low = way.ask("shop.jobs.Invoices", "render", [2026, 1], queue="single", priority=0)
    high = way.ask("shop.jobs.Invoices", "render", [2026, 2], queue="single", priority=1)
    site.client.cancel(hold)  # only now the slot becomes free, however long the two calls took
    jobs = {name: ended(site, job_id) for name, job_id in (("hold", hold), ("high", high), ("low", low))}
    order = sorted(jobs, key=lambda name: jobs[name].started_at or jobs[name].changed_at)
    overlap = any(
        (jobs[first].finished_at or began_at(jobs[first])) > began_at(jobs[second]) for first, second in pairwise(order)
    )
    seen = f"{', '.join(order)}; {'at once' if overlap else 'one at a time'}"
    expected = "hold, high, low; one at a time"
    return Row("b", way.name, expected, seen, seen == expected, time.monotonic() - began)


def began_at(job: Job) -> datetime:
    """Return when the job's code started; if that is not known, when its record changed last."""
    return job.started_at or job.changed_at


def delayed(way: Way, site: Site) -> Row:
    """C: a job with 10 s delay: its KubeJob is not created before it is due, and within 1 s after."""
    began = time.monotonic()
    job = ended(site, way.ask("shop.jobs.Invoices", "render", [2026, 3], delay=10))
    created = site.created(job.id)
    if len(created) != 1 or job.not_before is None:
        seen, passed = f"{len(created)} KubeJobs", False
    else:
        waited = (job.not_before - job.created_at).total_seconds()
        late = (created[0] - job.not_before).total_seconds()
        passed = waited >= 9 and 0 <= late <= 1 and job.state == "succeeded"
        seen = f"KubeJob {late:.3f} s after it was due, {job.state}"
    return Row("c", way.name, "KubeJob 0 to 1 s after it was due, succeeded", seen, passed, time.monotonic() - began)


def retried(way: Way, site: Site) -> Row:
    """D: a job that raises is retried by Kubernetes up to max_retries, then failed; each attempt has log and error."""
    began = time.monotonic()
    job = ended(site, way.ask("shop.jobs.Payments", "charge", [42], max_retries=2), 180)
    attempts = site.client.attempts(job.id)
    told = [
        bool(a.error and "PaymentRefused" in (a.error.traceback or "") and site.client.logs(job.id, a.number).strip())
        for a in attempts
    ]
    words = [str(a.outcome) for a in attempts]
    seen = f"{job.state}; {', '.join(words)}; log and traceback of {sum(told)}"
    expected = "failed; error, error, error; log and traceback of 3"
    return Row("d", way.name, expected, seen, seen == expected, time.monotonic() - began)


Case = Callable[["Way", Site], Row]

CASES: tuple[Case, ...] = (runs, priority, delayed, retried)


def play(case: Case, way: Way, site: Site) -> Row:
    """Play a case in one way. An error becomes a row that has not passed, so that the other cases are still played."""
    began = time.monotonic()
    try:
        return case(way, site)
    except (BgjobsError, CommandError, TimeoutError) as error:
        letter = (case.__doc__ or "?")[0].lower()
        return Row(letter, way.name, "an end", f"{type(error).__name__}: {error}", False, time.monotonic() - began)
