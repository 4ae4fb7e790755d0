"""The folder whose code runs: what can be imported there, and so what is approved."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLES: Final = "bgjobs.examples"

# Nobody's jobs are in there.
_NOT_CODE: Final = frozenset({"build", "conftest", "dist", "docs", "env", "setup", "test", "tests", "venv"})


@dataclass(frozen=True)
class Project:
    """A folder with code, its packages in it or in its `src/`."""

    folder: Path

    @property
    def path(self) -> list[Path]:
        """What jobs import from."""
        source = self.folder / "src"
        return [source, self.folder] if source.is_dir() else [self.folder]

    def packages(self) -> list[str]:
        """Top-level packages and modules that could hold jobs."""
        found = {name for folder in self.path for name in _modules(folder)}
        return sorted(found - {"src"})

    def shadowing(self) -> list[str]:
        """Those that hide a module of Python, or bgjobs itself: whoever imports that gets the file."""
        return [name for name in self.packages() if name in sys.stdlib_module_names or name == "bgjobs"]

    def approved_classes(self) -> list[str]:
        """Patterns for a queue: your own code, and the examples. Nobody else can send jobs here."""
        return [*(f"{name}.*" for name in self.packages()), f"{EXAMPLES}.*"]


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
        # A folder without __init__.py can be a package too, if there is any Python in it.
        if entry.suffix == ".py" or (entry.is_dir() and any(entry.glob("*.py"))):
            names.add(name)
    return names
