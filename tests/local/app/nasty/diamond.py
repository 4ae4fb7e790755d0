"""Jobs that need each other."""

from __future__ import annotations

from bgjobs import JobFailedError, current_job


class Diamond:
    def give(self, value: int) -> int:
        return value

    def fail(self) -> None:
        raise ValueError("this branch is rotten")

    def add(self) -> int:
        """The sum of what the parents returned."""
        return sum(one.result() for one in current_job().parents.values())

    def tell(self) -> dict[str, object]:
        """What became of each parent."""
        found: dict[str, object] = {}
        for job_id, parent in current_job().parents.items():
            try:
                found[job_id] = parent.result()
            except JobFailedError as error:
                found[job_id] = f"{error.state}/{error.outcome}"
        return found

    def collect(self) -> dict[str, object]:
        """What the jobs of the batch returned that it needs, and how many did not."""
        (batch,) = current_job().parents.batches
        results = [one.result() for one in batch.jobs() if one.state == "succeeded"]
        return {"state": batch.state, "failed": batch.counts["failed"], "results": results}
