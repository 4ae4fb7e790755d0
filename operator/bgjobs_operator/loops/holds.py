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
        for _ in range(_SCRIPTS):
            back = await self.store.let_go()
            if back.dropped:
                log.warning("ids without a held job were dropped from those of a hold", dropped=back.dropped)
            away = await self.store.set_aside()
            if back.more == "no" and away.more == "no":
                if back.next_at is None:
                    return None
                return min(PERIOD, max(0.0, (back.next_at - back.now) / 1000))
        return 0.0
