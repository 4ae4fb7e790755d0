"""Third-party scripts of the dashboard: pinned by hash, in their place, and not in git."""

from __future__ import annotations

import hashlib
import re
import subprocess
from typing import Final

from tests.fundamentals.source_tree import ROOT

_PAGES: Final = ROOT / "api/bgjobs_api/pages"
_VENDOR: Final = _PAGES / "static/vendor"


def test_the_files_are_those_that_were_chosen() -> None:
    """`api/assets` puts them there."""
    expected = dict(line.split()[::-1] for line in (_PAGES / "vendor.sha256").read_text().splitlines())

    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in _VENDOR.glob("*")}

    assert found == expected
    assert "htmx.min.js" in found


def test_none_of_them_is_in_git() -> None:
    ignored = subprocess.run(
        ["git", "check-ignore", "--quiet", _VENDOR / "htmx.min.js"], cwd=ROOT, capture_output=True, check=False
    )

    assert ignored.returncode == 0


def test_the_lock_names_one_version_and_no_registry() -> None:
    wanted = re.findall(r"^[\w-]+==\S+", (ROOT / "requirements/assets.in").read_text(), re.MULTILINE)
    lock = (ROOT / "requirements/assets.txt").read_text()

    assert re.findall(r"^[\w-]+==\S+", lock, re.MULTILINE) == wanted
    assert "--hash=sha256:" in lock
    assert "://" not in lock
