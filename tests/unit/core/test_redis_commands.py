"""What is sent to Redis for a command."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import pytest
from redis.asyncio.connection import Connection

from bgjobs_core.redis.closing import KINDS


class Word(StrEnum):
    ONE = "one"


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(("GET", "key"), id="text"),
        pytest.param(("CONFIG GET", "appendonly"), id="two-words"),
        pytest.param((b"CONFIG GET", b"appendonly"), id="two-words-as-bytes"),
        pytest.param(("EVALSHA", "5ce", 0, 17, 1.5, 1e22, 0.1, b"\x00\xff", "é", Word.ONE, "", "x" * 10_000), id="all"),
    ],
)
def test_it_is_what_redis_py_itself_would_send(command: tuple[Any, ...]) -> None:
    ours, theirs = KINDS[None](), Connection()
    assert b"".join(ours.pack_command(*command)) == b"".join(theirs.pack_command(*command))


def test_text_that_is_no_text_is_refused() -> None:
    with pytest.raises(UnicodeEncodeError):
        KINDS[None]().pack_command("SET", "key", "\ud800")
