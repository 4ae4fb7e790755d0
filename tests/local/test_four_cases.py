"""The four cases of the replaced system, by the code that plays them on a cluster."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from bgjobs.client.helper import close_default_client
from four_cases import CASES, Case, Site, play
from ways import ByCommand, ByHelper

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.local.dev_server import Dev
    from ways import Way


@pytest.fixture
def site(dev: Dev, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    def created(job_id: str) -> list[datetime]:
        """By the launcher's own file, which is written before a pod is started."""
        files = (dev.project / ".bgjobs/kubejobs").glob(f"*{job_id}.json")
        return [datetime.fromtimestamp(json.loads(file.read_text())["created_at"], UTC) for file in files]

    monkeypatch.setenv("BGJOBS_URL", dev.url)
    monkeypatch.setenv("BGJOBS_TOKEN", dev.token)
    yield Site(dev.client, created, print)
    close_default_client()


@pytest.mark.parametrize("way", [ByHelper(), ByCommand()], ids=lambda way: way.name)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_case(site: Site, case: Case, way: Way) -> None:
    row = play(case, way, site)
    print(f"case {row.case} by {row.way}: {row.seen}, {row.seconds:.1f} s")
    assert row.passed, row
