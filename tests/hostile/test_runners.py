"""What a runner says cannot break the pages of others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from bgjobs_core.store import keys

if TYPE_CHECKING:
    from tests.api.pages.site import Site


@pytest.mark.parametrize(
    ("done", "total"), [(1e308, 1), (1e308, 1e-308), (-1e308, 1), (0, 5e-324), (1, -1), (1e15, 1e300)]
)
async def test_any_progress_can_be_shown(site: Site, done: float, total: float) -> None:
    pod = await site.world.running()
    assert (await pod.call("beat", attempt=1, progress={"done": done, "total": total})).status_code == 200
    for path in (f"/jobs/{pod.job_id}", "/jobs", f"/api/v1/jobs/{pod.job_id}", "/api/v1/jobs?namespace=shop"):
        assert (await site.get(path)).status_code == 200, path


async def test_a_progress_that_was_stored_by_an_earlier_version_can_be_shown(site: Site) -> None:
    pod = await site.world.running()
    await site.client.set(keys.progress(pod.job_id), '{"done": 1e308, "total": 1e-308}')
    for path in (f"/jobs/{pod.job_id}", "/jobs"):
        assert (await site.get(path)).status_code == 200, path


async def test_one_request_names_a_hundred_namespaces_at_most(site: Site) -> None:
    query = "&".join(f"namespace=n{number}" for number in range(101))
    answer = await site.get(f"/api/v1/jobs?{query}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "namespace"


@pytest.mark.parametrize("path", ["/api/v1/jobs", "/jobs", "/healthz"])
async def test_a_query_of_too_many_fields_is_one_error(site: Site, path: str) -> None:
    """Each name that there is not would be an error of its own, and everybody else would wait for the last of them."""
    answer = await site.get(f"{path}?{'&'.join(['x='] * 501)}")
    assert (answer.status_code, answer.json()["detail"]) == (422, "the query has more than 500 fields")


@pytest.mark.parametrize(
    "path", ["/api/v1/jobs?namespace=shop", "/api/v1/queues", "/healthz", "/readyz", "/api/v1/jobs/x"]
)
async def test_no_answer_is_kept_by_a_cache_or_taken_for_another_type(site: Site, path: str) -> None:
    answer = await site.get(path)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"


# All that change the direction in which text is written, by Unicode.
DIRECTIONS: Final = [
    "\u061c", "\u200e", "\u200f", "\u202a", "\u202b", "\u202c", "\u202d", "\u202e",
    "\u2066", "\u2067", "\u2068", "\u2069",
]  # fmt: skip


@pytest.mark.parametrize("mark", DIRECTIONS, ids=[f"{ord(one):x}" for one in DIRECTIONS])
def test_a_log_line_reads_as_it_was_printed(mark: str) -> None:
    from bgjobs_api.pages.job import log_view  # noqa: PLC0415 - nothing else here is about logs

    assert log_view.plain(f"rm{mark} -rf") == "rm -rf"
