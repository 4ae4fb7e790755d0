"""Prints where a Python of version 3.12 or newer is, which Django 6 needs: `python -m tests.newer_python`.

That is the one that runs this if it is new enough, else that of BGJOBS_NEWER_PYTHON, of PATH, or of pyenv.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

NEEDED: Final = (3, 12)
VARIABLE: Final = "BGJOBS_NEWER_PYTHON"
_QUESTION: Final = f"import sys, venv, ensurepip; sys.exit(sys.version_info < {NEEDED})"


def candidates() -> Iterator[str]:
    """Where one may be, the best first."""
    # The one that this environment was made of: an environment within an environment helps nobody.
    yield str(Path(sys.base_prefix) / "bin" / "python3")
    if named := os.environ.get(VARIABLE):
        yield named
    yield from filter(None, (shutil.which(f"python3.{minor}") for minor in (14, 13, 12)))
    yield from filter(None, [shutil.which("python3")])
    versions = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    yield from sorted((str(one) for one in versions.glob("3.1[2-9]*/bin/python3")), reverse=True)


def find() -> str | None:
    """The first one that is new enough, and can make environments."""
    for one in candidates():
        try:
            done = subprocess.run([one, "-c", _QUESTION], capture_output=True, check=False)
        except OSError:
            continue
        if done.returncode == 0:
            return one
    return None


if __name__ == "__main__":
    found = find()
    if found is None:
        needed = ".".join(map(str, NEEDED))
        print(f"no Python {needed} or newer, which Django 6 needs: say where one is with {VARIABLE}", file=sys.stderr)
        sys.exit(1)
    print(found)
