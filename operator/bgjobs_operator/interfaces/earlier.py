"""Whether a KubeJob is that of an earlier job: decided here alone, for whoever would bind one to a job by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bgjobs.ids import is_of_a_key

if TYPE_CHECKING:
    from bgjobs_core.jobs.record import JobRecord
    from bgjobs_operator.interfaces.launcher import KubeJobView

# The API server's clock and that of Redis may differ so much, and the API server cuts off parts of a second.
TOLERANCE_MS: Final = 60_000


def is_of_earlier_job(view: KubeJobView, job: JobRecord) -> bool:
    """Whether a KubeJob with the name of an unbound job was made for an earlier job of the same id.

    Only the id of a key means several jobs, one after the other: the key is free again when the record is gone, which
    also happens when Redis loses its data. Any other id means one job for ever, however often its record is made anew,
    so its KubeJob is taken back.

    Args:
        view: the KubeJob, as it is seen.
        job: the record that has its name.
    """
    if view.created_at is None or not is_of_a_key(job.id):
        return False
    return view.created_at < job.created_at - TOLERANCE_MS
