"""The folder `operator/` has the name of a module of the standard library.

As long as it holds neither an `__init__.py` nor a test, Python and pytest never take one for the other. With
either of them pytest puts a package `operator` into sys.modules, and `operator.add` is gone.
"""

from __future__ import annotations

import operator
import subprocess
import sys
import sysconfig
from pathlib import Path

from tests.fundamentals.source_tree import ROOT, name_of


def test_the_folder_holds_packages_and_nothing_that_pytest_collects() -> None:
    assert not (ROOT / "operator" / "__init__.py").exists()
    tests = [
        name_of(path)
        for pattern in ("conftest.py", "test_*.py", "*_test.py")
        for path in (ROOT / "operator").rglob(pattern)
    ]
    assert tests == []


def test_operator_is_the_standard_librarys() -> None:
    assert operator.__file__ is not None
    assert Path(operator.__file__).is_relative_to(sysconfig.get_path("stdlib"))
    assert operator.add(1, 2) == 3


def test_operator_is_the_standard_librarys_for_whoever_starts_python_in_the_root() -> None:
    code = "import operator, collections; print(operator.__file__)"

    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert Path(found.stdout.strip()).is_relative_to(sysconfig.get_path("stdlib"))
