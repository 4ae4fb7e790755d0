"""What the tests need of the machine beside Python: `python -m tests.machine redis-server browser`.

On Debian root gets it; anybody else is told what is missing, in one line.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import Final, NamedTuple


class Program(NamedTuple):
    """Names of which any does, Debian's package with one, and the variable that says where another is, if any."""

    programs: tuple[str, ...]
    package: str
    variable: str = ""


WANTED: Final = {
    "redis-server": Program(("redis-server",), "redis-server"),
    "browser": Program(("chromium", "chromium-browser", "google-chrome"), "chromium", "BGJOBS_CHROMIUM"),
}


def is_there(wanted: Program) -> bool:
    """Whether one of its programs is found."""
    return bool(os.environ.get(wanted.variable)) or any(shutil.which(name) for name in wanted.programs)


def lacks(name: str) -> str:
    """Get it, where that can be done; what is still missing, "" if nothing."""
    wanted = WANTED[name]
    if is_there(wanted):
        return ""
    advice = f"no {name}: install it (on Debian: apt-get install {wanted.package})"
    if wanted.variable:
        advice += f", or say where it is with {wanted.variable}"
    if os.geteuid() or not shutil.which("apt-get"):
        return advice
    for words in (("update",), ("install", "-y", "--no-install-recommends", wanted.package)):
        if subprocess.run(["apt-get", words[0], "-qq", *words[1:]], stdout=subprocess.DEVNULL, check=False).returncode:
            return f"{advice}; apt-get {words[0]} has failed"
    return "" if is_there(wanted) else advice


if __name__ == "__main__":
    found = [words for name in sys.argv[1:] if (words := lacks(name))]
    print(*found, sep="\n", end="\n" if found else "")
    sys.exit(bool(found))
