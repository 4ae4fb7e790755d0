"""The command `python -m bgjobs_operator.empty_redis`: drops what an earlier version has left in Redis.

docs/operations.md says when it is needed: a new layout of Redis cannot be read by the version before, and the reverse.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from bgjobs_core.store import keys
from bgjobs_operator import asked_first

if TYPE_CHECKING:
    from bgjobs_core.store.store import Store

_NAME = "python -m bgjobs_operator.empty_redis"


async def empty(store: Store, *, agreed: bool) -> int:
    """Drop what is in Redis if it has another layout than this version's, and say so; return the exit code.

    Args:
        store: what is in Redis.
        agreed: whether it may be dropped; else it is only told what would be.
    """
    found = await store.layout()
    if found is None:
        print("Redis holds nothing of bgjobs; there is nothing to do.")
        return 0
    if found == keys.LAYOUT:
        print(f"Redis has layout {found}, which this version uses; nothing is dropped.")
        return 0
    if not agreed:
        print(
            f"Redis has layout {found}, and this version uses {keys.LAYOUT}. Everything that bgjobs has there would be "
            "dropped: jobs that wait are lost, and so are the records and logs of those that have ended. "
            f"If that is meant: {_NAME} --yes",
            file=sys.stderr,
        )
        return 2
    before = await store.mark()
    gone = 0
    async for gone in store.empty():
        print(f"\r{gone:,} keys dropped", end="", flush=True)
    await store.note_emptied(before.store_id)  # else an empty Redis would be taken for one that has lost everything
    print(f"\r{gone:,} keys dropped. Operator and API become ready within some seconds.")
    return 0


def main() -> int:
    """Entry point; return the exit code."""
    return asked_first.main(
        empty,
        name=_NAME,
        description="Drops everything of bgjobs from Redis if another version has written it in another layout.",
        without="what would be dropped",
    )


if __name__ == "__main__":
    sys.exit(main())
