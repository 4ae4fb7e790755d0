"""A record that cannot be read costs its own row: the list and its page have all others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bgjobs_core.store import keys

if TYPE_CHECKING:
    from tests.api.pages.site import Site


@pytest.mark.parametrize("damage", ["no spec", "no hash", "no state that we know"])
async def test_the_list_has_the_other_jobs(site: Site, damage: str) -> None:
    good, bad = await site.world.enqueued(), await site.world.enqueued()
    match damage:
        case "no spec":
            await site.client.hdel(keys.job(bad), "spec")
        case "no hash":
            await site.client.delete(keys.job(bad))
            await site.client.set(keys.job(bad), "text")
        case _:
            await site.client.hset(keys.job(bad), "state", "asleep")

    listed = await site.world.get("/api/v1/jobs")
    page = await site.page("/jobs")

    assert (listed.status_code, [one["id"] for one in listed.json()["items"]]) == (200, [good])
    assert [good in row for row in page.rows] == [True]
    assert (await site.world.get(f"/api/v1/jobs/{bad}")).status_code == 404
