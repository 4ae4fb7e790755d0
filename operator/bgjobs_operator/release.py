"""The command `python -m bgjobs_operator.release`: launches go on, after a Redis that was older than the world.

docs/operations.md says what to look at before.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bgjobs_core.store import keys
from bgjobs_operator import asked_first

if TYPE_CHECKING:
    from bgjobs_core.store.store import Store

_NAME = "python -m bgjobs_operator.release"


async def release(store: Store, *, agreed: bool) -> int:
    """Let launches go on if they are held, and say so; return the exit code.

    Args:
        store: what is in Redis.
        agreed: whether it is done; else it is only told what is held, and why.
    """
    found = await store.what_holds()
    if found is None:
        print("Nothing is held; there is nothing to do.")
        return 0
    loads = [await store.queue_load(key) for key in await store.queue_keys()]
    queued = sum(load.queued for load in loads)
    claimed = [
        one for namespace in await store.namespaces() async for one in store.all_ids_in(keys.launching, namespace)
    ]
    launchable = f"{queued:,} queued and {len(claimed):,} claimed jobs"
    since = f"{datetime.fromtimestamp(found.since / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
    if not agreed:
        print(
            f"Since {since} nothing is launched: {found.reason}. {launchable} wait. Those among them that had ended "
            "before Redis lost its data run again when they are released; cancel them first if they must not (`bgjobs "
            "list --state queued`, `bgjobs list --state launching`, `bgjobs cancel ID`). If all is well: "
            f"{_NAME} --yes",
            file=sys.stderr,
        )
        return 2
    await store.release()
    print(f"Released; {launchable} are launched as their queues have room.")
    return 0


def main() -> int:
    """Entry point; return the exit code."""
    return asked_first.main(
        release,
        name=_NAME,
        description="Lets bgjobs launch jobs again after it has found that Redis is older than the world.",
        without="what is held, and why",
    )


if __name__ == "__main__":
    sys.exit(main())
