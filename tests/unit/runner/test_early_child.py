"""The child's interpreter starts while the API is asked; nothing of the job runs before it says `run`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .conftest import wait_until_dead

if TYPE_CHECKING:
    from .conftest import Pod

# Named like modules of the standard library that the child imports, in the job's folder.
SHADOWS = ("inspect", "operator", "traceback")


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]


@pytest.mark.parametrize(
    ("reply", "code"),
    [({"action": "go_away"}, 64), ({"action": "done"}, 0), (503, 75), ({"action": "wait"}, 75)],
    ids=str,
)
def test_nothing_of_the_job_runs_before_the_api_says_so(pod: Pod, reply: Any, code: int) -> None:
    for name in SHADOWS:
        (pod.folder / f"{name}.py").write_text(
            "import os\nopen(os.environ['TEST_FOLDER'] + '/has_run', 'w').close()\n", encoding="ascii"
        )
    pod.api.start.append(reply)
    seen: list[int] = []

    def look() -> None:
        assert pod.process is not None
        seen.extend(children(pod.process.pid))

    pod.api.on["start"] = look

    got, _, err = pod.runs(patience=0.6, wait=0.6, wait_poll=0.1)

    assert got == code, err
    assert seen, "the child had been started"
    assert all(wait_until_dead(pid) for pid in seen)
    assert not (pod.folder / "has_run").exists()


def test_the_job_finds_its_own_folder(pod: Pod) -> None:
    (pod.folder / "beside.py").write_text("class Job:\n    def run(self):\n        return 7\n", encoding="ascii")
    pod.call("run", **{"class": "beside.Job", "approved_classes": ["beside.*"]})

    code, _, err = pod.runs()

    assert code == 0, err
    assert pod.finished()["result"] == 7


def test_a_supervisor_that_is_killed_leaves_no_child_waiting(pod: Pod) -> None:
    pod.api.start.append({"action": "wait"})
    seen: list[int] = []
    pod.api.on["start"] = lambda: seen.extend(children(pod.process.pid if pod.process else 0))
    pod.launch(wait_poll=0.1)
    pod.api.wait_for(lambda api: len(api.bodies("start")) > 2)
    pod.close()

    assert seen
    assert all(wait_until_dead(pid) for pid in seen)
