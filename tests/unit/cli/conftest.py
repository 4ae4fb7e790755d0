from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.cli.fakes import FakeApi, Terminal

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def terminal(capsysbinary: pytest.CaptureFixture[bytes], tmp_path: Path) -> Terminal:
    return Terminal(capsysbinary, tmp_path)


@pytest.fixture
def api(terminal: Terminal) -> FakeApi:
    return terminal.api
