"""Reads the file in which `bgjobs dev` writes where its server is."""

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
    """What a `bgjobs dev` has written about its server.

    Attributes:
        path: of the file.
        url: of the server; None if the file cannot be used.
        pid: the number of the server's process; 0 if the file cannot be used.
        namespace: of the jobs; None if the file does not say it.
        alive: whether there is a process with that number.
    """

    path: str
    url: str | None = None
    pid: int = 0
    namespace: str | None = None
    alive: bool = False


def process_lives(pid: int) -> bool:
    """Whether there is a process with this number."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True


def find(folder: Path, lives: Callable[[int], bool] = process_lives) -> LocalServer | None:
    """Find the server file of this folder, or of the nearest folder above it that has one.

    Args:
        folder: where to begin; absolute.
        lives: says whether a process lives.

    Returns:
        What the file says, also if its server has ended; None if there is no file.
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
        # A file that somebody has left in a folder must not send jobs and their parameters to another machine.
        if not parse_url(url).is_local:
            return LocalServer(path)
    except ConfigurationError:
        return LocalServer(path)
    return LocalServer(path, url, pid, namespace if isinstance(namespace, str) else None, lives(pid))
