"""holds: jobs that are held by what they are go aside, and come back when their hold is over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import structlog

if TYPE_CHECKING:
    from bgjobs_core.store.store import Store

PERIOD: Final = 10.0  # seconds between two looks; a new hold, one that ends, and a claim that meets held jobs wake it
_SCRIPTS: Final = 50  # of each kind in one turn

log: Any = structlog.get_logger(__name__)


@dataclass
class Holds:
    """One turn moves some jobs in each of several scripts, so that Redis serves others between them."""

    store: Store

    async def turn(self) -> float | None:
        """Look again at once while some are left, and when the next hold ends."""
        back = away = True
        next_in: float | None = None
        for _ in range(_SCRIPTS):
            if back:
                reply = await self.store.let_go()
                if reply.dropped:
                    log.warning("ids without a held job were dropped from those of a hold", dropped=reply.dropped)
                back = reply.more == "yes"
                next_in = None if reply.next_at is None else max(0.0, (reply.next_at - reply.now) / 1000)
            if away:
                away = (await self.store.set_aside()).more == "yes"
            if not back and not away:
                return None if next_in is None else min(PERIOD, next_in)
        return 0.0
