"""Every job pays for what the runner imports, twice: in the supervisor and in the process of its code."""

from __future__ import annotations

import functools
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Pod

# Each of them costs a job one to forty milliseconds.
DEAR = {
    "argparse", "ast", "asyncio", "concurrent.futures", "ctypes", "dataclasses", "datetime", "difflib", "dis", "email",
    "encodings.idna", "http.client", "httpx2", "inspect", "ipaddress", "logging", "multiprocessing", "pathlib",
    "pickle",
    "pydantic", "random", "shutil", "ssl", "string", "subprocess", "tempfile", "typing", "unittest", "urllib", "uuid",
    "bgjobs.vocabulary", "bgjobs.runner.missing", "bgjobs.runner.parents", "bgjobs.runner.stack_text",
}  # fmt: skip
# Only where the supervisor is not process 1, as it is in a pod.
OUTSIDE_OF_A_POD = {"ctypes"}
# Only one of the two processes needs these.
OF_THE_SUPERVISOR = {"select", "socket", "zlib", "bgjobs.runner.api", "bgjobs.runner.attempt", "bgjobs.runner.settings"}
OF_THE_CHILD = {"traceback", "bgjobs.calls", "bgjobs.context", "bgjobs.strict_json", "bgjobs.runner.child"}

CODE = """
import sys
FIRST = sorted(sys.modules)

class Job:
    def run(self):
        return FIRST

class Wrong:
    def run(self, one, *, two):
        pass
"""


def imported(text: str) -> set[str]:
    """What `-X importtime` has told."""
    lines = [line for line in text.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines}


def loaded(statement: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", statement], capture_output=True, text=True, check=True
    )
    return imported(done.stderr)


@functools.cache
def brought_by_python() -> frozenset[str]:
    """What the modules that a job cannot do without bring along, by this version of Python and on this machine."""
    return frozenset(loaded("import contextlib, json, signal, socket, threading, traceback, zlib"))


@pytest.mark.parametrize(
    ("statement", "forbidden"),
    [
        # Before the child is started; what the supervisor needs besides, it imports meanwhile.
        ("import bgjobs.runner.__main__", OF_THE_SUPERVISOR - {"select", "bgjobs.runner.settings"} | {"threading"}),
        ("import bgjobs.runner.attempt", OF_THE_CHILD),
        ("import bgjobs.runner.child", OF_THE_SUPERVISOR),
        ("import bgjobs", OF_THE_SUPERVISOR | OF_THE_CHILD | {"json"}),
        ("from bgjobs import current_job, Abort", OF_THE_SUPERVISOR | {"traceback"}),
    ],
)
def test_only_what_is_needed_is_imported(statement: str, forbidden: set[str]) -> None:
    names = loaded(statement)

    assert "bgjobs" in names
    assert sorted(names & (DEAR - brought_by_python() | forbidden)) == []


def test_what_is_there_at_the_first_line_of_job_code(pod: Pod) -> None:
    (pod.folder / "beside.py").write_text(CODE, encoding="ascii")
    pod.call("run", **{"class": "beside.Job", "approved_classes": ["beside.*"]})

    code, _, err = pod.runs()

    assert code == 0, err
    names = set[str](pod.finished()["result"])
    assert "bgjobs.runner.child" in names
    assert sorted(names & (DEAR - OUTSIDE_OF_A_POD - brought_by_python() | OF_THE_SUPERVISOR - loaded("pass"))) == []


def test_what_the_supervisor_has_loaded_at_its_end(pod: Pod) -> None:
    (pod.folder / "beside.py").write_text(CODE, encoding="ascii")
    pod.call("run", **{"class": "beside.Job", "approved_classes": ["beside.*"]})

    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "bgjobs.runner"],
        env=pod.environ,
        cwd=pod.folder,
        capture_output=True,
        text=True,
        check=True,
    )

    assert pod.finished()["outcome"] == "succeeded"
    names = imported(done.stderr)
    assert "bgjobs.runner.delivery" in names
    assert sorted(names & (DEAR - OUTSIDE_OF_A_POD - brought_by_python() | OF_THE_CHILD - loaded("pass"))) == []


def test_a_call_that_does_not_fit_is_told_in_words_all_the_same(pod: Pod) -> None:
    (pod.folder / "beside.py").write_text(CODE, encoding="ascii")
    pod.call("run", **{"class": "beside.Wrong", "approved_classes": ["beside.*"]})

    pod.runs()

    assert pod.finished()["error"]["message"] == (
        "beside.Wrong.run(self, one, *, two): missing a required argument: 'one'"
    )


def test_nothing_but_the_standard_library_is_imported() -> None:
    before = loaded("pass")

    names = {name.partition(".")[0] for name in loaded("import bgjobs.runner.__main__, bgjobs.runner.child") - before}

    assert names - set(sys.stdlib_module_names) == {"bgjobs"}
