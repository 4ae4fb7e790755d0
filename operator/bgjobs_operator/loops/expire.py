"""expire: jobs that have no slot by the time that was set for them are cancelled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import structlog

if TYPE_CHECKING:
    from bgjobs_core.store.store import Store

PERIOD: Final = 4.0

log: Any = structlog.get_logger(__name__)


@dataclass
class Expire:
    """One turn ends the jobs whose time is over, some at once, so that Redis serves others between them."""

    store: Store

    async def turn(self) -> float | None:
        """Returns the seconds until the next job expires, at most `PERIOD`: earlier ones may come meanwhile."""
        reply = await self.store.expire()
        if reply.dropped:
            log.warning("ids without a waiting job were dropped from those that expire", dropped=reply.dropped)
        if reply.next_at is None:
            return PERIOD
        return min(PERIOD, max(0.0, (reply.next_at - reply.now) / 1000))
