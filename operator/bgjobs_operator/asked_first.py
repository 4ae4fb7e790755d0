"""How commands run that change what is in Redis for good: without `--yes` they only say what they would do."""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import TYPE_CHECKING, Protocol

from bgjobs_core.redis import connection
from bgjobs_core.redis.errors import StoreError
from bgjobs_core.settings import from_environment
from bgjobs_core.store.store import Store
from bgjobs_operator.settings import OperatorSettings

if TYPE_CHECKING:
    from collections.abc import Coroutine


class Act(Protocol):
    """Does it if that is agreed, else says what would be done; returns the exit code."""

    def __call__(self, store: Store, *, agreed: bool) -> Coroutine[object, object, int]:
        """Do it, or say it."""
        ...


async def _run(act: Act, settings: OperatorSettings, *, agreed: bool) -> int:
    store = Store(connection.connect(settings.redis))
    try:
        return await act(store, agreed=agreed)
    finally:
        await store.close()


def main(act: Act, *, name: str, description: str, without: str) -> int:
    """Entry point of such a command; return the exit code.

    Args:
        act: what it does.
        name: how it is called, for its help and its errors.
        description: for its help.
        without: what is said where `--yes` is missing, for its help.
    """
    parser = argparse.ArgumentParser(
        prog=name,
        description=description,
        epilog="Run it in a pod of the operator, whose environment says where Redis is.",
    )
    parser.add_argument("--yes", action="store_true", help=f"do it; without this, it is only said {without}")
    agreed: bool = parser.parse_args().yes
    settings = from_environment(OperatorSettings, name)
    try:
        return asyncio.run(_run(act, settings, agreed=agreed))
    except StoreError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
