"""Nasty job code with the real runner: a supervisor and a child, as in a pod and in local mode."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from bgjobs.protocol import EXIT_FAILED, EXIT_REFUSED, EXIT_SUCCESS
from tests.nasty.table import APP, GRACE_SECONDS, PACKAGE, TABLE, Ended
from tests.unit.runner.conftest import Pod
from tests.unit.runner.fake_api import FakeApi

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.nasty.table import Row

# What Kubernetes makes of it: only after EXIT_FAILED there is another attempt.
EXIT_CODES = {
    "succeeded": EXIT_SUCCESS,
    "error": EXIT_FAILED,
    "aborted": EXIT_REFUSED,
    "rejected": EXIT_REFUSED,
}


@pytest.fixture
def pod(tmp_path: Path) -> Iterator[Pod]:
    api = FakeApi()
    made = Pod(api, tmp_path)
    made.environ["PYTHONPATH"] = os.pathsep.join([str(APP), made.environ["PYTHONPATH"]])
    made.environ["BGJOBS_GRACE_SECONDS"] = str(GRACE_SECONDS)
    yield made
    made.close()
    api.close()


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_what_becomes_of_it(pod: Pod, row: Row) -> None:
    run(pod, row)


@pytest.mark.parametrize("row", [row for row in TABLE if row.pod], ids=lambda row: row.name)
def test_nothing_else_becomes_of_it_if_somebody_looks_at_it_all_the_time(pod: Pod, row: Row) -> None:
    """Each beat brings a new wish to see its stacks."""
    pod.api.beat_seconds = 0.01
    pod.api.beat.extend({"action": "continue", "stack": number} for number in range(1, 10_000))
    pod.api.beat.popleft()

    run(pod, row)


def run(pod: Pod, row: Row) -> None:
    approved = [f"{PACKAGE}.*"]
    pod.call(row.method, parameters=row.parameters, **{"class": row.cls, "approved_classes": approved})

    code, _, err = pod.runs()

    assert code == EXIT_CODES[row.outcome], err
    body = pod.finished()
    error = body.get("error") or {"type": "", "message": ""}
    state = "succeeded" if body["outcome"] == "succeeded" else "failed"
    row.check(Ended(state, body["outcome"], error["type"], error["message"], body.get("result"), pod.api.log, 1))
