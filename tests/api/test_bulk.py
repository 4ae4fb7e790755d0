"""What is done with all jobs that a filter means, as the API previews, begins, shows and stops it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from bgjobs.bulk import Bulk, BulkPreview
from bgjobs.ids import new_job_id
from bgjobs_core.resources.models import REQUESTS
from bgjobs_operator.loops.bulk import Bulk as Loop
from tests.api.test_batches import a_batch
from tests.api.world import EPOCH

if TYPE_CHECKING:
    import httpx2

    from tests.api.world import World

WEB: Final = "system:serviceaccount:shop:web"


async def ask(world: World, verb: str = "cancel", token: str | None = None, **body: Any) -> httpx2.Response:
    return await world.call("POST", "/api/v1/bulk/preview", token=token, json={"verb": verb, **body})


async def previewed(world: World, verb: str = "cancel", **body: Any) -> BulkPreview:
    response = await ask(world, verb, **body)
    assert response.status_code == 200, response.text
    return BulkPreview.model_validate_json(response.content)


async def start(world: World, token: str, caller: str | None = None) -> httpx2.Response:
    return await world.call("POST", "/api/v1/bulk", token=caller, json={"token": token})


async def begun(world: World, verb: str = "cancel", **body: Any) -> Bulk:
    response = await start(world, (await previewed(world, verb, **body)).token)
    assert response.status_code == 202, response.text
    return Bulk.model_validate_json(response.content)


async def carried_out(world: World, bulk: Bulk) -> Bulk:
    await world.store.lead(EPOCH)
    loop = Loop(world.store, EPOCH, ("shop", "mail"))
    while await loop.turn() == 0.0:
        pass
    return await shown(world, bulk)


async def shown(world: World, bulk: Bulk) -> Bulk:
    response = await world.get(f"/api/v1/bulk/{bulk.namespace}/{bulk.id}")
    assert response.status_code == 200, response.text
    return Bulk.model_validate_json(response.content)


async def test_previewed_begun_and_done(world: World) -> None:
    await world.put_queue("shop/mail")
    mail = [await world.enqueued(queue="mail", labels={"team": "billing"}) for _ in range(3)]
    other = await world.enqueued()

    found = await previewed(world, filter={"queue": "mail", "state": "queued", "since": "1h"}, note="wrong list")
    assert (found.namespace, found.verb, found.counts) == ("shop", "cancel", {"queued": 3})
    assert (found.total, found.is_exact, found.skipped) == (3, True, {})
    assert (found.expires_at - found.as_of).total_seconds() == 300
    later = await world.enqueued(queue="mail")
    bulk = Bulk.model_validate_json((await start(world, found.token)).content)
    assert (bulk.state, bulk.total, bulk.left, bulk.by, bulk.note) == ("running", 3, 3, WEB, "wrong list")
    assert bulk.filter.keys() == {"queue", "state", "since"}
    assert bulk.filter["since"].endswith("Z")
    assert (await start(world, found.token)).json()["id"] == bulk.id

    bulk = await carried_out(world, bulk)

    assert (bulk.state, bulk.done, bulk.skipped, bulk.failed, bulk.left) == ("done", 3, {}, 0, 0)
    assert bulk.ended_at is not None
    history = (await world.get(f"/api/v1/jobs/{mail[0]}/history")).json()["items"]
    assert (history[-1]["what"], history[-1]["by"]) == ("cancel", WEB)
    assert history[-1]["note"] == f"wrong list (bulk {bulk.id})"
    for job_id, state in ((mail[0], "cancelled"), (other, "queued"), (later, "queued")):
        assert (await world.there(job_id)).state == state
    listed = (await world.get("/api/v1/bulk/shop")).json()["items"]
    assert [one["id"] for one in listed] == [bulk.id]


async def test_every_filter_of_the_list(world: World) -> None:
    batch, ids = await a_batch(world)
    await world.enqueued()
    for wanted, total in (
        ({"batch": batch}, 2),
        ({"class": "shop.jobs.Report"}, 3),
        ({"class": "shop.jobs.Other"}, 0),
        ({"who": "web"}, 3),
        ({"who": "ada"}, 0),
        ({"schedule": "nightly"}, 0),
        ({"request": "nightly"}, 0),
        ({"label": "team=billing,region"}, 0),
        ({"outcome": "error"}, 0),
        ({"error_type": "ValueError"}, 0),
        ({"until": "2026-01-01T00:00:00Z"}, 0),
        ({"state": "running"}, 0),
        ({"state": "queued", "queue": "default"}, 3),
        ({}, 3),
    ):
        assert (wanted, (await previewed(world, filter=wanted)).total) == (wanted, total)
    but: dict[str, Any] = {"filter": {"batch": batch}, "except": [ids[0], ids[0]]}
    assert (await previewed(world, **but)).total == 1
    bulk = await begun(world, **but)
    assert bulk.excepted == 1
    bulk = await carried_out(world, bulk)
    assert (bulk.done, (await world.there(ids[0])).state) == (1, "queued")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"verb": "delete"}, "verb"),
        ({"namespace": "elsewhere"}, "namespace"),
        ({"namespace": "Not A Name"}, "namespace"),
        ({"filter": {"colour": "red"}}, "filter.colour"),
        ({"filter": {"state": "asleep"}}, "filter.state"),
        ({"filter": {"label": "=,"}}, "filter.label"),
        ({"filter": {"since": "yesterday"}}, "filter.since"),
        ({"filter": {"batch": "mine"}}, "filter.batch"),
        ({"filter": []}, "filter"),
        ({"except": ["last"]}, "except[0]"),
        ({"except": [new_job_id()] * 501}, "except"),
        ({"note": "x" * 401}, "note"),
        ({"more": 1}, "more"),
    ],
)
async def test_what_is_wrong_is_named(world: World, body: dict[str, Any], field: str) -> None:
    response = await world.call("POST", "/api/v1/bulk/preview", json={"verb": "cancel", **body})
    assert response.status_code == 422, response.text
    assert [one["field"] for one in response.json()["errors"]] == [field]


async def test_a_batch_of_another_namespace_is_not_there(world: World) -> None:
    await world.put_queue("mail/default")
    batch, _ = await a_batch(world, namespace="mail")
    response = await ask(world, filter={"batch": batch})
    assert (response.status_code, response.json()["code"]) == (404, "batch_not_found")


@pytest.mark.parametrize(
    ("verb", "denied"),
    [
        ("cancel", ("create", f"{REQUESTS}/cancel")),
        ("cancel", ("list", REQUESTS)),
        ("pause", ("create", f"{REQUESTS}/pause")),
        ("suspend", ("create", f"{REQUESTS}/pause")),
        ("resume", ("create", f"{REQUESTS}/pause")),
        ("run_now", ("create", f"{REQUESTS}/pause")),
        ("rerun", ("create", REQUESTS)),
        ("rerun", ("get", REQUESTS)),
    ],
)
async def test_it_needs_the_right_that_one_job_needs(world: World, verb: str, denied: tuple[str, str]) -> None:
    """At the preview, when it is begun, and when it is stopped."""
    token = (await previewed(world, verb)).token
    bulk = await begun(world, verb)
    world.access.deny(*denied, "shop")

    assert (await ask(world, verb)).status_code == 403
    response = await start(world, token)
    assert response.status_code == 403
    assert (response.json()["verb"], response.json()["resource"]) == denied
    assert (await world.call("POST", f"/api/v1/bulk/shop/{bulk.id}/stop")).status_code == 403
    reading = 403 if denied == ("list", REQUESTS) else 200
    for path in ("/api/v1/bulk/shop", f"/api/v1/bulk/shop/{bulk.id}"):
        assert (await world.get(path)).status_code == reading
    world.access.denied.clear()
    assert (await world.call("POST", f"/api/v1/bulk/shop/{bulk.id}/stop")).json()["state"] == "stopped"


async def test_tokens_that_are_not_good(world: World) -> None:
    token = (await previewed(world)).token
    for bad in ("x", token[:-1], f"{token}0", "." * 40_000):
        response = await start(world, bad)
        assert response.status_code == 422, response.text
        assert response.json()["errors"][0]["field"] == "token"
    response = await start(world, token, world.token("shop", "another"))
    assert (response.status_code, "somebody else" in response.json()["detail"]) == (422, True)


async def test_too_many(world: World) -> None:
    for _ in range(20):
        await begun(world)
    response = await start(world, (await previewed(world)).token)
    assert (response.status_code, response.json()["code"]) == (409, "too_many_bulks")
    await begun(world, namespace="mail")


async def test_what_is_not_there_or_over(world: World) -> None:
    for path in (f"/api/v1/bulk/shop/{new_job_id()}", "/api/v1/bulk/shop/nonsense"):
        response = await world.get(path)
        assert (response.status_code, response.json()["code"]) == (404, "bulk_not_found")
        assert (await world.call("POST", f"{path}/stop")).status_code == 404
    bulk = await carried_out(world, await begun(world))
    response = await world.call("POST", f"/api/v1/bulk/shop/{bulk.id}/stop")
    assert (response.status_code, response.json()["code"]) == (409, "bulk_ended")
    assert (await world.get(f"/api/v1/bulk/mail/{bulk.id}")).status_code == 404
    assert (await world.get("/api/v1/bulk/elsewhere")).status_code == 422


async def test_a_program_that_belongs_to_no_namespace_names_one(world: World) -> None:
    caller = world.token()
    identity = world.authenticator.tokens[caller]
    world.authenticator.tokens[caller] = type(identity)(identity.user, identity.groups, "", None, None)
    response = await world.call("POST", "/api/v1/bulk/preview", token=caller, json={"verb": "cancel"})
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, "namespace")
