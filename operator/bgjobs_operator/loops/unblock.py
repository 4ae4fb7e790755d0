"""unblock: the children of jobs that have ended hear of it, and go on or are cancelled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import structlog

if TYPE_CHECKING:
    from bgjobs_core.store.store import Store

PERIOD: Final = 10.0  # seconds between two looks; the end of a job that others need wakes it
_SCRIPTS: Final = 100  # in one turn

log: Any = structlog.get_logger(__name__)


@dataclass
class Unblock:
    """One turn tells some children in each of several scripts, so that Redis serves others between them."""

    store: Store

    async def turn(self) -> float | None:
        """Look again at once while some are left."""
        for _ in range(_SCRIPTS):
            reply = await self.store.unblock()
            if reply.dropped:
                log.warning("ids without an open job were dropped from the children of one", dropped=reply.dropped)
            if reply.more == "no":
                return None
        return 0.0
