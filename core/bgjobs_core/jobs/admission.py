"""Whether a job may be enqueued: one policy for the API and for requests, before anything is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bgjobs.approval import is_approved
from bgjobs.vocabulary import WhyNot
from bgjobs_core.jobs import images
from bgjobs_core.jobs.record import NewJob
from bgjobs_core.jobs.spec import complete, likeness

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence

    from bgjobs_core.jobs.queue import QueueRecord
    from bgjobs_core.jobs.record import AskedJob
    from bgjobs_core.resources.models import QueueSpec

NOT_APPROVED: Final = "class_not_approved"
# What helps on a cluster; in local mode something else does.
ADD_IT: Final = "an administrator can add it there"


@dataclass(frozen=True)
class NotAdmitted:
    """Why not: the field as the API names it, a stable word, and what to do about it."""

    field: str
    code: str
    message: str


def approved(cls: str, patterns: Iterable[str]) -> bool:
    """Whether a class is on the list; see `approval.is_approved`."""
    return is_approved(cls, tuple(patterns))


def _if_a_module(name: str, queue: QueueSpec) -> str:
    """What to add where the classes of a module are approved, and the module, for its functions, is not."""
    below = f"{name}.*" in queue.approved_classes
    return f" ({name}.* are its classes; for a function, name its module there: {name})" if below else ""


def image_allowed(image: str, spec: QueueSpec) -> bool:
    """Whether a job may name this image: the queue's own, or one that its patterns fit."""
    return image == spec.image or any(images.fits(image, pattern) for pattern in spec.images)


def parents_missing(asked: AskedJob, missing: Iterable[str]) -> NotAdmitted:
    """The refusal of a job that needs jobs which are not there."""
    return NotAdmitted(
        "needs",
        "needs_not_found",
        f"there is no such job in namespace {asked.namespace!r}, or it was dropped after its retention: "
        f"{', '.join(missing)}; enqueue it first, or leave it out of `needs`",
    )


def decide_by(asked: AskedJob, queue: QueueRecord | None) -> NewJob | NotAdmitted:
    """As `decide`, by a queue as the store has it; None if there is no such queue."""
    return decide(asked, queue.spec, queue.uid, queue.refused) if queue else decide(asked, None)


def decide_each(asked: Sequence[AskedJob], queues: Mapping[str, QueueRecord | None]) -> list[NewJob | NotAdmitted]:
    """As `decide_by` for each, in the same order. Most jobs that come together are alike: one of those is decided.

    Args:
        asked: the jobs as they were asked for.
        queues: by their full names, as `namespace/name`, those of all these jobs.
    """
    found: dict[Hashable, NewJob | NotAdmitted] = {}
    decisions: list[NewJob | NotAdmitted] = []
    for one in asked:
        alike = (one.queue_key, one.last_image, likeness(one.spec))
        said = found.get(alike)
        if said is None:
            said = found[alike] = decide_by(one, queues[one.queue_key])
        elif isinstance(said, NewJob):
            said = NewJob(one, said.spec, said.records_seconds, said.logs_seconds, said.queue_uid)
        decisions.append(said)
    return decisions


def decide(asked: AskedJob, queue: QueueSpec | None, queue_uid: str = "", refused: str = "") -> NewJob | NotAdmitted:
    """Admit a job, completed with what its queue decides; or the first thing that is wrong with it.

    Args:
        asked: the job as it was asked for.
        queue: settings of its queue; None if there is no such queue.
        queue_uid: UID of the queue's object.
        refused: why no job of the queue may be launched; "" if they may.
    """
    spec = asked.spec
    if queue is None:
        return NotAdmitted(
            "queue",
            "queue_not_found",
            f"there is no BackgroundJobQueue {spec.queue!r} in namespace {asked.namespace!r}; "
            f"see `kubectl get backgroundjobqueues -n {asked.namespace}`",
        )
    if refused:
        return NotAdmitted("queue", WhyNot.QUEUE_REFUSED, f"no job of queue {spec.queue!r} is launched: {refused}")
    if not approved(spec.cls, queue.approved_classes):
        return NotAdmitted(
            "class",
            NOT_APPROVED,
            f"{spec.cls} is not in approvedClasses of queue {spec.queue!r} in namespace {asked.namespace!r}; {ADD_IT}"
            f"{_if_a_module(spec.cls, queue)}",
        )
    image = spec.image or queue.image or asked.last_image
    if not image:
        return NotAdmitted(
            "image", "image_missing", f"queue {spec.queue!r} has no image: set spec.image of the BackgroundJobQueue"
        )
    if not image_allowed(image, queue):
        return NotAdmitted(
            "image", "image_not_allowed", f"{image} fits none of the images that queue {spec.queue!r} lists"
        )
    return NewJob(
        asked=asked,
        spec=complete(
            spec, image=image, max_retries=queue.default_max_retries, timeout_seconds=queue.default_timeout_seconds
        ),
        records_seconds=queue.retention.records_seconds,
        logs_seconds=queue.retention.logs_seconds,
        queue_uid=queue_uid,
    )
