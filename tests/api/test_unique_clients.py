"""The real clients against the real API: what their handles say of unique keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bgjobs import Call, JobHandle
from bgjobs.client.async_job_client import AsyncJobClient
from bgjobs.client.job_client import JobClient
from bgjobs.errors import InvalidJobError
from bgjobs.ids import new_job_id
from tests.api.live import LiveApi
from tests.api.world import service_account

if TYPE_CHECKING:
    from collections.abc import Iterator

TARGET = ("shop.jobs.Report", "build")


@pytest.fixture(scope="module")
def api() -> Iterator[LiveApi]:
    """One server for all tests of this file."""
    live = LiveApi()
    live.put_queue(approved_classes=["shop.jobs.*"])
    live.authenticator.tokens["program"] = service_account("shop", "web")
    yield live
    live.close()


@pytest.fixture
def client(api: LiveApi, monkeypatch: pytest.MonkeyPatch) -> Iterator[JobClient]:
    """As a program in the namespace shop has it."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with JobClient(api.url, "program", retry_seconds=0) as made:
        yield made


def test_a_handle_says_what_has_happened(client: JobClient) -> None:
    first = client.enqueue(*TARGET, [1], unique_key="sync", delay=60)
    second = client.enqueue(*TARGET, [2], unique_key="sync")
    third = client.enqueue(*TARGET, [3], unique_key="sync", unique_mode="replace")

    assert (first.unique, first.replaced_id) == ("new", None)
    assert (second.unique, second.id, second.job.parameters) == ("returned", first.id, [1])
    assert (third.unique, third.replaced_id) == ("replaced", first.id)
    assert first.refresh().reason == f"It was replaced by the job {third.id}, which has its unique key."
    assert (third.refresh().unique, third.unique) == (None, "replaced"), "the handle has asked for it"
    assert client.handle(third.id).unique is None
    assert client.enqueue(*TARGET).unique is None


def test_the_key_of_a_job_comes_before_its_unique_key(client: JobClient) -> None:
    """The one is for ever, the other for as long as a job is open."""

    def asked() -> JobHandle:
        return client.enqueue(*TARGET, key="invoice", unique_key="invoices")

    first = asked()
    first.cancel()
    assert (asked().id, asked().unique) == (first.id, "new")
    other = client.enqueue(*TARGET, unique_key="invoices")
    assert (other.unique, asked().id) == ("new", first.id)


def test_run_again(client: JobClient) -> None:
    old = client.enqueue(*TARGET, unique_key="rerun", unique_mode="ignore", unique_for_seconds=600)
    old.cancel()
    first, second = old.rerun(), old.rerun()
    assert (first.unique, second.unique, second.id) == ("new", "returned", first.id)


def test_of_many_each_handle_says_it(client: JobClient) -> None:
    other = client.enqueue(*TARGET, unique_key="many")
    calls = [Call(*TARGET, unique_key="many"), Call(*TARGET), Call(*TARGET, unique_key="one"), Call(*TARGET)]

    batch = client.enqueue_many([*calls, Call(*TARGET, [5], unique_key="one", unique_mode="replace")])

    assert [one.unique for one in batch] == ["returned", None, "new", None, "replaced"]
    assert (batch[0].id, batch[4].replaced_id) == (other.id, batch[2].id)
    assert batch.parent_ids == (batch.id, other.id)
    assert batch.refresh().jobs == 4
    child = client.enqueue(*TARGET, needs=[batch])
    assert child.refresh().needs == 2


def test_a_batch_of_which_no_job_was_made(client: JobClient) -> None:
    other = client.enqueue(*TARGET, unique_key="nothing")

    batch = client.enqueue_many([Call(*TARGET, unique_key="nothing") for _ in range(3)])

    assert {one.id for one in batch} == {other.id}
    assert batch.parent_ids == (other.id,)
    other.cancel()
    assert batch.wait(timeout=5).state == "succeeded", "it has no job of its own"
    assert client.enqueue(*TARGET, needs=[batch]).state == "cancelled"


def test_what_is_wrong_is_said_before_anything_is_sent(client: JobClient) -> None:
    with pytest.raises(InvalidJobError, match="unique_for_seconds: must be a number of seconds") as raised:
        client.enqueue(*TARGET, unique_key="a", unique_mode="ignore")
    assert raised.value.field == "unique_for_seconds"


async def test_the_asyncio_client_says_it_too(api: LiveApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    async with AsyncJobClient(api.url, "program", retry_seconds=0) as client:
        job_id = new_job_id()
        first = await client.enqueue(*TARGET, unique_key="async")
        second = await client.enqueue(*TARGET, unique_key="async", id=job_id)
        await first.cancel()
        again = await client.enqueue(*TARGET, unique_key="async", id=job_id)
        assert [(one.unique, one.id) for one in (first, second, again)] == [
            ("new", first.id), ("returned", first.id), ("returned", first.id),
        ]  # fmt: skip
        batch = await client.enqueue_many([Call(*TARGET, unique_key="async"), Call(*TARGET, unique_key="async")])
        assert [one.unique for one in batch] == ["new", "returned"]
        assert batch[1].id == batch[0].id
