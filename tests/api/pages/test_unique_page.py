"""A job with a unique key, as its page shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgjobs.ids import new_job_id
from tests.api.pages.site import Document

if TYPE_CHECKING:
    from tests.api.pages.site import Site


async def test_a_unique_key_is_shown_with_what_has_come_of_it(site: Site) -> None:
    first = await site.world.enqueued(unique_key="report", unique_mode="ignore", unique_for_seconds=90)
    assert "Unique key report (ignore for 90 s)" in (await site.page(f"/jobs/{first}")).text

    second = await site.world.enqueued(unique_key="report", unique_mode="replace")

    new, old = await site.page(f"/jobs/{second}"), await site.page(f"/jobs/{first}")
    assert "Unique key report (replace)" in new.text
    assert f"In place of {first}, which waited with the same unique key" in new.text
    assert f"/jobs/{first}" in new.links
    assert "a later job took it over" in old.text
    assert f"It was replaced by the job {second}, which has its unique key." in old.text
    assert f"/jobs/{second}" in old.links
    plain = await site.page(f"/jobs/{await site.world.enqueued()}")
    assert "Unique key" not in plain.text
    assert "In place of" not in plain.text


async def test_run_again_shows_the_job_that_has_the_unique_key(site: Site) -> None:
    old = await site.world.enqueued(unique_key="report")
    await site.world.call("POST", f"/api/v1/jobs/{old}/cancel")
    other = await site.world.enqueued(unique_key="report")

    response = await site.post(f"/jobs/{old}/rerun", id=new_job_id())

    page = Document(response.text)
    assert response.status_code == 200
    assert "No new job was made: this one has the unique key report." in page.text
    assert f"/jobs/{other}/cancel" in page.links
