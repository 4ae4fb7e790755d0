"""One scrape: a snapshot, in the format that Prometheus asks for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bgjobs_operator.metrics.families import exposition
from bgjobs_operator.metrics.snapshot import Snapshots

if TYPE_CHECKING:
    from collections.abc import Collection

    from bgjobs_core.store.store import Store
    from bgjobs_operator.health.health import Health
    from bgjobs_operator.health.server import Scrape


def scraper(store: Store, health: Health, namespaces: Collection[str]) -> Scrape:
    """What answers `/metrics` of this process; the namespaces are those of jobs."""
    snapshots = Snapshots(store, health, namespaces, time.monotonic)

    async def scrape(accept: str) -> tuple[bytes, str]:
        return exposition(await snapshots.take(), accept)

    return scrape
