"""A small Django project with the examples of docs/frameworks.md, here and under a `bgjobs dev` of its own.

These tests run in an environment that has Django and the client alone (`make django`), as an application's has. Django
6 needs a newer Python than bgjobs does; the server is that of the environment of all other tests.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bgjobs.client import helper
from bgjobs.testing import eager
from tests.local.dev_server import Dev, end_all, make_project
from tests.unit.testing.pages import write_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orders.models import Order

    from bgjobs.testing import RecordedJobs

ROOT = Path(__file__).parents[2]
SERVERS_PYTHON = ROOT / ".venv/bin/python"


@pytest.fixture(scope="session", autouse=True)
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The project's folder; it is set up in this process, and its database is there."""
    made = make_project(tmp_path_factory.mktemp("django"), Path(__file__).parent / "project")
    write_files("frameworks.md", made, "shopsite/", "orders/")
    os.environ["DJANGO_SETTINGS_MODULE"] = "shopsite.settings"
    sys.path.insert(0, str(made))
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", run_syncdb=True, verbosity=0)
    yield made
    end_all(made)


@pytest.fixture(autouse=True)
def away(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test finds a server by chance: nobody listens on this port."""
    monkeypatch.setenv("BGJOBS_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("BGJOBS_TIMEOUT", "0.2")
    yield
    helper.close_default_client()


@pytest.fixture(scope="session")
def running(project: Path) -> Iterator[Dev]:
    """`bgjobs dev` of that project; its jobs run with our Python."""
    started = Dev.start(
        project, "--fast-retries", "--max-concurrent", "2", "--python", sys.executable, python=SERVERS_PYTHON
    )
    yield started
    assert started.stop() == 0, started.output


@pytest.fixture
def dev(running: Dev, away: None, monkeypatch: pytest.MonkeyPatch) -> Dev:
    """It, as the server of this test."""
    monkeypatch.setenv("BGJOBS_URL", running.url)
    monkeypatch.setenv("BGJOBS_TOKEN", running.token)
    monkeypatch.delenv("BGJOBS_TIMEOUT")
    return running


@pytest.fixture
def jobs() -> Iterator[RecordedJobs]:
    """Jobs run in place, and fail as on a server."""
    with eager(raise_errors=False) as recorded:
        yield recorded


@pytest.fixture
def tasks() -> Any:
    """The module of tasks of every kind."""
    return importlib.import_module("contract.tasks")


@pytest.fixture
def orders() -> type[Order]:
    """The model, whose module can be imported when Django is set up."""
    return importlib.import_module("orders.models").Order


@pytest.fixture(params=["in place", "bgjobs dev"])
def anywhere(request: pytest.FixtureRequest) -> str:
    """Once with jobs that run in place, and once with a real server."""
    request.getfixturevalue("jobs" if request.param == "in place" else "dev")
    return str(request.param)


def finished(result: Any) -> Any:
    """A result, once its task has ended."""
    if helper.in_use() is None:
        helper.default_client().handle(result.id).wait(120, poll=0.3)
    result.refresh()
    assert result.is_finished
    return result
