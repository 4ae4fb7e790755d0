"""A page of another site cannot make a browser write here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bgjobs.ids import new_job_id
from bgjobs_api.http.same_origin import objection

if TYPE_CHECKING:
    from tests.api.world import World


@pytest.mark.parametrize(
    ("headers", "passes"),
    [
        pytest.param({}, True, id="a program"),
        pytest.param({"sec-fetch-site": "same-origin", "origin": "http://api"}, True, id="our own page"),
        pytest.param({"sec-fetch-site": "none"}, True, id="typed by the person"),
        pytest.param({"sec-fetch-site": "cross-site"}, False, id="another site"),
        pytest.param({"sec-fetch-site": "same-site"}, False, id="another host or port of the site"),
        pytest.param({"sec-fetch-site": "cross-site", "origin": "http://api"}, False, id="origin is not believed"),
        pytest.param({"origin": "http://api"}, True, id="an old browser, our page"),
        pytest.param({"origin": "http://evil.example"}, False, id="an old browser, another page"),
        pytest.param({"origin": "http://api:81"}, False, id="another port"),
        pytest.param({"origin": "null"}, False, id="a sandboxed frame"),
    ],
)
async def test_writes(world: World, headers: dict[str, str], passes: bool) -> None:
    assert (objection("POST", {"host": "api", **headers}) is None) is passes
    body = {"id": new_job_id(), "class": "shop.jobs.Report", "method": "build"}
    response = await world.call("POST", "/api/v1/jobs", json=body, headers=headers)
    assert response.status_code == (201 if passes else 403)
    if not passes:
        assert response.json()["code"] == "cross_site"
        assert await world.store.job(body["id"]) is None


async def test_reads_are_free(world: World) -> None:
    assert (await world.call("GET", "/api/v1/jobs", headers={"sec-fetch-site": "cross-site"})).status_code == 200


async def test_who_needs_no_token_where_nobody_signs_in(world: World) -> None:
    assert (await world.http.get("/api/v1/jobs")).status_code == 401
