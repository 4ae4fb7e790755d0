"""The door to the Kubernetes API: our own errors behind it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import msgspec
import pytest

from bgjobs_core.kube import door, listening
from bgjobs_core.kube.errors import (
    KubeError,
    KubeRefusedError,
    KubeTooLargeError,
    KubeUnreachableError,
    KubeUnreadableError,
)
from bgjobs_core.kube.objects import part, parts
from tests.unit.operator.fake_cluster import Answer, Drop, FakeCluster, Stream, Trickle, status

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


async def test_json_in_and_out(cluster: FakeCluster) -> None:
    cluster.script("PATCH /x", Answer({"a": 1}))
    answer = await cluster.kube().request(
        "PATCH", "/x", {"b": "ü"}, {"force": "true", "of": "a=b,c&d"}, "application/apply-patch+yaml"
    )
    (call,) = cluster.calls
    assert answer == {"a": 1}
    assert (call.body, call.content_type) == ({"b": "ü"}, "application/apply-patch+yaml")
    assert call.query == {"force": "true", "of": "a=b,c&d"}


async def test_an_empty_answer(cluster: FakeCluster) -> None:
    cluster.script("DELETE /x", Answer(raw=b""))
    assert await cluster.kube().request("DELETE", "/x") == {}


async def test_a_refusal(cluster: FakeCluster) -> None:
    cluster.script("GET /x", status(403, "Forbidden", "not you"))
    with pytest.raises(KubeRefusedError, match="403 Forbidden: not you"):
        await cluster.kube().request("GET", "/x")


@pytest.mark.parametrize("answer", [Drop(), Answer(raw=b'{"a":'), Answer(raw=b"<html>")])
async def test_a_broken_answer_leaves_open_what_was_done(cluster: FakeCluster, answer: Answer | Drop) -> None:
    cluster.script("POST /x", answer)
    with pytest.raises(KubeUnreachableError):
        await cluster.kube().request("POST", "/x", {})


async def test_text_of_a_pod_is_cleaned(cluster: FakeCluster) -> None:
    """Half of a surrogate pair cannot be written to Redis, nor into a status."""
    cluster.script("GET /x", Answer(raw=b'{"message": "\\ud83d is half, \\ud83d\\ude00 is whole"}'))
    assert await cluster.kube().request("GET", "/x") == {"message": "? is half, \U0001f600 is whole"}


class Told:
    def __init__(self) -> None:
        self.words: list[str] = []

    def asks(self) -> None:
        self.words.append("asks")

    def hears(self) -> None:
        self.words.append("hears")


@pytest.mark.parametrize("answer", [Answer({"a": 1}), status(503, "no"), Drop()], ids=["answered", "refused", "broken"])
async def test_whoever_waits_hears_of_each_call(cluster: FakeCluster, answer: Answer | Drop) -> None:
    cluster.script("GET /x", answer, answer)
    told = Told()
    listening.listener.set(told)
    for _ in range(2):
        with contextlib.suppress(KubeError):
            await cluster.kube().request("GET", "/x")
    assert told.words == ["asks", "hears"] * 2


async def test_watches_take_no_connection_from_other_calls(cluster: FakeCluster) -> None:
    kube = cluster.kube()
    streams = [kube.stream(f"/watched/{number}", {"watch": "1"}) for number in range(150)]
    for number in range(150):
        cluster.script(f"WATCH /watched/{number}", Stream((b"first\n",), ends=False))
    assert await asyncio.gather(*(anext(stream) for stream in streams)) == [[b"first"]] * 150
    cluster.script("GET /x", Answer({"a": 1}))
    assert await kube.request("GET", "/x") == {"a": 1}
    for stream in streams:
        await stream.aclose()


@pytest.mark.parametrize("how", [Trickle(b""), Trickle(b" ")], ids=["nothing comes", "a byte now and then"])
async def test_no_call_is_held_longer_than_an_answer_may_take(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch, how: Trickle
) -> None:
    monkeypatch.setattr(door, "ANSWER_SECONDS", 0.2)
    cluster.script("GET /x", how)
    with pytest.raises(KubeUnreachableError, match=r"GET /x: no answer within 0\.2 s"):
        async with asyncio.timeout(5):
            await cluster.kube().request("GET", "/x")


async def test_no_answer_is_larger_than_what_is_read(cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "MAX_ANSWER", 1000)
    cluster.script("GET /x", Answer({"a": "x" * 900}), Answer({"a": "x" * 1000}), Trickle(b"x" * 500, 0))
    kube = cluster.kube()
    assert await kube.request("GET", "/x")
    for _ in range(2):
        with pytest.raises(KubeTooLargeError):
            await kube.request("GET", "/x")


async def test_answers_are_not_sent_compressed(cluster: FakeCluster) -> None:
    """256 KiB of one letter are a few bytes then, and a page of them would be in memory at once."""
    cluster.script("GET /x", Answer({"a": 1}))
    await cluster.kube().request("GET", "/x")
    assert cluster.calls[0].accepted_encoding == "identity"


@pytest.mark.parametrize("raw", [b"[" * 100_000 + b"]" * 100_000, b"[]", b'"text"', b"1e400"])
async def test_an_answer_that_is_of_no_use_is_the_objects_trouble(cluster: FakeCluster, raw: bytes) -> None:
    cluster.script("GET /x", Answer(raw=raw))
    with pytest.raises(KubeUnreadableError):
        await cluster.kube().request("GET", "/x")


async def test_an_answer_without_the_parts_that_are_read(cluster: FakeCluster) -> None:
    cluster.script("POST /x", Answer({"a": 1}))
    with pytest.raises(KubeUnreadableError, match="cannot be read"):
        await cluster.kube().read("POST", "/x", msgspec.json.Decoder(list[int]), {})


async def test_nobody_listens() -> None:
    async with FakeCluster() as gone:
        kube = gone.kube()
    with pytest.raises(KubeUnreachableError):
        await kube.request("GET", "/x")
    await kube.close()


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_a_fence_holds_back_writes_alone(cluster: FakeCluster, method: str) -> None:
    kube, open_now = cluster.kube(), True
    fenced = kube.fenced(lambda: open_now)
    cluster.script(f"{method} /x", Answer({}), Answer({}))
    cluster.script("GET /x", Answer({}))
    await fenced.request(method, "/x")
    open_now = False
    with pytest.raises(KubeUnreachableError, match="not sent"):
        await fenced.request(method, "/x")
    await fenced.request("GET", "/x")
    await kube.request(method, "/x")
    assert [call.method for call in cluster.calls] == [method, "GET", method]


async def test_text(cluster: FakeCluster) -> None:
    cluster.script("GET /log", Answer(raw=b"a line\nand \xff"), status(404, "NotFound"), Drop(), Drop())
    kube = cluster.kube()
    assert await kube.text("/log", {"tailLines": "5"}) == "a line\nand \ufffd"
    with pytest.raises(KubeRefusedError):
        await kube.text("/log")
    with pytest.raises(KubeUnreachableError):
        await kube.text("/log")


async def _lines(stream: AsyncGenerator[list[bytes], None]) -> list[bytes]:
    return [line async for some in stream for line in some]


class TestStream:
    async def test_lines_until_the_server_ends_it(self, cluster: FakeCluster) -> None:
        cluster.script("WATCH /x", Stream((b"one\n", b"two", b" and a half\n")))
        assert await _lines(cluster.kube().stream("/x", {"watch": "1"})) == [b"one", b"two and a half"]

    async def test_a_long_line(self, cluster: FakeCluster) -> None:
        """An object may have 1.5 MiB, far beyond what aiohttp takes for a line by default."""
        line = b"x" * 1_500_000 + b"\n"
        cluster.script("WATCH /x", Stream((line,)))
        assert await _lines(cluster.kube().stream("/x", {"watch": "1"})) == [line[:-1]]

    async def test_a_refusal(self, cluster: FakeCluster) -> None:
        cluster.script("WATCH /x", status(410, "Expired"))
        with pytest.raises(KubeRefusedError, match="410 Expired"):
            _ = await _lines(cluster.kube().stream("/x", {"watch": "1"}))

    async def test_a_broken_connection(self, cluster: FakeCluster) -> None:
        cluster.script("WATCH /x", Drop((b"one\n",)))
        stream = cluster.kube().stream("/x", {"watch": "1"})
        assert await anext(stream) == [b"one"]
        with pytest.raises(KubeUnreachableError):
            await anext(stream)


@pytest.mark.parametrize(
    ("obj", "names", "expected"),
    [
        ({"a": {"b": {"c": 1}}}, ("a", "b"), {"c": 1}),
        ({"a": {"b": None}}, ("a", "b"), {}),
        ({"a": []}, ("a", "b"), {}),
        ({}, ("a",), {}),
        ({"c": 1}, (), {"c": 1}),
    ],
)
def test_part(obj: dict[str, object], names: tuple[str, ...], expected: dict[str, object]) -> None:
    assert part(obj, *names) == expected


@pytest.mark.parametrize(("obj", "expected"), [({"a": [{"b": 1}]}, [{"b": 1}]), ({"a": None}, []), ({"b": 1}, [])])
def test_parts(obj: dict[str, object], expected: list[dict[str, int]]) -> None:
    assert parts(obj, "a") == expected
