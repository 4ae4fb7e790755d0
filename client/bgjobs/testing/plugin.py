"""The pytest plugin: the fixture `background_jobs`."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from bgjobs import testing

if TYPE_CHECKING:
    from collections.abc import Generator

    from bgjobs.testing import RecordedJobs


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker `background_jobs` known to pytest."""
    config.addinivalue_line(
        "markers",
        "background_jobs(run=True, raise_errors=True): how the fixture background_jobs treats jobs; "
        "see bgjobs.testing.eager",
    )


@pytest.fixture
def background_jobs(request: pytest.FixtureRequest) -> Generator[RecordedJobs]:
    """The jobs of this test: `run_background_job` runs them in place and records them."""
    node = cast("pytest.Item", request.node)
    marker = node.get_closest_marker("background_jobs")
    with testing.eager(**(marker.kwargs if marker else {})) as jobs:
        yield jobs
