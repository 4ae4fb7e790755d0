"""A job that waits for Kueue, on its page and in the list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.api.world import KUBE_UID

if TYPE_CHECKING:
    from tests.api.pages.site import Site


async def test_a_job_that_waits_for_kueue_says_so(site: Site) -> None:
    job_id = await site.world.launched()
    assert "Admitted by Kueue" not in (await site.page(f"/jobs/{job_id}")).text, "nobody waits for it there"
    words = "Kueue: Pending: insufficient quota for cpu"
    await site.world.store.observe_admission(job_id=job_id, kube_uid=KUBE_UID, admitted="no", reason=words)
    page = await site.page(f"/jobs/{job_id}")
    assert "Not running: waits for Kueue" in page.text
    assert "Admitted by Kueue, here it waits" in page.text
    assert words in page.text
    assert "It is given up" not in page.text
    assert words in (await site.page("/jobs")).text
