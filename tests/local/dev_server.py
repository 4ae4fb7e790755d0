"""`bgjobs dev` as a user starts it: a process of its own, in a folder with code."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import httpx2
import psutil

from bgjobs import JobClient
from bgjobs.connection.local_link import new_link

if TYPE_CHECKING:
    from collections.abc import Callable

    from bgjobs.wire import Job

APP = Path(__file__).parent / "app"
SHOP = Path(__file__).parents[2] / "examples/shop/shop"
NAMESPACE = "shop"


def wait_until(what: str, holds: Callable[[], object], seconds: float = 120) -> None:
    """Look until it is so."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not so after {seconds:g} s: {what}"
        time.sleep(0.02)


def make_project(folder: Path, *more: Path) -> Path:
    """A folder with the shop's jobs and the nasty ones, and what else lies in these folders."""
    project = folder / "project"
    for source in (APP, *more):
        shutil.copytree(source, project, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(SHOP, project / "shop")
    return project


_started: list[Dev] = []


def end_all(project: Path) -> None:
    """What a test that failed has left."""
    for dev in [one for one in _started if one.project == project]:
        if dev.process.poll() is None:
            dev.kill()
        _started.remove(dev)


@dataclass
class Dev:
    """One run of it."""

    project: Path
    process: subprocess.Popen[bytes]
    output_file: Path
    url: str
    token: str
    client: JobClient

    @classmethod
    def start(
        cls, project: Path, *options: str, output: int | None = None, python: str | Path = sys.executable
    ) -> Self:
        """Start it and wait until it is ready.

        Args:
            project: the folder with code.
            options: more of them; the last one of its kind holds.
            output: descriptor to write to, in place of a file.
            python: that of the server.
        """
        output_file = project / "output.txt"
        data = Path(options[options.index("--data") + 1]) if "--data" in options else project / ".bgjobs"
        command = [
            python,
            "-m",
            "bgjobs.cli",
            "dev",
            str(project),
            "-n",
            NAMESPACE,
            "-f",
            project / "queues.yaml",
        ]
        with output_file.open("ab") as file:
            process = subprocess.Popen(
                [*command, *options],
                stdout=file if output is None else output,
                stderr=subprocess.STDOUT,
                env=environment(),
                start_new_session=True,
            )
        said: dict[str, Any] = {}

        def ready() -> bool:
            assert process.poll() is None, output_file.read_text()
            try:
                said.update(json.loads((data / "server.json").read_text()))
            except (OSError, ValueError):
                return False
            return said["pid"] == process.pid

        wait_until("bgjobs dev is ready", ready)
        client = JobClient(said["url"], said["token"], namespace=NAMESPACE)
        started = cls(project, process, output_file, said["url"], said["token"], client)
        _started.append(started)
        return started

    @property
    def output(self) -> str:
        """All that it has printed; of earlier runs in this folder too."""
        return self.output_file.read_text()

    @property
    def headers(self) -> dict[str, str]:
        """Of a program that has the token."""
        return {"Authorization": f"Bearer {self.token}"}

    def sign_in(self) -> tuple[str, str]:
        """As a browser that opens a new link: name and value of the cookie."""
        answer = httpx2.get(new_link(self.url, self.token, time.time()), trust_env=False)
        assert answer.status_code == 200, answer.text
        ((name, value),) = answer.cookies.items()
        return name, value

    def run(self, method: str, parameters: list[Any] | None = None, **options: Any) -> Job:
        """Run a nasty job to its end."""
        return self.client.enqueue("nasty.jobs.Nasty", method, parameters or [], **options).wait(timeout=120, poll=0.1)

    def processes(self) -> list[psutil.Process]:
        """It and all that descends from it."""
        root = psutil.Process(self.process.pid)
        return [root, *root.children(recursive=True)]

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Ask for its end; the exit code."""
        self.client.close()
        self.process.send_signal(number)
        return self.process.wait(timeout=120)

    def kill(self) -> None:
        """As the kernel's out-of-memory killer does."""
        self.client.close()
        self.process.kill()
        self.process.wait()


def environment() -> dict[str, str]:
    """That of a user who has nothing set."""
    return {name: value for name, value in os.environ.items() if not name.startswith("BGJOBS_")}


def of_project(project: Path) -> list[str]:
    """Processes that have to do with a project: by their working folder, or their arguments."""
    found: list[str] = []
    for process in psutil.process_iter():
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            command = process.cmdline()
            if str(project) in " ".join(command) or process.cwd().startswith(str(project)):
                found.append(f"{process.pid} {' '.join(command)}")
        except psutil.Error:
            continue
    return found
