"""Nothing that a caller sends costs more than its size: parameters in twelve shapes, and each way to look at them.

Measured is the processor time of this process, in which the whole application runs, beside that of plain text of the
same size. A busy machine changes neither.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import pytest

from bgjobs.ids import new_job_id
from tests.hostile.shapes import LIMIT, PLAIN, SMALL, shapes
from tests.store.builders import a_queue

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    import httpx2

    from tests.api.pages.site import Site

SIZES: Final = (SMALL, LIMIT)
# A page with 30,000 small parts takes longer than one with a single long part; what grows with the square takes 1,000
# times as long.
MOST_RATIO: Final = 30.0
LEAST_SECONDS: Final = 0.02  # below this the ratio says nothing
MOST_BYTES: Final = 2_500_000  # of a page


async def _cost(call: Callable[[], Awaitable[httpx2.Response]]) -> tuple[float, httpx2.Response]:
    """The least of three: whatever else the process does in between is in the others."""
    found: list[tuple[float, httpx2.Response]] = []
    for _ in range(3):
        before = time.process_time()
        answer = await call()
        found.append((time.process_time() - before, answer))
    return min(found, key=lambda one: one[0])


async def _ways(site: Site, text: str) -> AsyncIterator[tuple[str, float, httpx2.Response]]:
    """Each way in which parameters come in or are shown, with what it costs."""
    body = f'{{"class": "shop.jobs.Report", "method": "build", "namespace": "shop", "id": "ID", "parameters": {text}}}'
    ids: list[str] = []

    async def enqueue() -> httpx2.Response:
        ids.append(new_job_id())
        content = body.replace('"ID"', f'"{ids[-1]}"', 1).encode()
        headers = {"Content-Type": "application/json"}
        return await site.world.call("POST", "/api/v1/jobs", headers=headers, content=content)

    yield "enqueue", *await _cost(enqueue)
    for name, path in (
        ("its page", f"/jobs/{ids[0]}"),
        ("the list", "/jobs?ns=shop"),
        ("as JSON", f"/api/v1/jobs/{ids[0]}"),
        ("the list as JSON", "/api/v1/jobs?namespace=shop"),
    ):
        yield name, *await _cost(lambda path=path: site.get(path))


@pytest.mark.parametrize("size", SIZES)
async def test_parameters_of_any_shape_cost_their_size(site: Site, size: int) -> None:
    plain = {name: cost async for name, cost, _ in _ways(site, shapes(size)[PLAIN])}
    slowest = (0.0, "")
    cases = 0
    for shape, text in shapes(size).items():
        await site.client.flushall()
        await site.world.store.put_queue("shop/default", a_queue())
        async for name, cost, answer in _ways(site, text):
            cases += 1
            assert answer.status_code in {200, 201}, (shape, name, answer.text[:300])
            assert len(answer.content) <= max(MOST_BYTES, 5 * size), (shape, name)
            slowest = max(slowest, (cost / max(plain[name], LEAST_SECONDS), f"{name} of {shape}"))
    print(f"\n{cases} cases of {size:,} bytes; the slowest takes {slowest[0]:.1f} times plain text: {slowest[1]}")
    assert slowest[0] <= MOST_RATIO, slowest


async def test_a_body_with_one_name_many_times_is_refused_in_linear_time(site: Site) -> None:
    def body(count: int) -> bytes:
        return ("{" + ",".join(f'"k{number}":1' for number in range(count)) + ',"k0":2}').encode()

    async def send(content: bytes) -> httpx2.Response:
        headers = {"Content-Type": "application/json"}
        return await site.world.call("POST", "/api/v1/jobs", headers=headers, content=content)

    few, _ = await _cost(lambda: send(body(2_500)))
    many, answer = await _cost(lambda: send(body(20_000)))
    assert answer.status_code in {400, 422}
    assert many <= 8 * max(few, LEAST_SECONDS) * 3


async def test_a_text_that_is_cut_is_not_searched_for_its_parts(site: Site) -> None:
    """It was searched anew from each quotation mark: 51 s for one page, during which nobody was answered."""
    job_id = await site.world.enqueued(parameters=['"' * 100_000])
    cost, answer = await _cost(lambda: site.get(f"/jobs/{job_id}"))
    assert answer.status_code == 200
    plain_id = await site.world.enqueued(parameters=["s" * 200_000])
    plain, _ = await _cost(lambda: site.get(f"/jobs/{plain_id}"))
    assert cost <= 20 * max(plain, LEAST_SECONDS)
