"""Pages in a real browser, served by a real `bgjobs dev` with real jobs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from playwright.sync_api import expect

from tests.browser import chromium
from tests.browser.visit import Puppet, Visits
from tests.local.dev_server import Dev, end_all, make_project, of_project, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

expect.set_options(timeout=60_000)


class Start(Protocol):
    """Makes puppets."""

    def __call__(self, *lines: str, **options: Any) -> Puppet: ...


# Of this package's scope, not the session's: Playwright holds an event loop, beside which no other one may run.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    try:
        with chromium.browser() as started:
            yield started
    except chromium.NoBrowserError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="package")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    project = make_project(tmp_path_factory.mktemp("browser"), Path(__file__).parent / "app")
    started = Dev.start(project, "--fast-retries", "--max-concurrent", "8", "-f", str(project / "browser.yaml"))
    yield started
    code = started.stop()
    end_all(project)
    assert code == 0, started.output
    wait_until("nothing is left", lambda: not of_project(project))


@pytest.fixture(scope="package")
def cookie(dev: Dev) -> tuple[str, str]:
    """Of a browser that has opened the link."""
    return dev.sign_in()


@pytest.fixture
def visits(browser: Browser, dev: Dev, cookie: tuple[str, str]) -> Iterator[Visits]:
    """Opens pages; any complaint in the console fails the test."""
    made = Visits(browser, dev.url, cookie)
    yield made
    assert made.close() == []


@pytest.fixture
def start(dev: Dev, tmp_path: Path) -> Iterator[Start]:
    """Makes jobs that do what the test says, and ends them with it."""
    made: list[Puppet] = []

    def one(*lines: str, **options: Any) -> Puppet:
        made.append(Puppet.start(dev, tmp_path / f"script-{len(made)}", *lines, **options))
        return made[-1]

    yield one
    for puppet in made:
        puppet.do("end")
    for puppet in made:
        puppet.handle.wait(timeout=120, poll=0.05)


@pytest.fixture(scope="package")
def shelf(dev: Dev) -> list[str]:
    """A namespace in which nothing happens: 28 jobs that are due tomorrow, 2 that succeeded; ids, newest first."""
    put: dict[str, Any] = {"namespace": "shelf"}
    ended = [dev.client.enqueue("shop.jobs.Invoices", "render", [2026, n], queue="right", **put) for n in (1, 2)]
    for handle in ended:
        assert handle.wait(timeout=120, poll=0.05).state == "succeeded"
    later = [
        dev.client.enqueue("shop.jobs.Mail", "send", [f"{n}@example.org", "Hello"], queue="left", delay=86_400, **put)
        for n in range(28)
    ]
    return [handle.id for handle in reversed(ended + later)]
