"""What a running job does, on its page."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.api.pages.site import Site


async def test_what_a_running_job_does_is_shown_on_its_page(site: Site) -> None:
    pod = await site.world.running()
    page = await site.page(f"/jobs/{pod.job_id}")
    assert page.all("form", method="post", action=f"/jobs/{pod.job_id}/stack")
    assert "Stacks" not in page.text

    response = await site.post(f"/jobs/{pod.job_id}/stack")

    assert (response.status_code, response.headers["Location"]) == (303, f"/jobs/{pod.job_id}")
    assert "The answer comes with its next beat." in (await site.page(f"/jobs/{pod.job_id}")).text
    text = 'Main thread:\n  File "/app/</pre><b>.py", line 1, in f\x1b[31m\n'
    assert (await pod.call("stack", attempt=1, number=1, text=text)).json() == {"action": "recorded"}
    page = await site.page(f"/jobs/{pod.job_id}")
    assert 'Main thread: File "/app/</pre><b>.py", line 1, in f' in page.text, "it is text of job code, and escaped"
    assert "[31m" not in page.text
    assert "Attempt 1," in page.text

    site.world.access.deny("get", "backgroundjobrequests/stack", "shop")
    page = await site.page(f"/jobs/{pod.job_id}")
    assert "Stacks" not in page.text
    assert not page.all("form", method="post", action=f"/jobs/{pod.job_id}/stack")
    assert (await site.post(f"/jobs/{pod.job_id}/stack")).status_code == 403


async def test_a_job_that_does_not_run_is_not_asked(site: Site) -> None:
    job_id = await site.world.enqueued()
    assert not (await site.page(f"/jobs/{job_id}")).all("form", method="post", action=f"/jobs/{job_id}/stack")

    response = await site.post(f"/jobs/{job_id}/stack")

    assert response.status_code == 409
    assert "Nothing was done: the job has no stacks to show" in response.text
    assert (await site.get(f"/jobs/{job_id}/stack")).headers["Location"] == f"/jobs/{job_id}"


async def test_stacks_that_came_too_late_are_said_to(site: Site) -> None:
    pod = await site.world.running()
    await site.post(f"/jobs/{pod.job_id}/stack")
    await pod.call("finish", attempt=1, outcome="succeeded")

    assert "Attempt 1 had ended before it could be asked." in (await site.page(f"/jobs/{pod.job_id}")).text
