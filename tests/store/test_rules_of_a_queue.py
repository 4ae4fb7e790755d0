"""enqueue goes by settings of the queue that it remembers, as long as the store says that they hold still."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bgjobs.ids import new_job_id
from bgjobs.wire import EnqueueRequest
from bgjobs_core.actions.enqueue import enqueue
from bgjobs_core.actions.errors import NotAdmittedError
from bgjobs_core.jobs.record import AskedJob
from bgjobs_core.resources.models import QueueSpec
from bgjobs_core.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bgjobs_core.redis.connection import Client

KEY = "shop/default"


@pytest.fixture
async def admin(client: Client) -> Store:
    """Another process than the one that enqueues; the queue is there."""
    other = Store(client)
    await other.put_queue(KEY, _settings())
    return other


def _settings(**changes: Any) -> QueueSpec:
    return QueueSpec(approved_classes=["shop.jobs.*"], image="shop:1").model_copy(update=changes)


def _asked(job_id: str = "") -> AskedJob:
    said: dict[str, Any] = {"id": job_id or new_job_id(), "class": "shop.jobs.Report", "method": "build"}
    spec = EnqueueRequest.model_validate(said, by_alias=True, by_name=False)
    return AskedJob(id=spec.id, namespace="shop", spec=spec, parameters="[]", created_by="a test")


async def test_new_settings_count_from_the_next_job_on(admin: Store, client: Client) -> None:
    store = Store(client)
    await enqueue(store, _asked(), gate=None)

    await admin.put_queue(KEY, _settings(image="shop:2"))

    assert (await enqueue(store, _asked(), gate=None)).record.spec.image == "shop:2"


async def _approves_no_more(admin: Store) -> None:
    await admin.put_queue(KEY, _settings(approved_classes=["other.*"]))


async def _is_gone(admin: Store) -> None:
    await admin.drop_queue(queue=KEY)


@pytest.mark.parametrize("change", [_approves_no_more, _is_gone])
async def test_what_the_new_settings_refuse_is_refused(
    admin: Store, client: Client, change: Callable[[Store], Awaitable[None]]
) -> None:
    store = Store(client)
    there = await enqueue(store, _asked(), gate=None)

    await change(admin)

    with pytest.raises(NotAdmittedError):
        await enqueue(store, _asked(), gate=None)
    again = await enqueue(store, _asked(there.record.id), gate=None)
    assert (again.is_new, again.record.id) == (False, there.record.id)


async def test_what_was_refused_by_old_settings_is_taken_by_new_ones(admin: Store, client: Client) -> None:
    store = Store(client)
    await admin.put_queue(KEY, _settings(approved_classes=["other.*"]))
    with pytest.raises(NotAdmittedError):
        await enqueue(store, _asked(), gate=None)

    await admin.put_queue(KEY, _settings())

    assert (await enqueue(store, _asked(), gate=None)).is_new


async def test_a_job_of_a_known_queue_takes_one_trip_to_redis(
    admin: Store, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert admin
    store = Store(client)
    await enqueue(store, _asked(), gate=None)
    sent: list[str] = []
    send = client.execute_command

    async def counting(*words: Any, **options: Any) -> Any:
        sent.append(words[0])
        return await send(*words, **options)

    monkeypatch.setattr(client, "execute_command", counting)
    await enqueue(store, _asked(), gate=None)

    assert sent == ["EVALSHA"]
