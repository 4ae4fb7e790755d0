"""Nodes that do not answer: how it is seen of a pod, and when the pod is given up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bgjobs.vocabulary import Phase

if TYPE_CHECKING:
    from bgjobs_core.jobs.record import JobRecord
    from bgjobs_operator.interfaces.launcher import KubeJobView, PodView

LOST_SECONDS: Final = 600.0  # after a pod should have ended
_LATE_MS: Final = 5000  # so much later than it should a pod may end, and its node is well
AWAY: Final = (
    "The node of its pod does not answer. If it stays away, Kubernetes deletes the pod after five minutes; ten minutes "
    "later this attempt is given up, and the next one begins on another node."
)
LOST: Final = "its node was to end it, and does not answer"


def may_be_away(view: KubeJobView, job: JobRecord) -> bool:
    """Whether the code of a job runs, as far as the record knows, in a pod that Kubernetes does not count on."""
    return job.phase == Phase.RUNNING and view.active > 0 and not view.ready


def is_away(pod: PodView, now: int) -> bool:
    """Whether the node of a pod whose code runs does not answer at the moment; `now` in Unix ms.

    Kubernetes takes such a pod for not ready about a minute after it has heard the node last. Our pods have no probes,
    so only one that is deleted is not ready for another reason: it ends.
    """
    if pod.ended:
        return False
    return pod.unready if pod.ends_by is None else now - pod.ends_by > _LATE_MS


def is_lost(pod: PodView, now: int) -> bool:
    """Whether the node of a pod does not answer any more: it was to end the pod, and has not; `now` in Unix ms.

    Kubernetes has deleted the pod by then, five minutes after the node was heard last.
    """
    return not pod.ended and pod.ends_by is not None and now - pod.ends_by > LOST_SECONDS * 1000
