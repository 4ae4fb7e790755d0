"""The event loop of a server process."""

from __future__ import annotations

import asyncio
import importlib.util
import sys

import pytest

from bgjobs_core import event_loop


async def kind() -> str:
    return type(asyncio.get_running_loop()).__module__


def test_it_is_uvloops_where_that_is_installed() -> None:
    installed = importlib.util.find_spec("uvloop") is not None
    assert event_loop.run(kind()).startswith("uvloop" if installed else "asyncio")


def test_without_uvloop_it_is_that_of_asyncio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_loop, "uvloop", None)
    assert event_loop.run(kind()).startswith("asyncio")


def test_what_is_raised_comes_out() -> None:
    async def leave() -> None:
        sys.exit(3)

    with pytest.raises(SystemExit) as ended:
        event_loop.run(leave())
    assert ended.value.code == 3
