"""beat: a log arrives in chunks, and its first and its last MiB are kept (`bgjobs_core.jobs.logs` reads them)."""

from __future__ import annotations

import asyncio
import zlib
from typing import TYPE_CHECKING, Any, Final

import pytest

from bgjobs.protocol import LOG_HEAD_BYTES, LOG_TAIL_BYTES
from bgjobs.vocabulary import Outcome
from bgjobs_core.jobs import log_text, logs
from bgjobs_core.jobs.logs import Gap, Line
from bgjobs_core.store import keys
from tests.store import contents
from tests.store.life import KUBE, POD, Life
from tests.store.servers import REAL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgjobs_core.jobs.record import JobRecord
    from bgjobs_core.redis.connection import Client
    from tests.store.checked_store import CheckedStore

KEEP: Final = 600


class Shipper:
    """Ships a log as a runner does: pieces of one stream of records, each at its offset."""

    def __init__(self, store: CheckedStore, job: JobRecord, pod: str = POD, attempt: int = 1) -> None:
        self._store, self._job, self._pod, self._attempt = store, job, pod, attempt
        self.offset = 0

    async def ship(self, records: bytes) -> tuple[str, int]:
        """The next chunk."""
        reply = await self.ship_at(self.offset, records)
        self.offset += len(records)
        return reply

    async def ship_at(self, offset: int, records: bytes) -> tuple[str, int]:
        """A chunk at any place."""
        chunk = (offset, len(records), zlib.compress(records))
        reply = await self._store.beat(
            job_id=self._job.id, pod_uid=self._pod, attempt=self._attempt, chunk=chunk, progress="", keep_seconds=KEEP
        )
        return reply.action, reply.next_offset

    def skip(self, size: int) -> None:
        """So many bytes never arrive."""
        self.offset += size


def _records(first: int, count: int, size: int) -> bytes:
    """So many records of this size in bytes, numbered."""
    return b"".join(f"1700000000000 o {n} ".encode().ljust(size - 1, b".") + b"\n" for n in range(first, first + count))


def _numbers(entries: Sequence[Line | Gap]) -> list[int | str]:
    """Numbers of the lines, and each gap as its size."""
    return [f"gap {e.size}" if isinstance(e, Gap) else int(e.text.split()[0]) for e in entries]


async def test_a_log_is_kept_in_the_order_it_came(store: CheckedStore, life: Life) -> None:
    job = await life.running()
    shipper = Shipper(store, job)

    assert await shipper.ship(b"1700000000000 o hello\n1700000000001 e oops\n") == ("continue", 43)
    assert await shipper.ship(b"1700000000002 O a long line, \n1700000000003 o cut in two\n") == ("continue", 100)

    chunks = await store.log_chunks(job.id, 1)
    assert list(logs.read(chunks)) == [
        Line(1700000000000, "stdout", "hello", goes_on=False),
        Line(1700000000001, "stderr", "oops", goes_on=False),
        Line(1700000000002, "stdout", "a long line, ", goes_on=True),
        Line(1700000000003, "stdout", "cut in two", goes_on=False),
    ]
    assert logs.text(chunks) == "hello\noops\na long line, cut in two\n"
    [attempt] = await store.attempts(job)
    assert attempt.log_next == 100


async def test_a_chunk_that_comes_again_is_kept_once(store: CheckedStore, client: Client, life: Life) -> None:
    job = await life.running()
    shipper = Shipper(store, job)
    records = _records(0, 2, 50)
    await shipper.ship(records)
    before = await contents.read(client)

    assert await shipper.ship_at(0, records) == ("continue", 100)
    # Nor is one that overlaps: the reply says from where to go on.
    assert await shipper.ship_at(50, records) == ("continue", 100)

    assert before.differences(await contents.read(client)) == []


async def test_an_empty_chunk_is_not_kept(store: CheckedStore, client: Client, life: Life) -> None:
    """It would come again and again and take room each time."""
    job = await life.running()
    before = await contents.read(client)

    for _ in range(3):
        assert await Shipper(store, job).ship(b"") == ("continue", 0)

    assert before.differences(await contents.read(client)) == []


