"""The example of docs/unique.md works."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

PAGE = Path(__file__).parents[3] / "docs/unique.md"


def test_the_page_about_unique_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = "\n".join(re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE))
    (tmp_path / "page_about_unique_keys.py").write_text(code, "utf-8")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    importlib.import_module("page_about_unique_keys")
    del sys.modules["page_about_unique_keys"]

    shown = re.findall(r"  # (returned .+|replaced .+)$", code, re.MULTILINE)
    assert len(shown) == 2
    assert capsys.readouterr().out.splitlines() == shown
