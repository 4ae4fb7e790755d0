"""The recipes of docs/frameworks.md for FastAPI and Flask, through the test clients of both, on a real server."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.testclient import TestClient

from bgjobs import new_job_id
from tests.local.dev_server import wait_until
from tests.unit.testing.pages import write_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.local.dev_server import Dev

SHOP = {"invoices": 5, "folder": "invoices/de/2026/11"}


@pytest.fixture
def web(dev: Dev, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """The modules of the page, by their names; they find the server and the shop's package."""
    write_files("frameworks.md", tmp_path, "web/")
    monkeypatch.setattr(sys, "path", [str(tmp_path), str(dev.project), *sys.path])
    monkeypatch.setenv("BGJOBS_URL", dev.url)
    monkeypatch.setenv("BGJOBS_TOKEN", dev.token)
    yield importlib.import_module
    for name in [one for one in sys.modules if one.partition(".")[0] in {"web", "shop"}]:
        del sys.modules[name]


def result_of(get: Callable[[str], Any], job_id: str) -> object:
    """What the page of a job says in the end."""
    said: dict[str, Any] = {}

    def ended() -> bool:
        said.update(get(f"/jobs/{job_id}"))
        return said["state"] in {"succeeded", "failed"}

    wait_until("the job has ended", ended)
    return said


def test_fastapi(dev: Dev, web: Callable[[str], Any]) -> None:
    with TestClient(web("web.with_fastapi").app) as client:
        first, again = (client.post("/invoices/2026/11") for _ in range(2))
        failed = client.post("/invoices/2026/13").json()["job"]

        assert (first.status_code, again.json()) == (202, first.json())  # a second click is the same job

        def get(path: str) -> Any:
            return client.get(path).json()

        assert result_of(get, first.json()["job"]) == {"state": "succeeded", "result": SHOP, "error": None}
        assert result_of(get, failed) == {
            "state": "failed",
            "result": None,
            "error": "Abort: there is no month 13: trying again will not help",
        }
        missing = client.get(f"/jobs/{new_job_id()}")
        assert (missing.status_code, missing.json()) == (404, {"detail": "no such job"})
    assert dev.client.get(first.json()["job"]).priority == 1


def test_flask(dev: Dev, web: Callable[[str], Any]) -> None:
    client = web("web.with_flask").create_app().test_client()
    first, again = (client.post("/invoices/2026/10") for _ in range(2))
    failed = client.post("/invoices/2026/14").get_json()["job"]

    assert (first.status_code, again.get_json()) == (202, first.get_json())

    def get(path: str) -> Any:
        return client.get(path).get_json()

    assert result_of(get, first.get_json()["job"]) == {
        "state": "succeeded",
        "result": SHOP | {"folder": "invoices/de/2026/10"},
        "error": None,
    }
    assert result_of(get, failed) == {
        "state": "failed",
        "result": None,
        "error": "Abort: there is no month 14: trying again will not help",
    }
    missing = client.get(f"/jobs/{new_job_id()}")
    assert (missing.status_code, missing.get_json()) == (404, {"detail": "no such job"})


@pytest.mark.parametrize("module", ["web.with_fastapi", "web.with_flask"])
def test_a_server_that_is_away(web: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    """Somebody who waits for a page is told so, soon."""
    monkeypatch.setenv("BGJOBS_URL", "http://127.0.0.1:1")
    app = web(module)

    def hasty(client: Any) -> Any:
        return lambda call_seconds=5.0: client(call_seconds=call_seconds / 25)

    if module == "web.with_flask":
        monkeypatch.setattr(app, "JobClient", hasty(app.JobClient))
        answer = app.create_app().test_client().post("/invoices/2026/11")
        said = answer.get_json()
    else:
        monkeypatch.setattr(app, "AsyncJobClient", hasty(app.AsyncJobClient))
        with TestClient(app.app) as client:
            answer = client.post("/invoices/2026/11")
            said = answer.json()
    assert (answer.status_code, said) == (503, {"detail": "try again in a moment"})
    assert answer.headers["Retry-After"] == "5"
