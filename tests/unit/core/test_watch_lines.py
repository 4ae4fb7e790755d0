"""The lines of a watch: none is cut or lost, and what comes close together is read together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from bgjobs_core.kube import lines as reading
from bgjobs_core.kube.lines import lines

if TYPE_CHECKING:
    import aiohttp


class FakeAnswer:
    """An answer whose body comes in these pieces; it is its connection, its transport and its content, too.

    Attributes:
        done: what was done with it, in order.
    """

    def __init__(self, *pieces: bytes, closing: bool = False) -> None:
        self.done: list[str] = []
        self._pieces = iter(pieces)
        self._closing = closing

    @property
    def connection(self) -> FakeAnswer:
        """What it comes by."""
        return self

    transport = content = connection

    async def readany(self) -> bytes:
        """The next piece."""
        self.done.append("read")
        return next(self._pieces, b"")

    def is_closing(self) -> bool:
        """Whether its end has begun."""
        return self._closing

    def pause_reading(self) -> None:
        """Nothing more is read from the connection."""
        self.done.append("pause")

    def resume_reading(self) -> None:
        """It is read again."""
        self.done.append("resume")


async def found(answer: FakeAnswer) -> list[list[bytes]]:
    return [some async for some in lines(cast("aiohttp.ClientResponse", cast("Any", answer)))]


@pytest.fixture(autouse=True)
def _no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "REST_SECONDS", 0)


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ((), []),
        ((b"a\n",), [[b"a"]]),
        ((b"a\nb\n", b"c\n"), [[b"a", b"b"], [b"c"]]),
        ((b"a\nb", b"b\n"), [[b"a"], [b"bb"]]),
        ((b"a", b"b", b"c\nd"), [[b"abc"], [b"d"]]),
        ((b"a", b"\n", b"b\n"), [[b"a"], [b"b"]]),
        ((b'{"a": "\\r"}\r\nb\x0bc\n',), [[b'{"a": "\\r"}\r', b"b\x0bc"]]),
    ],
)
async def test_lines_of_pieces(pieces: tuple[bytes, ...], expected: list[list[bytes]]) -> None:
    assert await found(FakeAnswer(*pieces)) == expected


async def test_nothing_is_read_for_a_while_after_lines() -> None:
    answer = FakeAnswer(b"a\n", b"b", b"c\n")
    await found(answer)
    assert answer.done == ["read", "pause", "resume", "read", "read", "pause", "resume", "read"]


async def test_an_answer_that_ends_is_read_to_its_end() -> None:
    answer = FakeAnswer(b"a\n", b"b\n", closing=True)
    assert await found(answer) == [[b"a"], [b"b"]]
    assert answer.done == ["read"] * 3


async def test_a_line_has_a_longest_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LONGEST_LINE", 5)
    assert await found(FakeAnswer(b"123", b"45\n", b"12345")) == [[b"12345"], [b"12345"]]
    with pytest.raises(ValueError, match="more than 5 bytes"):
        await found(FakeAnswer(b"1\n123", b"456"))