async def test_what_never_arrived_is_a_gap(store: CheckedStore, life: Life) -> None:
    job = await life.running()
    shipper = Shipper(store, job)
    await shipper.ship(_records(0, 2, 50))
    shipper.skip(1000)
    await shipper.ship(_records(2, 2, 50))

    assert _numbers(list(logs.read(await store.log_chunks(job.id, 1)))) == [0, 1, "gap 1000", 2, 3]


async def test_of_a_hundred_chunks_the_first_and_the_last_mib_are_kept(
    store: CheckedStore, client: Client, life: Life
) -> None:
    job = await life.running()
    shipper = Shipper(store, job)
    size, per_chunk, chunks = 1000, 40, 100
    for n in range(chunks):
        await shipper.ship(_records(n * per_chunk, per_chunk, size))

    entries = list(logs.read(await store.log_chunks(job.id, 1)))

    [gap] = [entry for entry in entries if isinstance(entry, Gap)]
    lines = [entry for entry in entries if isinstance(entry, Line)]
    place = entries.index(gap)
    head, tail = place * size, (len(entries) - place - 1) * size
    assert LOG_HEAD_BYTES - per_chunk * size < head <= LOG_HEAD_BYTES
    assert LOG_TAIL_BYTES <= tail < LOG_TAIL_BYTES + per_chunk * size
    # Not a byte is unaccounted for, and the numbers say the same.
    assert head + gap.size + tail == chunks * per_chunk * size == shipper.offset
    numbers = [int(line.text.split()[0]) for line in lines]
    assert numbers == [*range(place), *range(chunks * per_chunk - tail // size, chunks * per_chunk)]
    fields = (await contents.read(client)).fields(keys.attempt(job.id, 1))
    kept = await client.lrange(keys.log_head(job.id, 1), 0, -1), await client.lrange(keys.log_tail(job.id, 1), 0, -1)
    counted = [sum(logs.cost(chunk) for chunk in chunks) for chunks in kept]
    assert [int(fields[b"log_head"]), int(fields[b"log_tail"])] == counted


async def test_head_and_tail_without_a_gap_are_one_log(store: CheckedStore, life: Life) -> None:
    job = await life.running()
    shipper = Shipper(store, job)
    for n in range(8):
        await shipper.ship(_records(n * 200, 200, 1000))

    entries = list(logs.read(await store.log_chunks(job.id, 1)))

    assert _numbers(entries) == list(range(1600))


async def test_what_follows_the_tail_never_goes_to_the_head_though_there_is_room(
    store: CheckedStore, life: Life
) -> None:
    job = await life.running()
    shipper = Shipper(store, job)
    for n in range(6):  # the sixth does not fit into the head any more, the small one would
        await shipper.ship(_records(n * 200, 200, 1000))
    await shipper.ship(_records(1200, 1, 1000))

    assert _numbers(list(logs.read(await store.log_chunks(job.id, 1)))) == list(range(1201))


async def test_a_log_that_expired_while_the_job_was_quiet_goes_on(
    store: CheckedStore, client: Client, life: Life
) -> None:
    job = await life.running()
    shipper = Shipper(store, job)
    for n in range(12):
        await shipper.ship(_records(n * 200, 200, 1000))
    await client.delete(keys.log_head(job.id, 1), keys.log_tail(job.id, 1))  # as Redis does when it is time

    for n in range(12, 24):
        assert await shipper.ship(_records(n * 200, 200, 1000)) == ("continue", shipper.offset)

    entries = list(logs.read(await store.log_chunks(job.id, 1)))
    assert isinstance(entries[0], Gap)
    assert _numbers(entries[1:]) == list(range(entries[0].size // 1000, 24 * 200))
    assert len(entries) * 1000 >= LOG_TAIL_BYTES


async def test_head_and_tail_expire_together(store: CheckedStore, client: Client, life: Life) -> None:
    """Not the head alone, while the job still runs and writes."""
    job = await life.running()
    shipper = Shipper(store, job)
    for n in range(8):
        await shipper.ship(_records(n * 200, 200, 1000))
    await client.expire(keys.log_head(job.id, 1), 5)

    await shipper.ship(_records(1600, 1, 1000))

    assert await client.ttl(keys.log_head(job.id, 1)) == pytest.approx(KEEP, abs=2)
    assert await client.ttl(keys.log_tail(job.id, 1)) == pytest.approx(KEEP, abs=2)


async def test_a_place_far_away_is_a_gap_and_nothing_worse(store: CheckedStore, life: Life) -> None:
    """Lua writes 10^14 as 1e+14 unless told otherwise, and nobody could read the attempt any more."""
    job = await life.running()
    far = 10**15

    assert await Shipper(store, job).ship_at(far, b"1700000000000 o x\n") == ("continue", far + 18)

    assert [attempt.log_next for attempt in await store.attempts(job)] == [far + 18]
    assert next(logs.read(await store.log_chunks(job.id, 1))) == Gap(far)


async def test_a_beat_between_two_reads_of_a_log_hides_nothing_from_who_follows_it(
    store: CheckedStore, life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next chunk still fits into the head, the one after it goes into the tail."""
    job = await life.running()
    shipper = Shipper(store, job)
    size, per_chunk = 1000, 200
    for n in range(5):
        await shipper.ship(_records(n * per_chunk, per_chunk, size))
    assert LOG_HEAD_BYTES - 1000 * size > 40 * size
    ask, come = store._ask, [(1000, 40), (1040, 200)]  # pyright: ignore[reportPrivateUsage]

    async def ask_and_let_a_runner_in(command: str, *arguments: object) -> object:
        reply = await ask(command, *arguments)
        while command == "LRANGE" and come:
            await shipper.ship(_records(*come.pop(0), size))
        return reply

    async def ask_one_by_one(commands: Sequence[Sequence[Any]]) -> list[object]:
        return [await ask_and_let_a_runner_in(*command) for command in commands]

    monkeypatch.setattr(store, "_ask", ask_and_let_a_runner_in)
    monkeypatch.setattr(store, "_ask_all", ask_one_by_one)
    first = log_text.piece(await store.log_chunks(job.id, 1), 0, 0)
    assert not come
    rest = log_text.piece(await store.log_chunks(job.id, 1), first.next_offset, 0)

    lines = (first.data + rest.data).decode().splitlines()
    assert [line.split()[0].strip(".") for line in lines] == [str(n) for n in range(1240)]


async def test_each_attempt_has_a_log_of_its_own(store: CheckedStore, life: Life) -> None:
    job = await life.running()
    await Shipper(store, job).ship(b"1700000000000 o first\n")
    await store.start(job_id=job.id, kube_uid=KUBE, pod_uid="pod-2", pod_name="")
    await Shipper(store, job, "pod-2", 2).ship(b"1700000000000 o second\n")

    assert logs.text(await store.log_chunks(job.id, 1)) == "first\n"
    assert logs.text(await store.log_chunks(job.id, 2)) == "second\n"


@pytest.mark.parametrize(("pod", "attempt"), [(POD, 1), (POD, 2), ("pod-2", 1), ("pod-2", 3), ("stranger", 2)])
async def test_only_the_pod_of_the_current_attempt_is_heard(
    store: CheckedStore, client: Client, life: Life, pod: str, attempt: int
) -> None:
    job = await life.running()
    await store.start(job_id=job.id, kube_uid=KUBE, pod_uid="pod-2", pod_name="")
    before = await contents.read(client)

    assert await Shipper(store, job, pod, attempt).ship(b"1700000000000 o x\n") == ("go_away", 0)
    assert before.differences(await contents.read(client)) == []


async def test_a_beat_after_the_finish_is_not_heard(store: CheckedStore, life: Life) -> None:
    job = await life.running()
    await life.attempt_failed(job, POD)

    assert await store.beat(
        job_id=job.id, pod_uid=POD, attempt=1, chunk=None, progress='{"done":1}', keep_seconds=KEEP
    ) == ("go_away", 0, "yes")


async def test_a_stopping_job_still_ships_its_last_words_and_is_told_to_stop(store: CheckedStore, life: Life) -> None:
    job = await life.running()
    await store.stop(job_id=job.id, verdict=Outcome.CANCELLED, by="ada", note="")

    assert await Shipper(store, job).ship(b"1700000000000 e stopping\n") == ("stop", 25)
    assert logs.text(await store.log_chunks(job.id, 1)) == "stopping\n"


async def test_progress_is_no_news_for_the_lists(store: CheckedStore, life: Life) -> None:
    """It may come every second: it raises neither rev nor changed_at, and makes no request dirty."""
    job = await life.running()

    await store.beat(
        job_id=job.id, pod_uid=POD, attempt=1, chunk=None, progress='{"done":5,"total":10}', keep_seconds=KEEP
    )
    await store.beat(job_id=job.id, pod_uid=POD, attempt=1, chunk=None, progress="", keep_seconds=KEEP)

    record = await store.there(job.id)
    assert (record.progress, record.rev, record.changed_at) == (b'{"done":5,"total":10}', job.rev, job.changed_at)


async def test_a_chunk_is_bytes_that_nobody_touches(store: CheckedStore, life: Life) -> None:
    job = await life.running()
    odd = bytes(range(256)) + b"\n 1 2\n"

    await store.beat(job_id=job.id, pod_uid=POD, attempt=1, chunk=(0, 10, odd), progress="", keep_seconds=KEEP)

    assert await store.log_chunks(job.id, 1) == [b"0 10\n" + odd]


@pytest.mark.parametrize("backend", REAL, indirect=True)
@pytest.mark.parametrize("padding", [0, 60], ids=["small", "as large as the API takes"])
async def test_chunks_of_one_byte_take_no_more_of_redis_than_they_count(
    store: CheckedStore, client: Client, life: Life, padding: int
) -> None:
    """What counts is bounded by head and tail together, so that a log takes at most twice its limit of Redis."""
    job = await life.running()
    name = keys.attempt(job.id, 1)
    # Both parts are nearly full: what follows is the end of a million such chunks.
    await client.hset(name, mapping={"log_next": 0, "log_head": LOG_HEAD_BYTES - 100_000, "log_tail": 0})
    empty = await client.memory_usage(keys.log_head(job.id, 1)) or 0
    for place in range(0, 4000, 200):
        await asyncio.gather(
            *(
                store.beat(
                    job_id=job.id, pod_uid=POD, attempt=1, progress="", keep_seconds=KEEP,
                    chunk=(at, 1, zlib.compress(b"x") + b"p" * padding),
                )
                for at in range(place, place + 200)
            )
        )  # fmt: skip
    fields = (await contents.read(client)).fields(name)
    head, tail = int(fields[b"log_head"]) - (LOG_HEAD_BYTES - 100_000), int(fields[b"log_tail"])
    assert 90_000 <= head <= 100_000
    assert tail > 0
    assert int(fields[b"log_head"]) <= LOG_HEAD_BYTES
    for key, counted in ((keys.log_head(job.id, 1), head), (keys.log_tail(job.id, 1), tail)):
        taken = await client.memory_usage(key, samples=0) - empty
        print(f"{taken:,} bytes of Redis for {counted:,} counted")
        assert taken <= 2 * counted


async def test_a_tail_of_tiny_chunks_is_bounded_too(store: CheckedStore, client: Client, life: Life) -> None:
    job = await life.running()
    name = keys.attempt(job.id, 1)
    await client.hset(name, mapping={"log_next": 0, "log_head": LOG_HEAD_BYTES, "log_tail": 0})
    shipper = Shipper(store, job)
    await shipper.ship(b"x")
    one = int((await contents.read(client)).fields(name)[b"log_tail"])
    await client.hset(name, mapping={"log_tail": LOG_TAIL_BYTES})
    await shipper.ship(b"x")
    assert await client.llen(keys.log_tail(job.id, 1)) == 1  # the oldest went
    assert int((await contents.read(client)).fields(name)[b"log_tail"]) == LOG_TAIL_BYTES
    assert one == 32 + len(b"0 1\n" + zlib.compress(b"x"))
