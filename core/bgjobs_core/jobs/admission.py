"""Whether a job may be enqueued: one policy for the API and for requests, before anything is written."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from bgjobs_core.jobs.record import NewJob

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bgjobs_core.resources.models import QueueSpec


@dataclass(frozen=True)
class Wanted:
    """A job as somebody asked for it; None where the queue's default is wanted."""

    id: str
    namespace: str
    queue: str
    cls: str
    method: str
    parameters: str
    priority: int
    delay_seconds: float
    max_retries: int | None
    timeout_seconds: float | None
    image: str | None
    created_by: str
    not_before_ms: int | None = None
    request_name: str = ""
    request_uid: str = ""
    rerun_of: str = ""


@dataclass(frozen=True)
class Refused:
    """Why not: the field as the API names it, a stable word, and what to do about it."""

    field: str
    code: str
    message: str


def approved(cls: str, patterns: Iterable[str]) -> bool:
    """Whether a class is on the list: its exact name, or below a package given as `package.*`."""
    return any(cls == pattern or (pattern.endswith(".*") and cls.startswith(pattern[:-1])) for pattern in patterns)


def image_allowed(image: str, spec: QueueSpec) -> bool:
    """Whether a job may name this image: the queue's own, or one that its patterns fit."""
    return image == spec.image or any(fnmatchcase(image, pattern) for pattern in spec.images)


def decide(wanted: Wanted, spec: QueueSpec | None) -> NewJob | Refused:
    """The job completed with the queue's defaults, or the first thing that is wrong with it."""
    if spec is None:
        return Refused(
            "queue",
            "queue_not_found",
            f"there is no BackgroundJobQueue {wanted.queue!r} in namespace {wanted.namespace!r}; "
            f"see `kubectl get backgroundjobqueues -n {wanted.namespace}`",
        )
    if not approved(wanted.cls, spec.approved_classes):
        return Refused(
            "class",
            "class_not_approved",
            f"{wanted.cls} is not in approvedClasses of queue {wanted.queue!r} in namespace {wanted.namespace!r}; "
            "an administrator can add it there",
        )
    image = wanted.image or spec.image
    if not image:
        return Refused(
            "image", "image_missing", f"queue {wanted.queue!r} has no image: set spec.image of the BackgroundJobQueue"
        )
    if not image_allowed(image, spec):
        return Refused(
            "image", "image_not_allowed", f"{image} fits none of the images that queue {wanted.queue!r} lists"
        )
    return NewJob(
        id=wanted.id,
        namespace=wanted.namespace,
        queue=wanted.queue,
        cls=wanted.cls,
        method=wanted.method,
        parameters=wanted.parameters,
        priority=wanted.priority,
        delay_ms=round(wanted.delay_seconds * 1000),
        max_retries=spec.default_max_retries if wanted.max_retries is None else wanted.max_retries,
        timeout_seconds=wanted.timeout_seconds or spec.default_timeout_seconds,
        image=image,
        created_by=wanted.created_by,
        records_seconds=spec.retention.records_seconds,
        logs_seconds=spec.retention.logs_seconds,
        not_before_ms=wanted.not_before_ms,
        request_name=wanted.request_name,
        request_uid=wanted.request_uid,
        rerun_of=wanted.rerun_of,
    )
