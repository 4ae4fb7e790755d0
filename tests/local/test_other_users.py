"""Another user of the machine reaches 127.0.0.1 as well, and gets nothing there: no job runs, no token is read."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.local.dev_server import Dev, end_all, environment, make_project, of_project, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY = 65534
# What another user could try. The modules are loaded before it becomes that user, who may not reach them.
ATTACK = """
import json, os, sys, http.client, socket, pathlib, encodings.idna, email.parser
folder, port, user, token = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
if user:
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
found = {}

def attempt(name, do):
    try:
        found[name] = do()
    except OSError as error:
        found[name] = type(error).__name__

def ask(method, path, headers=(), body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body, dict(headers))
        return connection.getresponse().status
    finally:
        connection.close()

job = json.dumps({"id": "0197f000-0000-7000-8000-000000000001", "class": "shop.jobs.Invoices", "method": "render",
                  "parameters": [2026, 11]})
written = {"Content-Type": "application/json"}
data = pathlib.Path(folder, ".bgjobs")
attempt("the project", lambda: len(pathlib.Path(folder, "queues.yaml").read_text()) > 0)
attempt("the token", lambda: (data / "server.json").read_text())
attempt("the folder", lambda: os.listdir(data))
attempt("redis", lambda: socket.socket(socket.AF_UNIX).connect(str(data / "redis/redis.sock")))
attempt("healthz", lambda: ask("GET", "/healthz"))
attempt("a job", lambda: ask("POST", "/api/v1/jobs", written, job))
attempt("a job with a guess", lambda: ask("POST", "/api/v1/jobs", {**written, "Authorization": "Bearer x"}, job))
attempt("a job with a cookie", lambda: ask("POST", "/api/v1/jobs", {**written, "Cookie": f"bgjobs_{port}=x"}, job))
for path in ("/jobs", "/api/v1/jobs", "/readyz", "/api/openapi.json", "/local/sign-in?code=1.x.y"):
    attempt(path, lambda: ask("GET", path))
attempt("with the token", lambda: ask("POST", "/api/v1/jobs", {**written, "Authorization": f"Bearer {token}"}, job))
print(json.dumps(found))
"""


@pytest.fixture
def shared() -> Iterator[Path]:
    """A project in a folder that everybody may look into, as many home folders are."""
    folder = Path(tempfile.mkdtemp(prefix="bgjobs-shared-", dir="/tmp"))
    folder.chmod(0o755)
    made = make_project(folder)
    for path in (made, *made.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    yield made
    end_all(made)
    wait_until("nothing is left", lambda: not of_project(made))
    shutil.rmtree(folder)


def attacked(dev: Dev, user: int) -> dict[str, Any]:
    port = str(urlsplit(dev.url).port)
    done = subprocess.run(
        [sys.executable, "-c", ATTACK, str(dev.project), port, str(user), dev.token],
        capture_output=True, text=True, cwd="/", env={"PATH": os.environ["PATH"]}, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def test_another_user_neither_runs_code_nor_reads_the_token(shared: Path) -> None:
    dev = Dev.start(shared)
    file = shared / ".bgjobs/server.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert json.loads(file.read_text())["token"] == dev.token

    is_root = os.geteuid() == 0  # only root becomes somebody else; whoever else runs this is turned away all the same
    found = attacked(dev, NOBODY if is_root else 0)

    refused = {name: said for name, said in found.items() if name.startswith("a job") or name[0] == "/"}
    assert refused == dict.fromkeys(refused, 401)
    assert len(refused) == 8
    assert (found["the project"], found["healthz"]) == (True, 200)
    if is_root:
        closed = {name: found[name] for name in ("the token", "the folder", "redis")}
        assert closed == dict.fromkeys(closed, "PermissionError")
    # The same request is a good one: it is the token that was missing.
    assert found["with the token"] == 201
    assert len(dev.client.list().items) == 1
    assert dev.stop() == 0


def test_a_browser_is_signed_in_by_the_printed_link_and_once(dev: Dev) -> None:
    (link,) = re.findall(r"^ +open +(http\S+)$", dev.output, re.MULTILINE)[:1]
    assert link.startswith(f"{dev.url}/local/sign-in?code=")
    with httpx2.Client(base_url=dev.url, trust_env=False) as browser:
        assert browser.get("/jobs").status_code == 401
        assert browser.get(link).status_code == 200
        for path in ("/jobs", "/queues", "/readyz", "/api/v1/jobs"):
            assert browser.get(path).status_code == 200, path
        headers = {"Sec-Fetch-Site": "same-site"}
        assert browser.post("/jobs/x/cancel", headers=headers).json()["code"] == "cross_site"
    with httpx2.Client(base_url=dev.url, trust_env=False) as another:
        assert another.get(link).status_code == 401
        assert another.get("/jobs").status_code == 401


def command(dev: Dev, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bgjobs.cli", *words],
        cwd=dev.project, env=environment(), check=False, capture_output=True, text=True,
    )  # fmt: skip


def test_the_command_has_the_token_and_makes_links(dev: Dev) -> None:
    assert command(dev, "token").stdout == f"{dev.token}\n"
    link = command(dev, "link").stdout.strip()
    with httpx2.Client(base_url=dev.url, trust_env=False) as browser:
        assert browser.get(link).status_code == 200
        assert browser.get("/jobs").status_code == 200
    doctor = command(dev, "doctor")
    assert (doctor.returncode, "FAIL" in doctor.stdout) == (0, False), doctor.stdout


def test_a_program_goes_on_when_the_server_is_started_again(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each start has another token, which a client reads from the file."""
    from bgjobs import JobClient  # noqa: PLC0415 - as a program that does not know of tokens

    monkeypatch.chdir(project)
    for name in list(os.environ):
        if name.startswith("BGJOBS_"):
            monkeypatch.delenv(name)
    with socket.create_server(("127.0.0.1", 0)) as server:  # the usual one might be another server's meanwhile
        port = str(server.getsockname()[1])
    dev = Dev.start(project, "--fast-retries", "--port", port)
    with JobClient() as program:
        assert program.enqueue("nasty.jobs.Nasty", "binary").wait(timeout=120, poll=0.1).state == "succeeded"
        token = dev.token
        assert dev.stop() == 0
        again = Dev.start(project, "--fast-retries", "--port", port)
        assert again.token != token
        assert program.enqueue("nasty.jobs.Nasty", "binary").wait(timeout=120, poll=0.1).state == "succeeded"
        assert again.stop() == 0


def test_a_folder_that_others_may_write_in_is_not_used(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    data.chmod(0o777)
    done = subprocess.run(
        [sys.executable, "-m", "bgjobs.cli", "dev", str(tmp_path), "--data", str(data)],
        capture_output=True, text=True, env=environment(), check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 2
    assert f"`chmod 700 {data}`, or give --data another folder" in done.stderr
