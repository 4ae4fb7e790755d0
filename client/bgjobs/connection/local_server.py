"""Reads the file in which `bgjobs dev` writes where its server is, so that clients in its folder find it.

The file holds the token of the server, so only the user who runs `bgjobs dev` may read it. One that somebody else could
have written is not used: its server would get the jobs, with their parameters.
"""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from bgjobs.connection.server import parse_url
from bgjobs.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

# Relative to the folder in which `bgjobs dev` was started.
SERVER_FILE: Final = ".bgjobs/server.json"
_OF_OTHERS: Final = 0o077
_MOST_BYTES: Final = 64 * 1024
# Not there on Windows. A link is not followed, and a named pipe is not waited for.
_HOW: Final = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


@dataclass(frozen=True)
class LocalServer:
    """A server of `bgjobs dev`, as it is described in its file.

    Attributes:
        path: the path of the file.
        url: the URL of the server; None if the file is not one of `bgjobs dev`.
        pid: the number of its process.
        namespace: the namespace of its jobs; None if the file does not name one.
        alive: whether the process is still running.
        token: what the server wants to be shown; None if the file has none.
        refused: why the file is not used although it is there, with what helps; "" if it may be used.
    """

    path: str
    url: str | None = None
    pid: int = 0
    namespace: str | None = None
    alive: bool = False
    token: str | None = field(default=None, repr=False)
    refused: str = ""


def process_lives(pid: int) -> bool:
    """Whether a process of this user with this number is running."""
    try:
        os.kill(pid, 0)
    except (OSError, OverflowError):
        return False  # one of another user has the number by now, or none has
    return True


def find(folder: Path, lives: Callable[[int], bool] = process_lives) -> LocalServer | None:
    """Find the server whose file is in this folder or in the nearest folder above it, whether or not it still runs.

    Args:
        folder: where to begin.
        lives: whether a process with this number is running.
    """
    for parent in (folder, *folder.parents):
        found = read(parent / SERVER_FILE, lives)
        if found is not None:
            return found
    return None


def read(path: Path, lives: Callable[[int], bool] = process_lives) -> LocalServer | None:
    """Read one file; None if there is none that can be read."""
    try:
        descriptor = os.open(path, _HOW)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        refused = _refusal(path, os.fstat(descriptor))
        if refused:
            return LocalServer(str(path), refused=refused)
        content = file.read(_MOST_BYTES)
    return _understood(str(path), content, lives)


def _refusal(path: Path, info: os.stat_result) -> str:
    """Why nobody should believe this file; "" if it is ours alone."""
    if not hasattr(os, "geteuid"):  # Windows, where `bgjobs dev` does not run
        return ""
    if info.st_uid != os.geteuid():
        return (
            f"{path} belongs to another user of this machine (number {info.st_uid}), who would get your jobs, so it "
            "is not used; work in a folder of your own, or name a server by BGJOBS_URL"
        )
    if not stat.S_ISREG(info.st_mode) or info.st_mode & _OF_OTHERS:
        return (
            f"{path} can be read or changed by other users of this machine (mode {stat.S_IMODE(info.st_mode):o}), so "
            "its token is no secret; remove the file and start `bgjobs dev` again"
        )
    return ""


def _understood(path: str, content: bytes, lives: Callable[[int], bool]) -> LocalServer:
    try:
        found: Any = json.loads(content)
    except ValueError:
        return LocalServer(path)
    if not isinstance(found, dict):
        return LocalServer(path)
    said = cast("dict[str, Any]", found)
    url, pid, namespace, token = said.get("url"), said.get("pid"), said.get("namespace"), said.get("token")
    if not isinstance(url, str) or not isinstance(pid, int) or isinstance(pid, bool) or pid <= 0:
        return LocalServer(path)
    try:
        # It must not send jobs and their parameters to another machine.
        if not parse_url(url).is_local:
            return LocalServer(path)
    except ConfigurationError:
        return LocalServer(path)
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        token = None
    return LocalServer(path, url, pid, namespace if isinstance(namespace, str) else None, lives(pid), token)


class ServerToken:
    """Gives the token of a local server at each request.

    When `bgjobs dev` is started again it has another token, so the file is read anew as soon as it is another one.

    Args:
        server: as it was found.
    """

    def __init__(self, server: LocalServer) -> None:
        self._path = Path(server.path)
        self._url = server.url
        self._token = server.token
        self._seen: tuple[int, int, int] | None = None

    def __call__(self) -> str | None:
        """The token; that of the last time while there is no file.

        Raises:
            ConfigurationError: if the file is one by now that others may read or write.
        """
        try:
            info = self._path.stat()
        except OSError:
            return self._token
        seen = info.st_mtime_ns, info.st_ino, info.st_size
        if seen != self._seen:
            found = read(self._path)
            if found is not None and found.refused:
                raise ConfigurationError(found.refused)
            if found is not None and found.url == self._url:
                self._token = found.token
            self._seen = seen
        return self._token
