"""The example of docs/batches.md works."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bgjobs.testing import eager

if TYPE_CHECKING:
    import pytest

PAGE = Path(__file__).parents[3] / "docs/batches.md"


def test_the_page_about_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = "\n".join(re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE))
    (tmp_path / "page_about_batches.py").write_text(code, "utf-8")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    with eager() as jobs:
        importlib.import_module("page_about_batches")
    del sys.modules["page_about_batches"]

    shown = re.findall(r"\)  # (.+)$", code, re.MULTILINE)
    assert len(shown) == 3
    assert capsys.readouterr().out.splitlines() == shown
    assert [job.method for job in jobs] == ["check"] * 3 + ["report"]
