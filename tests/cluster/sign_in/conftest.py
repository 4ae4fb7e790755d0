"""A front door, a browser, and jobs in two namespaces to look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from installation import wait_until
from tests.browser import chromium
from tests.browser.visit import Visits
from tests.cluster.sign_in import front_door
from tests.cluster.sign_in.front_door import MILL, FrontDoor
from tests.cluster.sign_in.people import by_steps

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from bgjobs import JobClient

expect.set_options(timeout=60_000)


@dataclass(frozen=True)
class Jobs:
    """Ids of jobs that nobody of the tests may end; the running ones print four lines a second."""

    shop_running: str
    shop_ended: str
    mill_running: str
    mill_ended: str


@pytest.fixture(scope="package")
def door(address: str, tmp_path_factory: pytest.TempPathFactory) -> FrontDoor:
    assert address
    return front_door.install(tmp_path_factory.mktemp("front-door"))


# Of this package's scope, not the session's: Playwright holds an event loop, beside which no other one may run.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    try:
        with chromium.browser() as started:
            yield started
    except chromium.NoBrowserError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture
def visits(browser: Browser, door: FrontDoor) -> Iterator[Visits]:
    """Opens pages; any complaint in the console fails the test."""
    made = Visits(browser, door.url)
    yield made
    assert made.close() == []


@pytest.fixture(scope="package")
def jobs(door: FrontDoor, client: JobClient) -> Iterator[Jobs]:
    assert door
    running = [client.enqueue("shop.jobs.Reports", "slow", [3600], namespace=one).id for one in ("shop", MILL)]
    ended = [client.enqueue("shop.jobs.Invoices", "render", [2026, 11], namespace=one).id for one in ("shop", MILL)]
    for job_id in ended:
        assert client.handle(job_id).wait(timeout=300).state == "succeeded"
    for job_id in running:
        wait_until(f"job {job_id} prints", lambda job_id=job_id: "step" in client.logs(job_id), seconds=300)
    yield Jobs(running[0], ended[0], running[1], ended[1])
    for job_id in running:
        client.cancel(job_id)
    for job_id in running:
        client.handle(job_id).wait(timeout=300)


@pytest.fixture(scope="module")
def viewer(door: FrontDoor) -> str:
    """The cookie of somebody who may look at the jobs of the shop."""
    return by_steps(door, "vera", front_door.READERS)[0]


@pytest.fixture(scope="module")
def submitter(door: FrontDoor) -> str:
    """The cookie of somebody who may do everything in the mill."""
    return by_steps(door, "sam", front_door.MILLERS)[0]
