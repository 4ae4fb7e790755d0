"""Local mode, with everything real: the command, Valkey, the API, the loops, processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.local.dev_server import Dev, end_all, make_project, of_project, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    """One for all tests that leave it as it is."""
    project = make_project(tmp_path_factory.mktemp("dev"))
    started = Dev.start(project, "--fast-retries", "--max-concurrent", "4")
    yield started
    assert started.stop() == 0, started.output
    wait_until("nothing is left", lambda: not of_project(project))


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A folder for tests that start and end it by themselves; nothing may be left of that."""
    made = make_project(tmp_path)
    yield made
    end_all(made)
    wait_until(f"nothing is left: {of_project(made)}", lambda: not of_project(made))
