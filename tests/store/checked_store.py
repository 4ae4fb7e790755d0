"""A store that watches each of its claims (S5, S6 of docs/safety.md), and the clock that tests move."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bgjobs_core.store.store import Store

if TYPE_CHECKING:
    from bgjobs_core.jobs.record import FullJob
    from bgjobs_core.store.replies import ClaimReply


@dataclass
class Clock:
    """Added to Redis TIME by every verb of the store under test."""

    offset_ms: int = 0

    def __call__(self) -> int:
        return self.offset_ms

    def forward(self, seconds: float) -> None:
        """Let so much time pass; negative: the clock was set back."""
        self.offset_ms += round(seconds * 1000)


class CheckedStore(Store):
    """The store itself; a claim that breaks S5 or S6 fails the test."""

    async def claim(self, *, epoch: str, queue: str, limit: int, floor: int = 0) -> ClaimReply:
        """As Store.claim."""
        settings = await self.queue(queue)
        claimed = await super().claim(epoch=epoch, queue=queue, limit=limit, floor=floor)
        if claimed.ids:
            load = await self.queue_load(queue)
            assert settings is not None, "S6: claimed from a queue that is not there"
            assert not settings.spec.paused, "S6: claimed from a paused queue"
            most = settings.most_at(await self.now_ms() + self._scripts.offset_ms())
            assert load.owned <= most, f"S5: {load.owned} slots are taken"
        return claimed

    async def there(self, job_id: str) -> FullJob:
        """A job that must be there, with its texts."""
        record = await self.full_job(job_id)
        assert record is not None, f"there is no job {job_id}"
        return record
