"""Every job pays for what the runner imports."""

from __future__ import annotations

import subprocess
import sys

import pytest

FORBIDDEN = {"asyncio", "pydantic", "httpx2", "logging", "subprocess", "dataclasses", "inspect", "uuid", "ctypes"}


def loaded(statement: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", statement], capture_output=True, text=True, check=True
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines}


@pytest.mark.parametrize(
    ("statement", "forbidden"),
    [
        # Before the child is started; what the supervisor needs besides, it imports meanwhile.
        ("import bgjobs.runner.__main__", FORBIDDEN | {"http.client", "ssl", "json", "pathlib", "threading"}),
        ("import bgjobs.runner.attempt", FORBIDDEN),
        ("import bgjobs.runner.child", FORBIDDEN - {"inspect"} | {"http.client", "ssl", "zlib"}),
        ("import bgjobs", FORBIDDEN | {"http.client", "ssl", "json"}),
        ("from bgjobs import current_job, Abort", FORBIDDEN | {"http.client", "ssl"}),
    ],
)
def test_only_what_is_needed_is_imported(statement: str, forbidden: set[str]) -> None:
    names = loaded(statement)

    assert "bgjobs" in names
    assert sorted(names & forbidden) == []


def test_nothing_but_the_standard_library_is_imported() -> None:
    before = loaded("pass")

    names = {name.partition(".")[0] for name in loaded("import bgjobs.runner.__main__, bgjobs.runner.child") - before}

    assert names - set(sys.stdlib_module_names) == {"bgjobs"}
