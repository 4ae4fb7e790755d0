"""Logs as text."""

from __future__ import annotations

import random
import zlib
from typing import TYPE_CHECKING, Any

import pytest

from bgjobs.protocol import LOG_HEAD_BYTES, MAX_CHUNK_BYTES
from bgjobs_core.jobs import log_text
from tests.api.world import chunk, lines

if TYPE_CHECKING:
    import httpx2

    from tests.api.world import Pod, World


async def ship(pod: Pod, offset: int, records: bytes) -> int:
    response = await pod.call("beat", attempt=1, chunk=chunk(offset, records))
    assert response.status_code == 200, response.text
    assert response.json()["next_offset"] == offset + len(records)
    return offset + len(records)


async def log(world: World, pod: Pod, path: str = "/log", **query: Any) -> httpx2.Response:
    response = await world.get(f"/api/v1/jobs/{pod.job_id}{path}", **query)
    assert response.status_code == 200, response.text
    return response


async def test_a_log_is_read_while_the_job_runs_and_after(world: World) -> None:
    pod = await world.running()
    await ship(pod, 0, lines("one", "zwei äöü"))
    response = await log(world, pod)
    assert response.content == "one\nzwei äöü\n".encode()
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Bgjobs-Log-Complete"] == "false"
    assert response.headers["Bgjobs-Log-Next-Offset"] == str(len(response.content))
    await pod.call("finish", attempt=1, outcome="succeeded")
    assert (await log(world, pod)).headers["Bgjobs-Log-Complete"] == "true"


async def test_an_offset_counts_bytes_of_text(world: World) -> None:
    pod = await world.running()
    end = await ship(pod, 0, lines("é" * 10, "b"))
    whole = (await log(world, pod)).content
    for offset in range(len(whole) + 1):
        assert (await log(world, pod, offset=offset)).content == whole[offset:]
    beyond = await log(world, pod, offset=len(whole) + 5)
    assert (beyond.content, beyond.headers["Bgjobs-Log-Next-Offset"]) == (b"", str(len(whole) + 5))
    await ship(pod, end, lines("more"))
    assert (await log(world, pod, offset=len(whole))).content == b"more\n"


async def test_each_attempt_has_its_own_log(world: World) -> None:
    pod = await world.running()
    await ship(pod, 0, lines("first"))
    await pod.call("finish", attempt=1, outcome="error")
    second = world.pod(pod.job_id, "second")
    await second.call("start")
    await second.call("beat", attempt=2, chunk=chunk(0, lines("second")))
    first, latest = await log(world, pod, "/attempts/1/log"), await log(world, pod)
    assert (first.text, first.headers["Bgjobs-Log-Complete"]) == ("first\n", "true")
    assert (latest.text, latest.headers["Bgjobs-Log-Complete"]) == ("second\n", "false")
    assert (await log(world, pod, "/attempts/2/log")).text == "second\n"
    for number in ("0", "3", "-1", "99999999999999999999"):
        response = await world.get(f"/api/v1/jobs/{pod.job_id}/attempts/{number}/log")
        assert (response.status_code, response.json()["code"]) == (404, "attempt_not_found")


async def test_before_the_first_attempt_the_log_is_empty(world: World) -> None:
    job_id = await world.enqueued()
    response = await world.get(f"/api/v1/jobs/{job_id}/log")
    assert (response.content, response.headers["Bgjobs-Log-Complete"]) == (b"", "false")
    await world.call("POST", f"/api/v1/jobs/{job_id}/cancel")
    assert (await world.get(f"/api/v1/jobs/{job_id}/log")).headers["Bgjobs-Log-Complete"] == "true"


async def test_lines_may_begin_with_time_and_stream(world: World) -> None:
    pod = await world.running()
    records = lines("out") + lines("err", stream="e", at_ms=0) + b"5 O long" + b"\n" + b"6 o line\n"
    await ship(pod, 0, records)
    assert (await log(world, pod, timestamps="true")).text == (
        "2026-11-18T11:06:40.123Z stdout out\n"
        "1970-01-01T00:00:00.000Z stderr err\n"
        "1970-01-01T00:00:00.005Z stdout longline\n"
    )


async def test_nonsense_from_a_runner_does_not_make_a_log_unreadable(world: World) -> None:
    pod = await world.running()
    nonsense = b"9" * 5000 + b" o x\n" + b"99999999999999999 o y\n" + b"\xff\xfe\n\n" + b"1 z x\n" + b"7 o \xff ok\n"
    await ship(pod, 0, nonsense)
    assert (await log(world, pod)).text == "\ufffd ok\n"
    assert (await log(world, pod, timestamps="1")).status_code == 200


