"""Plays a row with `bgjobs.testing`: here, or in a process of its own as `python -m tests.nasty.in_place NAME FILE`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from bgjobs import run_background_job
from bgjobs.testing import eager
from tests.nasty.table import APP, TABLE, Ended

if TYPE_CHECKING:
    from tests.nasty.table import Row

ROOT = Path(__file__).parents[2]


def play(row: Row) -> Ended:
    """Run it in this process."""
    with eager(raise_errors=False) as jobs:
        run_background_job(row.cls, row.method, row.parameters, max_retries=row.max_retries)
    job = jobs.last
    kind, words = (job.error.type, job.error.message) if job.error else ("", "")
    return Ended(job.state, str(job.outcome), kind, words, job.result, job.log(), len(job.attempts))


def play_alone(row: Row, folder: Path) -> Ended:
    """Run it in a process of its own, which it may spoil."""
    file = folder / "ended.json"
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(APP), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(
        [sys.executable, "-m", "tests.nasty.in_place", row.name, str(file)],
        cwd=ROOT, env=environ, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert file.exists(), done.stderr
    return Ended(**json.loads(file.read_text("utf-8")))


def main(name: str, file: str) -> None:
    """Play a row, and write down what became of it; what the code has done to the streams does not matter."""
    ended = play(next(row for row in TABLE if row.name == name))
    Path(file).write_text(json.dumps(asdict(ended)), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
