"""The examples of the docs, as files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

DOCS: Final = Path(__file__).parents[3] / "docs"


def blocks(page: str) -> list[str]:
    """The pieces of Python of a page."""
    return re.findall(r"^```python\n(.*?)^```$", (DOCS / page).read_text("utf-8"), re.DOTALL | re.MULTILINE)


def write_files(page: str, folder: Path, *wanted: str) -> list[str]:
    """Write the pieces whose first line says which file they are.

    Args:
        page: its name.
        folder: where to.
        wanted: how the names of the wanted ones begin.

    Returns:
        The names of the files.
    """
    written: list[str] = []
    for one in blocks(page):
        named = re.match(r"# (\S+\.py)\n", one)
        if named and named[1].startswith(wanted):
            file = folder / named[1]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(one, encoding="utf-8")
            written.append(named[1])
    assert written, f"{page} has no such files"
    return written
