"""Who imports whom: `.importlinter` says it, and the runner imports the standard library alone."""

from __future__ import annotations

import configparser
import os
import subprocess
import sys
from pathlib import Path

from tests.fundamentals.source_tree import PACKAGE_FOLDERS, ROOT, packages

# As an installed checkout has it.
_ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(str(ROOT / folder) for folder in PACKAGE_FOLDERS)}


def test_the_layers_hold() -> None:
    lint = Path(sys.executable).with_name("lint-imports")

    found = subprocess.run(
        [lint, "--no-cache"], cwd=ROOT, env=_ENVIRONMENT, capture_output=True, text=True, check=False
    )

    assert found.returncode == 0, found.stdout + found.stderr


def test_every_package_has_its_layer() -> None:
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter")

    layers = contracts["importlinter:contract:packages"]["layers"].replace("|", " ").split()

    assert sorted(layers) == sorted(contracts["importlinter"]["root_packages"].split()) == sorted(packages())


def test_the_runner_imports_the_standard_library_alone() -> None:
    """Every job pays for each import at its start."""
    code = """
import sys
before = set(sys.modules)
import bgjobs.runner.supervisor, bgjobs.runner.child
print(*sorted({name.partition(".")[0] for name in set(sys.modules) - before} - sys.stdlib_module_names))
"""

    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=_ENVIRONMENT, capture_output=True, text=True, check=True
    )

    assert found.stdout.split() == ["bgjobs"]
