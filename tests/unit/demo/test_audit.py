"""How many KubeJobs were made is counted from the audit log, also where the answer to a POST was lost."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import audit

if TYPE_CHECKING:
    from pathlib import Path


def _entry(verb: str, code: int, uid: str = "", reason: str = "", resource: str = "jobs") -> dict[str, Any]:
    about = {"resource": resource, "namespace": "shop", "name": "bgjob-a", **({"uid": uid} if uid else {})}
    return {"verb": verb, "objectRef": about, "responseStatus": {"code": code, "reason": reason}}


MADE = _entry("create", 201)
LOST = _entry("create", 504, reason="Timeout")


@pytest.mark.parametrize(
    ("entries", "count"),
    [
        pytest.param([MADE], 1, id="made"),
        pytest.param([MADE, MADE], 2, id="made twice"),
        pytest.param([LOST], 0, id="no answer, and nothing more is heard"),
        pytest.param([LOST, _entry("create", 409, reason="AlreadyExists")], 1, id="it is there when it is sent again"),
        pytest.param([LOST, _entry("update", 200, "1"), _entry("update", 200, "1")], 1, id="it has a status later"),
        pytest.param([LOST, _entry("update", 200, "1"), MADE, _entry("update", 200, "2")], 2, id="two have a status"),
        pytest.param([MADE, _entry("update", 200, "1")], 1, id="made, and it has a status"),
        pytest.param([_entry("create", 403), _entry("update", 404, "1")], 0, id="refused"),
        pytest.param([_entry("create", 201, resource="pods")], 0, id="a pod"),
        pytest.param([{"verb": "get"}, {"verb": "create", "objectRef": {"resource": "jobs"}}], 0, id="no answer yet"),
    ],
)
def test_kube_jobs_that_were_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, entries: list[dict[str, Any]], count: int
) -> None:
    log = tmp_path / "audit.log"
    log.write_text("".join(f"{json.dumps(one)}\n" for one in entries))

    def dev(*_: str) -> str:
        return f"{log}\n"

    monkeypatch.setattr(audit, "dev", dev)
    assert audit.creations()["a"] == count
