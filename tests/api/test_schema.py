"""Requests that nobody would think of are answered as the document of the API says; see `schema_run`."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_answers_conform_to_the_document() -> None:
    command = [sys.executable, "-m", "tests.api.schema_run"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout[-8000:] + ended.stderr[-2000:]
    assert "35/35" in ended.stdout  # operations
    found = re.search(r"(\d+) generated, (\d+) passed", ended.stdout)
    assert found is not None
    assert found[1] == found[2]
    assert int(found[1]) > 500
