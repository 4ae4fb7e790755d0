from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import bgjobs

from .fake_api import FakeApi

if TYPE_CHECKING:
    from collections.abc import Iterator

JOB_ID = "0192f0c1-2a3b-7c4d-8e5f-001122334455"
APP = Path(__file__).parent / "app"
# A supervisor with less patience than in a pod: what takes a minute there takes a second here.
IMPATIENT = """
import os, sys
import bgjobs.runner.__main__  # the job's folder is no longer where modules are looked for
from bgjobs.runner.settings import read_settings
from bgjobs.runner.supervisor import supervise
changes = {name: float(value) for name, value in (change.split("=") for change in sys.argv[1:])}
sys.exit(supervise(read_settings(os.environ)._replace(**changes), os.environ))
"""


class Pod:
    """A supervisor as a real process, with the environment that the launcher gives it."""

    def __init__(self, api: FakeApi, folder: Path) -> None:
        self.api = api
        self.folder = folder
        self.termination = folder / "termination-log"
        self.termination.touch()
        path = os.pathsep.join([str(APP), str(Path(bgjobs.__file__).parent.parent)])
        self.environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": path,
            "BGJOBS_URL": api.url,
            "BGJOBS_TOKEN_FILE": str(folder / "token"),
            "BGJOBS_NAMESPACE": "team-a",
            "BGJOBS_JOB_ID": JOB_ID,
            "BGJOBS_KUBE_UID": "kube-1",
            "BGJOBS_POD_UID": "pod-1",
            "BGJOBS_POD_NAME": "bgjob-x-abcde",
            "BGJOBS_TERMINATION_FILE": str(self.termination),
            "TEST_FOLDER": str(folder),
        }
        self.process: subprocess.Popen[bytes] | None = None

    def call(self, method: str, /, *parameters: object, **more: Any) -> None:
        """Script the reply to `start`."""
        reply: dict[str, Any] = {
            "action": "run",
            "attempt": 1,
            "max_retries": 3,
            "class": "sample_jobs.Sample",
            "method": method,
            "parameters": list(parameters),
            "approved_classes": ["sample_jobs.*"],
            "timeout_seconds": 60,
            "beat_seconds": self.api.beat_seconds,
        }
        self.api.start.append(reply | more)

    def launch(self, *, stdout: Any = subprocess.PIPE, shell: str | None = None, **patience: float) -> None:
        """Start the supervisor; `patience` changes its settings, `shell` is a redirection for its descriptors."""
        command = [sys.executable, "-m", "bgjobs.runner"]
        if patience:
            command = [sys.executable, "-c", IMPATIENT, *(f"{name}={value}" for name, value in patience.items())]
        if shell:
            command = ["/bin/sh", "-c", f'exec "$@" {shell}', "sh", *command]
        self.process = subprocess.Popen(
            command, env=self.environ, cwd=self.folder, stdout=stdout, stderr=subprocess.PIPE
        )

    def terminate(self) -> None:
        assert self.process
        self.process.send_signal(signal.SIGTERM)

    def ends(self, timeout: float = 30) -> tuple[int, str, str]:
        """Wait for its exit code, stdout and stderr."""
        assert self.process
        out, err = self.process.communicate(timeout=timeout)
        return self.process.returncode, (out or b"").decode(errors="replace"), err.decode(errors="replace")

    def runs(self, **patience: float) -> tuple[int, str, str]:
        self.launch(stdout=subprocess.PIPE, shell=None, **patience)
        return self.ends()

    def hang_first_beat(self) -> tuple[threading.Event, threading.Event]:
        """Have the first beat hang: events that say that it does, and that it shall go on."""
        begun, released = threading.Event(), threading.Event()

        def hang() -> None:
            self.api.on.pop("beat")
            begun.set()
            released.wait(30)

        self.api.on["beat"] = hang
        return begun, released

    def never_hears(self, reply: Any) -> None:
        """Have each `finish` answered by this."""
        self.api.finish.appendleft(reply)
        self.api.finish.pop()

    def finished_with(self) -> dict[str, Any]:
        """The body of the last `finish`."""
        return self.api.bodies("finish")[-1]

    def finished(self) -> dict[str, Any]:
        """The one body of `finish`."""
        (body,) = self.api.bodies("finish")
        return body

    def close(self) -> None:
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.communicate()


@pytest.fixture
def api() -> Iterator[FakeApi]:
    fake = FakeApi()
    yield fake
    fake.close()


@pytest.fixture
def pod(api: FakeApi, tmp_path: Path) -> Iterator[Pod]:
    made = Pod(api, tmp_path)
    yield made
    made.close()


def is_alive(pid: int) -> bool:
    """Whether a process exists that is not a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def wait_until_dead(pid: int, seconds: float = 5) -> bool:
    """Whether a process that was killed is gone in time."""
    deadline = time.monotonic() + seconds
    while is_alive(pid):
        if time.monotonic() > deadline:
            return False
        os.sched_yield()
    return True