async def test_whoever_follows_gets_it_sooner(world: World) -> None:
    pod = await world.running()
    assert (await pod.call("beat", attempt=1)).json()["beat_seconds"] == 10
    await log(world, pod)
    assert (await pod.call("beat", attempt=1)).json()["beat_seconds"] == 1
    client = world.store._client  # pyright: ignore[reportPrivateUsage]
    assert 0 < await client.ttl(f"{{bgjobs}}:watched:{pod.job_id}") <= 15
    await client.delete(f"{{bgjobs}}:watched:{pod.job_id}")
    assert (await pod.call("beat", attempt=1)).json()["beat_seconds"] == 10


async def test_reading_what_has_ended_is_not_following(world: World) -> None:
    pod = await world.running()
    await pod.call("finish", attempt=1, outcome="succeeded")
    await log(world, pod)
    assert not await world.store.is_watched(pod.job_id)


async def test_a_log_that_has_expired_says_so(world: World) -> None:
    pod = await world.running()
    end = await ship(pod, 0, lines("one"))
    await pod.call("finish", attempt=1, outcome="succeeded")
    client = world.store._client  # pyright: ignore[reportPrivateUsage]
    await client.delete(f"{{bgjobs}}:log:{pod.job_id}:1:head")
    said = f"... {end} bytes of log are not kept any more ...\n"
    assert (await log(world, pod)).text == said
    assert (await log(world, pod, offset=len(said))).text == ""


@pytest.mark.parametrize(
    "query", [{"offset": -1}, {"offset": 2**53}, {"offset": "x"}, {"timestamps": "x"}, {"tail": 1}]
)
async def test_a_wrong_query_is_refused(world: World, query: dict[str, Any]) -> None:
    job_id = await world.enqueued()
    response = await world.get(f"/api/v1/jobs/{job_id}/log", **query)
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, next(iter(query)))


# --- logs longer than what is kept


def block(number: int) -> bytes:
    """Records of nearly MAX_CHUNK_BYTES that zlib cannot make much of."""
    source = random.Random(number)  # noqa: S311
    texts = [f"{number}-{index} {source.randbytes(500).hex()}" for index in range(240)]
    records = lines(*texts)
    assert len(records) <= MAX_CHUNK_BYTES
    return records


def text_of(records: bytes) -> str:
    return "".join(line.split(" ", 2)[2] + "\n" for line in records.decode().splitlines())


async def test_a_follower_misses_nothing_of_a_log_longer_than_what_is_kept(world: World) -> None:
    pod = await world.running()
    received, wanted, offset, place = "", "", 0, 0
    for number in range(14):
        records = block(number)
        place = await ship(pod, place, records)
        wanted += text_of(records)
        response = await log(world, pod, offset=offset)
        received += response.text
        offset = int(response.headers["Bgjobs-Log-Next-Offset"])
    assert received == wanted
    assert place > 3 * LOG_HEAD_BYTES
    assert (await log(world, pod, offset=offset)).content == b""


async def test_who_comes_late_gets_head_gap_and_tail_and_then_what_follows(world: World) -> None:
    pod = await world.running()
    place = 0
    for number in range(14):
        place = await ship(pod, place, block(number))
    response = await log(world, pod)
    assert response.text.startswith("0-0 ")
    assert response.text.count("bytes left out") == 1
    assert text_of(block(13)) in response.text
    offset = int(response.headers["Bgjobs-Log-Next-Offset"])
    place = await ship(pod, place, lines("and more"))
    response = await log(world, pod, offset=offset)
    assert response.text == "and more\n"
    offset = int(response.headers["Bgjobs-Log-Next-Offset"])
    # While the reader is away, more comes than the tail can hold.
    for number in range(20, 27):
        place = await ship(pod, place, block(number))
    response = await log(world, pod, offset=offset)
    assert response.text.startswith("\n... ")
    assert text_of(block(26)) in response.text


def stored(offset: int, records: bytes) -> bytes:
    return b"%d %d\n%s" % (offset, len(records), zlib.compress(records))


def test_a_small_log_with_a_gap_is_continued_by_place() -> None:
    first, second = lines("a"), lines("b")
    chunks = [stored(0, first), stored(len(first) + 100, second)]
    whole = log_text.piece(chunks, 0, 0)
    assert whole.data.decode() == "a\n\n... 100 bytes left out: the first and the last MiB of a log are kept ...\nb\n"
    assert whole.next_offset == log_text.FAR + len(first) + 100 + len(second)
    assert log_text.piece(chunks, whole.next_offset, 0) == log_text.Piece(b"", whole.next_offset)
