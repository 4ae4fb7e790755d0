"""Reads the file in which `bgjobs dev` writes where its server is, so that clients in its folder find it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from bgjobs.connection.server import parse_url
from bgjobs.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Relative to the folder in which `bgjobs dev` was started.
SERVER_FILE: Final = ".bgjobs/server.json"


@dataclass(frozen=True)
class LocalServer:
    """A server of `bgjobs dev`, as it is described in its file.

    Attributes:
        path: the path of the file.
        url: the URL of the server; None if the file is not one of `bgjobs dev`.
        pid: the number of its process.
        namespace: the namespace of its jobs; None if the file does not name one.
        alive: whether the process is still running.
    """

    path: str
    url: str | None = None
    pid: int = 0
    namespace: str | None = None
    alive: bool = False


def process_lives(pid: int) -> bool:
    """Whether a process with this number is running."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True


def find(folder: Path, lives: Callable[[int], bool] = process_lives) -> LocalServer | None:
    """Find the server whose file is in this folder or in the nearest folder above it, whether or not it still runs.

    Args:
        folder: where to begin.
        lives: whether a process with this number is running.
    """
    for parent in (folder, *folder.parents):
        path = parent / SERVER_FILE
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        return _read(str(path), text, lives)
    return None


def _read(path: str, text: str, lives: Callable[[int], bool]) -> LocalServer:
    try:
        found: Any = json.loads(text)
    except ValueError:
        return LocalServer(path)
    if not isinstance(found, dict):
        return LocalServer(path)
    said = cast("dict[str, Any]", found)
    url, pid, namespace = said.get("url"), said.get("pid"), said.get("namespace")
    if not isinstance(url, str) or not isinstance(pid, int) or isinstance(pid, bool) or pid <= 0:
        return LocalServer(path)
    try:
        # A file that anybody may have put there must not send jobs and their parameters to another machine.
        if not parse_url(url).is_local:
            return LocalServer(path)
    except ConfigurationError:
        return LocalServer(path)
    return LocalServer(path, url, pid, namespace if isinstance(namespace, str) else None, lives(pid))
