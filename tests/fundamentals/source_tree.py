"""Where the project's files are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).resolve().parents[2]
# Folders with packages directly in them (pyproject.toml, client/pyproject.toml).
PACKAGE_FOLDERS: Final = ("client", "core", "operator", "api", "local")
LUA: Final = ROOT / "core" / "bgjobs_core" / "lua"

_SOURCES: Final = (*PACKAGE_FOLDERS, "tests", "generate", "devcluster", "examples", "bench")


def packages() -> dict[str, Path]:
    """Every package that we ship, by its name."""
    return {
        marker.parent.name: marker.parent
        for folder in PACKAGE_FOLDERS
        for marker in (ROOT / folder).glob("*/__init__.py")
    }


def sources() -> Iterator[Path]:
    """Every Python file of ours, tests included."""
    for folder in _SOURCES:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if not {"__pycache__", "build", "dist"} & set(path.parts):
                yield path


def name_of(path: Path) -> str:
    """Relative to the root, for messages."""
    return str(path.relative_to(ROOT))
