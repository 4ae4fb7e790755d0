"""The store: all of bgjobs' data, behind one object."""

from __future__ import annotations

from bgjobs_core.store.bulks import Bulks
from bgjobs_core.store.cells import Cells
from bgjobs_core.store.enqueueing import Enqueueing
from bgjobs_core.store.families import Families
from bgjobs_core.store.figures import Figures
from bgjobs_core.store.holding import Holding
from bgjobs_core.store.layout import Layout
from bgjobs_core.store.leading import Leading
from bgjobs_core.store.logs import Logs
from bgjobs_core.store.rollback import Rollback
from bgjobs_core.store.running import Running
from bgjobs_core.store.work_lists import WorkLists


class Store(Enqueueing, Running, Leading, Holding, Cells, Bulks, Families, Figures, WorkLists, Logs, Layout, Rollback):
    """All of bgjobs' data in Redis: the verbs, which write, and the reads.

    Each verb is one atomic script and can be sent again after a lost reply, as redis-py does. The verbs are in
    `verbs.py` and `deeds.py`, which are generated from the headers of the Lua files; where a verb takes a value of
    ours, such as a `NewJob`, one of the base classes makes its arguments. Every method may raise the errors of
    `bgjobs_core.redis.errors`.
    """

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()
