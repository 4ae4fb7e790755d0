"""Runs a pod on this machine: starts the runner as a process, passes on what it prints, and ends it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from bgjobs import protocol
from bgjobs.runner.django_tasks import ENV_SET_UP
from bgjobs.runner.settings import ENV_GRACE_SECONDS, ENV_JOB_PATH, ENV_LIFELINE, ENV_TERMINATION_FILE
from bgjobs_local.launcher import processes
from bgjobs_local.launcher.controller import KILLED_EXIT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bgjobs_local.launcher.controller import KubeJob, Pod
    from bgjobs_local.launcher.memory_guard import MemoryGuard

_PIECE_BYTES: Final = 64 * 1024
# How long to read what the supervisor printed last; a daemon of the job may hold the streams open for ever.
_LAST_WORDS_SECONDS: Final = 2.0
# No pod has a deadline here.
_FOR_EVER_SECONDS: Final = 10**9


def of_jobs(environ: Mapping[str, str]) -> dict[str, str]:
    """What jobs get of the environment of `bgjobs dev`: all of it but what is meant for bgjobs itself."""
    return {name: value for name, value in environ.items() if name == ENV_SET_UP or not name.startswith("BGJOBS_")}


class Printer(Protocol):
    """Prints what jobs print; `terminal.console` has the one that is used."""

    def feed(self, job: KubeJob, stream: str, data: bytes) -> None:
        """Take a piece of the stream, `stdout` or `stderr`; no bytes mean its end."""
        ...


class Tokens(Protocol):
    """Gives pods the tokens by which the API recognises them."""

    def give(self, namespace: str, pod_name: str, pod_uid: str) -> str:
        """Make a token by which the API recognises this pod."""
        ...

    def take_back(self, pod_uid: str) -> None:
        """Make the pod's token invalid."""
        ...


@dataclass(frozen=True)
class Ending:
    """How a pod ended.

    Attributes:
        exit_code: of the supervisor, negative for a signal.
        reason: `OOMKilled` if it was killed for its memory, else "".
        message: the termination message that the supervisor has written; "" if it has written none.
    """

    exit_code: int
    reason: str
    message: str


@dataclass(frozen=True)
class Kubelet:
    """Starts pods, as the kubelet does on a node of a cluster.

    Attributes:
        folder: for the files that a pod gets, its token and its termination message.
        project: the working folder of the jobs.
        python: the path of the Python that runs the jobs, which must have bgjobs.
        path: the folders that jobs import from.
        url: where runners find the API.
        tokens: gives each pod its token.
        printer: gets what pods print.
        memory: enforces the memory limits.
        environ: the environment that the variables of a pod are added to.
        umask: of the jobs' processes.
    """

    folder: Path
    project: Path
    python: str
    path: Sequence[Path]
    url: str
    tokens: Tokens
    printer: Printer
    memory: MemoryGuard
    environ: Mapping[str, str]
    umask: int = 0o022

    async def start(self, job: KubeJob, pod: Pod) -> RunningPod:
        """Start a pod's process.

        Raises:
            OSError: if it cannot be started.
        """
        folder = self.folder / pod.name
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (folder / "token").write_text(self.tokens.give(job.namespace, pod.name, pod.uid), encoding="ascii")
        (folder / "termination-log").write_bytes(b"")
        ours, theirs = os.pipe()  # see bgjobs.runner.lifeline
        try:
            process = await asyncio.create_subprocess_exec(
                self.python,
                "-P",  # a file of the project must not stand in for a module of the runner
                "-m",
                "bgjobs.runner",
                env=self._environ(job, pod, folder) | {ENV_LIFELINE: str(ours)},
                cwd=self.project,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                # A Ctrl-C at the terminal is for us alone; we tell the pods.
                start_new_session=True,
                umask=self.umask,
                pass_fds=(ours,),
            )
        except BaseException:
            os.close(theirs)
            self.forget(pod)
            raise
        finally:
            os.close(ours)
        return RunningPod(job, pod, process, theirs, folder, self)

    def forget(self, pod: Pod) -> None:
        """Remove a pod's files, and make its token invalid."""
        self.tokens.take_back(pod.uid)
        shutil.rmtree(self.folder / pod.name, ignore_errors=True)

    def forget_all(self) -> None:
        """Remove the files of all pods of an earlier run."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _environ(self, job: KubeJob, pod: Pod, folder: Path) -> dict[str, str]:
        return {
            **self.environ,
            **job.env,
            ENV_JOB_PATH: os.pathsep.join(map(str, self.path)),
            "PYTHONUNBUFFERED": "1",
            protocol.ENV_URL: self.url,
            protocol.ENV_TOKEN_FILE: str(folder / "token"),
            protocol.ENV_JOB_ID: job.job_id,
            protocol.ENV_NAMESPACE: job.namespace,
            protocol.ENV_KUBE_UID: job.uid,
            protocol.ENV_POD_UID: pod.uid,
            protocol.ENV_POD_NAME: pod.name,
            ENV_GRACE_SECONDS: str(job.grace_seconds),
            protocol.ENV_SERIES_SECONDS: str(_FOR_EVER_SECONDS),
            ENV_TERMINATION_FILE: str(folder / "termination-log"),
        }


class RunningPod:
    """A pod whose process was started."""

    def __init__(
        self,
        job: KubeJob,
        pod: Pod,
        process: asyncio.subprocess.Process,
        lifeline: int,
        folder: Path,
        kubelet: Kubelet,
    ) -> None:
        self._job = job
        self._pod = pod
        self._process = process
        self._lifeline = lifeline
        self._folder = folder
        self._printer = kubelet.printer
        self._memory = kubelet.memory

    async def run(self) -> Ending:
        """Wait until none of the pod's processes is left, and return how it ended. When cancelled, kill it."""
        streams = [
            asyncio.create_task(self._print("stdout", self._process.stdout)),
            asyncio.create_task(self._print("stderr", self._process.stderr)),
        ]
        try:
            with self._memory.watching(self._process.pid, self._job.memory_bytes):
                code = await self._process.wait()
        except asyncio.CancelledError:
            await self.kill()
            raise
        finally:
            os.close(self._lifeline)
            await asyncio.wait(streams, timeout=_LAST_WORDS_SECONDS)
            for task in streams:
                task.cancel()
        if code < 0 or sys.platform != "linux":
            # The supervisor was killed, or is not told of orphans: it could not clean up after its job.
            await asyncio.to_thread(processes.kill_marked, protocol.ENV_POD_UID, [self._pod.uid])
        if code < 0:
            code = KILLED_EXIT if code == -signal.SIGKILL else 128 - code
        message = b""
        with contextlib.suppress(OSError):
            message = (self._folder / "termination-log").read_bytes()
        return Ending(
            code, "OOMKilled" if self._memory.killed(self._process.pid) else "", message.decode(errors="replace")
        )

    async def stop(self, grace_seconds: float) -> None:
        """Send SIGTERM, and kill the pod if it has not ended after so many seconds."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(grace_seconds):
                await self._process.wait()
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """Kill the pod's process and all that it has started."""
        await asyncio.to_thread(processes.kill_tree, self._process.pid)

    async def _print(self, stream: str, reader: asyncio.StreamReader | None) -> None:
        while reader is not None:
            data = await reader.read(_PIECE_BYTES)
            self._printer.feed(self._job, stream, data)
            if not data:
                return


def new_pod_name(kube_job: str) -> str:
    """Make a name for a pod as Kubernetes does: the KubeJob's name and five random characters."""
    return f"{kube_job}-{''.join(secrets.choice('bcdfghjklmnpqrstvwxz2456789') for _ in range(5))}"
