"""`GET /api/v1/jobs` with its filters."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.api.world import World


async def ids(world: World, **query: Any) -> set[str]:
    response = await world.get("/api/v1/jobs", **query)
    assert response.status_code == 200, response.text
    return {one["id"] for one in response.json()["items"]}


async def failed(world: World, kind: str) -> str:
    pod = await world.running()
    error = {"type": kind, "message": "no"}
    await pod.call("finish", attempt=1, outcome="aborted", exit_code=64, error=error)
    return pod.job_id


async def test_each_filter(world: World) -> None:
    aborted = await failed(world, "ValueError")
    billing = await world.enqueued(labels={"team": "billing"})
    mail = await world.enqueued(labels={"team": "mail", "region": "eu"})
    assert await ids(world, outcome="aborted") == {aborted}
    assert await ids(world, error_type="ValueError") == {aborted}
    assert await ids(world, error_type="KeyError") == set()
    assert await ids(world, label="team=billing") == {billing}
    assert await ids(world, label="team") == {billing, mail}
    assert await ids(world, label="team,region=eu") == {mail}
    assert await ids(world, who="web") == {aborted, billing, mail}
    assert await ids(world, who="system:serviceaccount:shop:web", outcome="aborted") == {aborted}
    assert await ids(world, who="nobody") == set()
    assert await ids(world, schedule="nightly") == await ids(world, request="november") == set()
    now = datetime.now(UTC)
    assert await ids(world, since="1h") == {aborted, billing, mail}
    assert await ids(world, since=(now + timedelta(hours=1)).isoformat()) == set()
    assert await ids(world, until="1h") == set()
    assert await ids(world, until=(now + timedelta(hours=1)).isoformat(), label="team=mail") == {mail}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("outcome", "bad"), ("label", "=x"), ("label", "a=b=c"), ("label", "ä"), ("since", "yesterday"), ("who", ""),
        ("until", "2026-11-24T10:00:00"), ("since", "1w"), ("label", ""), ("error_type", "x" * 254), ("odd", "1"),
    ],
)  # fmt: skip
async def test_what_is_no_filter_is_refused_with_its_field(world: World, field: str, value: str) -> None:
    response = await world.get("/api/v1/jobs", **{field: value})
    assert response.status_code == 422
    assert [one["field"] for one in response.json()["errors"]] == [field]
