"""The command `bgjobs-api` as a process, with Redis and Kubernetes out of reach."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final

import httpx2
import pytest

from bgjobs_api.settings import ApiSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE_SECONDS: Final = 60
COMMAND: Final = [sys.executable, "-m", "bgjobs_api"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def more() -> dict[str, str]:
    """Settings besides the usual ones."""
    return {}


@pytest.fixture
def process(tmp_path: Path, more: dict[str, str]) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process and its URL; nothing listens where it looks for Redis and Kubernetes."""
    nowhere = free_port()
    cluster = {"name": "c", "cluster": {"server": f"http://127.0.0.1:{nowhere}"}}
    context = {"name": "x", "context": {"cluster": "c", "user": "u"}}
    configuration = {
        "apiVersion": "v1", "kind": "Config", "current-context": "x", "clusters": [cluster], "contexts": [context],
        "users": [{"name": "u", "user": {"token": "t"}}],
    }  # fmt: skip
    (tmp_path / "kubeconfig").write_text(json.dumps(configuration))
    port = free_port()
    environ = {
        "PATH": os.environ["PATH"],
        "KUBECONFIG": str(tmp_path / "kubeconfig"),
        "BGJOBS_REDIS_URL": f"redis://:secret-word@127.0.0.1:{nowhere}/0",
        "BGJOBS_LISTEN_HOST": "127.0.0.1",
        "BGJOBS_LISTEN_PORT": str(port),
        # What Kubernetes sets beside a Service of the name bgjobs.
        "BGJOBS_PORT": "tcp://10.96.0.7:80",
        **more,
    }
    started = subprocess.Popen(COMMAND, env=environ, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    yield started, f"http://127.0.0.1:{port}"
    started.kill()
    started.wait()
    if started.stderr:
        started.stderr.close()


def wait_for(url: str) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    with httpx2.Client(trust_env=False) as http:
        while True:
            try:
                assert http.get(f"{url}/healthz").status_code == 200
            except httpx2.TransportError:
                assert time.monotonic() < until, "it did not start"
                time.sleep(0.05)
            else:
                return


def test_it_lives_without_redis_and_kubernetes_and_ends_when_told(process: tuple[subprocess.Popen[str], str]) -> None:
    running, url = process
    wait_for(url)
    with httpx2.Client(trust_env=False, timeout=60) as http:
        ready = http.get(f"{url}/readyz")
        assert ready.status_code == 503
        assert set(ready.json()["problems"]) == {"redis", "kubernetes"}
        refused = http.get(f"{url}/api/v1/jobs", headers={"Authorization": "Bearer x"})
        assert (refused.status_code, refused.json()["code"]) == (503, "keys_unavailable")
        assert "server" not in refused.headers
    running.send_signal(signal.SIGTERM)
    _, errors = running.communicate(timeout=PATIENCE_SECONDS)
    assert running.returncode == 0, errors
    lines = [json.loads(line) for line in errors.splitlines()]  # every line is JSON, uvicorn's too
    requests = [line for line in lines if line["event"] == "request"]
    assert [(line["path"], line["status"]) for line in requests if line["path"].startswith("/api")] == [
        ("/api/v1/jobs", 503)
    ]
    assert "secret-word" not in errors


PEOPLE: Final = free_port()
OIDC: Final = {
    "BGJOBS_DASHBOARD_AUTH": "oidc",
    "BGJOBS_DASHBOARD_PORT": str(PEOPLE),
    "BGJOBS_OIDC_ISSUER_URL": f"https://127.0.0.1:{free_port()}",
    "BGJOBS_OIDC_CLIENT_ID": "bgjobs",
}


@pytest.mark.parametrize("more", [OIDC])
def test_people_have_a_port_of_their_own(process: tuple[subprocess.Popen[str], str]) -> None:
    """Both doors open and close together, and nobody gets in while nobody can be known."""
    running, url = process
    people = f"http://127.0.0.1:{PEOPLE}"
    wait_for(people)
    wait_for(url)
    with httpx2.Client(trust_env=False, timeout=60) as http:
        assert http.get(f"{url}/jobs").headers["Content-Type"] == "application/problem+json"
        page = http.get(f"{people}/jobs")
        assert (page.status_code, page.headers["Content-Type"]) == (401, "text/html; charset=utf-8")
        refused = http.get(f"{people}/api/v1/jobs", headers={"Authorization": "Bearer x"})
        assert (refused.status_code, refused.json()["code"]) == (503, "keys_unavailable")
        ready = http.get(f"{people}/readyz").json()
        assert set(ready["problems"]) == {"redis"}
        away = {"kubernetes_unreachable", "issuer_unreachable"}
        for door in (people, url):  # each is known when it was tried, and a page does not wait for that
            until = time.monotonic() + PATIENCE_SECONDS
            while {warning["code"] for warning in http.get(f"{door}/readyz").json()["warnings"]} != away:
                assert time.monotonic() < until
        assert http.post(f"{people}/runner/v1/jobs/x/start").status_code == 404
    running.send_signal(signal.SIGTERM)
    _, errors = running.communicate(timeout=PATIENCE_SECONDS)
    assert running.returncode == 0, errors
    lines = [json.loads(line) for line in errors.splitlines()]
    assert [line["refused"] for line in lines if line.get("status") == 401] == [
        "a token is needed: send it in the header `Authorization: Bearer TOKEN`"
    ]


def test_a_taken_port_is_said_in_one_line(process: tuple[subprocess.Popen[str], str], tmp_path: Path) -> None:
    _, url = process
    wait_for(url)
    environ = {"BGJOBS_LISTEN_HOST": "127.0.0.1", "BGJOBS_LISTEN_PORT": url.rpartition(":")[2]}
    ended = subprocess.run(COMMAND, env=environ, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert "cannot listen on 127.0.0.1" in json.loads(line)["event"]


def test_help_lists_the_settings() -> None:
    found = subprocess.run([*COMMAND, "--help"], capture_output=True, text=True, check=True)
    for name in ApiSettings.model_fields:
        assert f"BGJOBS_{name.upper()}" in found.stdout


def test_defaults() -> None:
    settings = ApiSettings()
    assert (settings.listen_host, settings.listen_port) == ("0.0.0.0", 8080)  # noqa: S104
