"""What `pip install 'bgjobs[dev]'` brings, in an environment that knows nothing of this folder."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil
import pytest

from tests.local.dev_server import environment, wait_until

ROOT = Path(__file__).parents[2]


def uv(*arguments: str | Path) -> None:
    done = subprocess.run([sys.executable, "-m", "uv", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter with our two wheels and what they need."""
    folder = tmp_path_factory.mktemp("installed")
    for source in (ROOT / "client", ROOT):
        uv("build", "--wheel", "--no-build-isolation", "--python", sys.executable, "-o", folder / "dist", source)
    uv("venv", "--python", sys.executable, folder / "venv")
    found = folder / "venv/bin/python"
    uv(
        "pip",
        "install",
        "--python",
        found,
        "--compile-bytecode",
        "--require-hashes",
        "-r",
        ROOT / "requirements/local.txt",
    )
    # Everything that the extra names is there by now: what it asks for beyond that would be a hole in the lock.
    uv("pip", "install", "--python", found, "--offline", "--find-links", folder / "dist", "bgjobs[dev]")
    uv("pip", "check", "--python", found)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of somebody who has no code yet."""
    return tmp_path / "nothing yet"


def test_a_newcomer_sees_a_job_run(python: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder.mkdir()
    output = folder / "output"
    command = [python.with_name("bgjobs"), "dev", "--hello"]
    begun = time.monotonic()
    with output.open("wb") as out:
        process = subprocess.Popen(command, cwd=folder, env=environment(), stdout=out, stderr=subprocess.STDOUT)
    server = folder / ".bgjobs/server.json"
    wait_until(f"it is ready: {output.read_text()}", server.exists)
    ready = time.monotonic() - begun
    wait_until("the example job has run", lambda: "succeeded" in output.read_text())
    ran = time.monotonic() - begun
    root = psutil.Process(process.pid)
    memory = {one.name(): round(one.memory_info().rss / 2**20) for one in (root, *root.children(recursive=True))}
    with capsys.disabled():
        print(f"\nready after {ready:.2f} s, the example job has run after {ran:.2f} s; MiB in memory: {memory}")

    url = json.loads(server.read_text())["url"]
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor())
    link = re.search(r"^ +open +(http\S+)$", output.read_text(), re.MULTILINE)
    assert link is not None
    assert "To the jobs" in opener.open(link[1]).read().decode()
    page = opener.open(f"{url}/jobs").read().decode()
    assert "Hello" in page
    script = page.partition('src="')[2].partition('"')[0]
    assert "htmx" in opener.open(url + script).read().decode()

    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=120) == 0
    said = output.read_text()
    assert "no package yet in" in said
    assert "Ada was greeted" in said
    assert "Traceback" not in said


def test_the_command_alone_says_what_is_missing(python: Path, tmp_path: Path) -> None:
    """`pip install bgjobs` without an extra: the client and the runner, and a command that says what it needs."""
    target = tmp_path / "bare"
    uv("venv", "--python", sys.executable, target)
    bare = target / "bin/python"
    dist = python.parents[2] / "dist"
    uv("pip", "install", "--python", bare, "--no-deps", *dist.glob("bgjobs-*.whl"))
    done = subprocess.run([bare.with_name("bgjobs"), "list"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'bgjobs[cli]'" in done.stderr
