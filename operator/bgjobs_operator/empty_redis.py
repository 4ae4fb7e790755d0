"""The command `python -m bgjobs_operator.empty_redis`: drops what an earlier version has left in Redis.

docs/operations.md says when it is needed: a new layout of Redis cannot be read by the version before, and the reverse.
"""

from __future__ import annotations

import argparse
import asyncio
import sys

from bgjobs_core.redis import connection
from bgjobs_core.redis.errors import StoreError
from bgjobs_core.settings import from_environment
from bgjobs_core.store import keys
from bgjobs_core.store.store import Store
from bgjobs_operator.settings import OperatorSettings

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


async def _run(settings: OperatorSettings, *, agreed: bool) -> int:
    store = Store(connection.connect(settings.redis))
    try:
        return await empty(store, agreed=agreed)
    finally:
        await store.close()


def main() -> int:
    """Entry point; return the exit code."""
    parser = argparse.ArgumentParser(
        prog=_NAME,
        description="Drops everything of bgjobs from Redis if another version has written it in another layout.",
        epilog="Run it in a pod of the operator, whose environment says where Redis is.",
    )
    parser.add_argument("--yes", action="store_true", help="do it; without this, it is only said what would be dropped")
    agreed: bool = parser.parse_args().yes
    settings = from_environment(OperatorSettings, _NAME)
    try:
        return asyncio.run(_run(settings, agreed=agreed))
    except StoreError as error:
        print(f"{_NAME}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
