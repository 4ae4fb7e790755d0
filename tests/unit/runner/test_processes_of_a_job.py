"""Processes that job code starts by `multiprocessing` find its modules, and load nothing of the runner."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Pod

CODE = """
import multiprocessing, sys

def look(number):
    return number, sorted(name for name in sys.modules if name.startswith("bgjobs.runner"))

class Job:
    def run(self, method):
        with multiprocessing.get_context(method).Pool(1) as pool:
            return pool.map(look, [1, 2])
"""


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_pool_of_processes(pod: Pod, method: str) -> None:
    (pod.folder / "beside.py").write_text(CODE, encoding="ascii")
    pod.call("run", method, **{"class": "beside.Job", "approved_classes": ["beside.*"]})

    code, _, err = pod.runs()

    assert code == 0, err
    assert pod.finished()["result"] == [[1, []], [2, []]]
