"""The project folder, whose code runs: which packages it has, and so which classes are approved."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLES: Final = "bgjobs.examples"

# How many folders deep a package's first Python file is looked for.
_DEPTH: Final = 4
# Packages and modules of these names hold no jobs.
_NOT_CODE: Final = frozenset({"build", "conftest", "dist", "docs", "env", "setup", "test", "tests", "venv"})


@dataclass(frozen=True)
class Project:
    """A folder with packages and modules, in itself or in its `src/`.

    Attributes:
        folder: its path; absolute.
    """

    folder: Path

    @property
    def path(self) -> list[Path]:
        """The folders that jobs import from."""
        source = self.folder / "src"
        return [source, self.folder] if source.is_dir() else [self.folder]

    def packages(self) -> list[str]:
        """Return the names of the top-level packages and modules that could hold jobs, sorted."""
        found = {name for folder in self.path for name in _modules(folder)}
        return sorted(found - {"src"})

    def shadowing(self) -> list[str]:
        """Return those of the packages that hide a module of Python, or bgjobs itself, from every import."""
        return [name for name in self.packages() if name in sys.stdlib_module_names or name == "bgjobs"]

    def approved_classes(self) -> list[str]:
        """Return the patterns for the default queue: the project's own code and the examples.

        All of it may be approved, because only the user of this machine can ask for jobs.
        """
        return [*(f"{name}.*" for name in self.packages()), f"{EXAMPLES}.*"]

    def remedy(self) -> str:
        """Say where code was looked for and what was found, to somebody whose class is not approved."""
        folders = " and ".join(map(str, self.path))
        found = ", ".join(self.packages()) or "none"
        return (
            f"bgjobs dev approves the packages that it finds in {folders} (there are: {found}); start it with the "
            "folder that has yours, or add the class to approvedClasses if the queue is in a file of your own"
        )


def _modules(folder: Path) -> set[str]:
    names: set[str] = set()
    try:
        entries = list(folder.iterdir())
    except OSError:
        return names
    for entry in entries:
        name = entry.stem if entry.suffix == ".py" else entry.name
        if not name.isidentifier() or name.startswith("_") or name in _NOT_CODE:
            continue
        if entry.suffix == ".py" or _is_package(entry, _DEPTH):
            names.add(name)
    return names


def _is_package(folder: Path, depth: int) -> bool:
    """Whether it is a folder with Python, in itself or below: a package needs no __init__.py, nor a file of its own."""
    try:
        if not folder.is_dir():
            return False
        if any(folder.glob("*.py")):
            return True
        return depth > 1 and any(
            _is_package(entry, depth - 1)
            for entry in folder.iterdir()
            if entry.name.isidentifier() and not entry.name.startswith("_")
        )
    except OSError:
        return False
