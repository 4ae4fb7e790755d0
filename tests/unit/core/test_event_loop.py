"""The event loop of a server process."""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import sys
from typing import TYPE_CHECKING

import pytest

from bgjobs_core import event_loop

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _thaw() -> Iterator[None]:
    yield
    gc.unfreeze()


async def kind() -> str:
    return type(asyncio.get_running_loop()).__module__


def test_it_is_uvloops_where_that_is_installed() -> None:
    installed = importlib.util.find_spec("uvloop") is not None
    assert event_loop.run(kind()).startswith("uvloop" if installed else "asyncio")


def test_without_uvloop_it_is_that_of_asyncio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_loop, "uvloop", None)
    assert event_loop.run(kind()).startswith("asyncio")


def test_what_was_loaded_before_is_not_looked_at_by_the_garbage_collector() -> None:
    async def tracked() -> int:
        return len(gc.get_objects())  # without those that are frozen

    loaded = len(gc.get_objects())
    assert event_loop.run(tracked()) < loaded / 10


def test_what_is_raised_comes_out() -> None:
    async def leave() -> None:
        sys.exit(3)

    with pytest.raises(SystemExit) as ended:
        event_loop.run(leave())
    assert ended.value.code == 3
