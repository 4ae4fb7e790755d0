"""The data folder `.bgjobs/`: it has everything that survives a restart, and says which process uses it."""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bgjobs_local.errors import DataFolderError, InUseError

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

NAME: Final = ".bgjobs"


@dataclass(frozen=True)
class DataFolder:
    """The paths in a data folder, and its lock.

    Attributes:
        path: of the folder itself; absolute.
    """

    path: Path

    @property
    def redis(self) -> Path:
        """The folder for the data of the Redis server."""
        return self.path / "redis"

    @property
    def kube_jobs(self) -> Path:
        """The folder with one file for each KubeJob."""
        return self.path / "kubejobs"

    @property
    def pods(self) -> Path:
        """The folder for the files of running pods."""
        return self.path / "pods"

    @property
    def schedules(self) -> Path:
        """The file with what is remembered of schedules."""
        return self.path / "schedules.json"

    @property
    def server_file(self) -> Path:
        """The file by which clients on this machine find the server; it exists while the server runs."""
        return self.path / "server.json"

    @contextmanager
    def locked(self) -> Generator[bool]:
        """Make the folder and lock it for this process while the `with` block runs.

        Yields:
            Whether it has the data of an earlier run.

        Raises:
            InUseError: if another process has locked it.
            DataFolderError: if it cannot be written.
        """
        try:
            there = self.redis.exists()
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            ignore = self.path / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n", encoding="ascii")
            descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise DataFolderError(f"{self.path} cannot be used ({error}); give --data another folder") from error
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise InUseError(self._who()) from error
            yield there
        finally:
            os.close(descriptor)

    def announce(self, url: str, namespace: str) -> None:
        """Write the server file: the server's URL, our process number, and the namespace of the jobs."""
        said = {"url": url, "pid": os.getpid(), "namespace": namespace}
        new = self.server_file.with_suffix(".new")
        new.write_text(json.dumps(said), encoding="utf-8")
        new.rename(self.server_file)

    def withdraw(self) -> None:
        """Remove the server file, because the server ends."""
        self.server_file.unlink(missing_ok=True)

    def _who(self) -> str:
        try:
            said = json.loads(self.server_file.read_text(encoding="utf-8"))
            where = f"{said['url']} (pid {said['pid']})"
        except (OSError, ValueError, KeyError):
            where = "starting or ending at this moment"
        return f"bgjobs dev runs on {self.path} already: {where}. Use that one, or give --data another folder"
