"""The data folder `.bgjobs/`: it has everything that survives a restart, and says which process uses it."""

from __future__ import annotations

import fcntl
import json
import os
import stat
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

    @property
    def _lock(self) -> Path:
        return self.path / "lock"

    @contextmanager
    def locked(self) -> Generator[bool]:
        """Make the folder and lock it for this process while the `with` block runs.

        Yields:
            Whether it has the data of an earlier run.

        Raises:
            InUseError: if another process has locked it.
            DataFolderError: if it cannot be written, or if other users of the machine can write in it.
        """
        try:
            there = self.redis.exists()
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._keep_private()
            ignore = self.path / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n", encoding="ascii")
            descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
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

    def announce(self, url: str, namespace: str, token: str) -> None:
        """Write the server file: the server's URL, our process number, the namespace of the jobs, and the token."""
        said = {"url": url, "pid": os.getpid(), "namespace": namespace, "token": token}
        new = self.server_file.with_suffix(".new")
        new.unlink(missing_ok=True)
        # Ours from its first byte on, and never one that somebody else has put there: the token is in it.
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(said, file)
        new.rename(self.server_file)

    def withdraw(self) -> None:
        """Remove the server file, because the server ends."""
        self.server_file.unlink(missing_ok=True)

    def _keep_private(self) -> None:
        """Let nobody else look into the folder.

        Raises:
            DataFolderError: if somebody else could have put something in it, or still can.
        """
        info = self.path.stat()
        mode = stat.S_IMODE(info.st_mode)
        if info.st_uid != os.geteuid():
            raise DataFolderError(
                f"{self.path} belongs to another user (number {info.st_uid}); give --data a folder of your own"
            )
        if mode & 0o022:
            raise DataFolderError(
                f"other users of this machine can write in {self.path} (mode {mode:o}); `chmod 700 {self.path}`, or "
                "give --data another folder"
            )
        # What somebody keeps there besides is theirs to open or close.
        if mode & 0o077 and (self._lock.exists() or not any(self.path.iterdir())):
            self.path.chmod(0o700)

    def _who(self) -> str:
        try:
            said = json.loads(self.server_file.read_text(encoding="utf-8"))
            where = f"{said['url']} (pid {said['pid']})"
        except (OSError, ValueError, KeyError):
            where = "starting or ending at this moment"
        return f"bgjobs dev runs on {self.path} already: {where}. Use that one, or give --data another folder"
