"""What the runner says while a job runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgjobs_core.store.verbs import Verbs

if TYPE_CHECKING:
    from bgjobs_core.store.replies import BeatReply


class Running(Verbs):
    """The part of the store that hears from running attempts."""

    async def beat(
        self,
        *,
        job_id: str,
        pod_uid: str,
        attempt: int,
        chunk: tuple[int, int, bytes] | None,
        progress: str,
        checkpoint: str = "",
        keep_seconds: int,
    ) -> BeatReply:
        """Keep a piece of the log, the progress and the checkpoint of a running attempt.

        Args:
            job_id: the job.
            pod_uid: the pod that speaks.
            attempt: the attempt that it runs.
            chunk: a piece of the log, or None: where it begins and how long it is, in bytes before compression, and the
                compressed bytes. One that is there already is not kept again.
            progress: JSON that the job code has set; "" leaves what is there.
            checkpoint: JSON from which the next attempt can go on; "" leaves what is there, `null` forgets it.
            keep_seconds: how long the log is kept.

        Returns:
            `continue`, `stop` or `go_away`, up to where the log has arrived, and whether what was sent is kept: a full
            Redis keeps nothing of a beat, and answers it all the same.
        """
        offset, length, packed = chunk or (None, 0, b"")
        return await self._beat(
            job_id=job_id,
            pod_uid=pod_uid,
            attempt=attempt,
            chunk_offset=offset,
            chunk_length=length,
            chunk=packed,
            progress=progress,
            checkpoint=checkpoint,
            keep_seconds=keep_seconds,
        )
