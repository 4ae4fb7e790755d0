"""The page of queues tells of limits that hold for a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgjobs_core.jobs.timed_limits import for_a_time
from bgjobs_core.resources.models import QueueSpec

if TYPE_CHECKING:
    from tests.api.pages.site import Site


async def test_other_limits_are_shown_with_who_and_why_until_they_are_over(site: Site) -> None:
    now = await site.world.store.now_ms()
    for seconds, is_shown in ((7200, True), (-1, False)):
        limits = for_a_time(now, seconds, by="ada", note="month <b>end</b>", max_concurrent=50, start_rate=None)
        await site.world.store.put_queue("shop/default", QueueSpec(max_concurrent=10), limits=limits)

        text = (await site.page("/queues")).text

        assert ("Other limits for" in text) == is_shown
        assert ("by ada: month <b>end</b>" in text) == is_shown
        assert ("of 50, else 10" in text) == is_shown
        assert ("of 10" in text) is not is_shown
