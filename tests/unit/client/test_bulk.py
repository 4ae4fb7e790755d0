"""What is done with all jobs that a filter means, as the clients ask for it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from bgjobs import ConfigurationError, InvalidJobError
from tests.unit.cli.test_bulk_commands import bulk, preview
from tests.unit.client.conftest import JOB_ID

if TYPE_CHECKING:
    from tests.unit.client.conftest import FakeServer

SINCE = datetime(2026, 11, 24, 10, tzinfo=UTC)


def test_previewed_and_begun(server: FakeServer) -> None:
    client = server.client(namespace="shop")
    server.reply(preview(), bulk())
    found = client.preview_bulk(
        "rerun", state="failed", labels={"team": "billing"}, since=SINCE, excepted=[JOB_ID], note="mended"
    )
    assert (found.total, found.words, found.counts) == (12, "12", {"queued": 12})
    assert server.body() == {
        "namespace": "shop",
        "verb": "rerun",
        "filter": {"state": "failed", "label": "team=billing", "since": "2026-11-24T10:00:00+00:00"},
        "except": [JOB_ID],
        "note": "mended",
    }

    handle = client.start_bulk(found.token)
    assert server.body() == {"token": "signed"}
    server.answers.clear()
    server.reply(bulk(), bulk(done=5, left=7), bulk("done", done=12, left=0))
    told: list[int] = []
    assert handle.wait(told=lambda one: told.append(one.done)).done == 12
    assert (told, len(server.slept)) == ([0, 5, 12], 2)
    server.answers.clear()
    server.reply(bulk("stopped", done=5))
    assert handle.stop().is_over
    assert str(server.requests[-1].url).endswith(f"/api/v1/bulk/shop/{handle.id}/stop")
    assert "BulkHandle" in repr(handle)


async def test_the_same_for_asyncio(server: FakeServer) -> None:
    client = server.async_client(namespace="shop")
    server.reply(preview(), bulk())
    handle = await client.start_bulk((await client.preview_bulk("cancel", class_="shop.jobs.Mail")).token)
    assert server.body(0)["filter"] == {"class": "shop.jobs.Mail"}
    server.answers.clear()
    server.reply(bulk(), bulk("done", done=12))
    assert (await handle.wait()).done == 12
    assert (await client.bulk(handle.id).progress()).state == "done"
    assert (await handle.stop()).is_over
    server.answers.clear()
    server.reply({"items": [bulk()]})
    assert [one.id for one in await client.bulks()] == [handle.id]
    assert "AsyncBulkHandle" in repr(handle)


def test_no_longer_than_asked_for(server: FakeServer) -> None:
    client = server.client(namespace="shop")
    server.reply(bulk(done=5))
    handle = type(client.bulk("id"))(client, "id", "shop", clock=lambda: sum(server.slept))
    with pytest.raises(TimeoutError, match="5 of 12 done"):
        handle.wait(timeout=2)


@pytest.mark.parametrize(
    ("verb", "wrong", "field"),
    [
        ("delete", {}, "verb"),
        ("cancel", {"state": "asleep"}, "state"),
        ("cancel", {"batch": "mine"}, "batch"),
        ("cancel", {"outcome": "odd"}, "outcome"),
        ("cancel", {"excepted": ["last"]}, "except.0"),
        ("cancel", {"colour": "red"}, "colour"),
        ("cancel", {"note": "x" * 401}, "note"),
        ("cancel", {"labels": {"a,b": None}}, "labels"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_sent(
    server: FakeServer, verb: str, wrong: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidJobError) as caught:
        server.client(namespace="shop").preview_bulk(verb, **wrong)
    assert caught.value.field == field
    assert not server.requests


def test_without_a_namespace(server: FakeServer) -> None:
    client = server.client()
    server.reply(preview())
    client.preview_bulk("cancel")
    assert "namespace" not in server.body()  # the server knows that of the caller
    for ask in (client.bulks, lambda: client.bulk("id").progress()):
        with pytest.raises(ConfigurationError, match="namespace"):
            ask()
