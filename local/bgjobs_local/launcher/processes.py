"""Everything that is done with the machine's processes by psutil: it finds trees of them, measures and kills them.

The functions that kill wait until the processes have ended, so call them in a thread.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_PATIENCE_SECONDS: Final = 5.0
_LOOK_SECONDS: Final = 0.01


def is_alive(pid: int) -> bool:
    """Whether a process with this number lives; a zombie does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def memory_of_trees(roots: Iterable[int]) -> dict[int, int]:
    """Measure how much memory (resident, in bytes) each of these processes takes together with its descendants.

    The machine's processes are read once, however many roots there are.
    """
    parents: dict[int, int] = {}
    for process in psutil.process_iter():
        try:
            parents[process.pid] = process.ppid()
        except psutil.Error:  # it has ended meanwhile
            continue
    held = dict.fromkeys(roots, 0)
    for pid in parents:
        root = _root_of(pid, held, parents)
        if root is not None:
            try:
                held[root] += psutil.Process(pid).memory_info().rss
            except psutil.Error:
                continue
    return held


def _root_of(pid: int, roots: Mapping[int, int], parents: Mapping[int, int]) -> int | None:
    seen: set[int] = set()
    while pid not in roots:
        seen.add(pid)
        pid = parents.get(pid, 0)
        if pid in seen or not pid:
            return None
    return pid


def kill_tree(pid: int) -> None:
    """Kill a process and all of its descendants."""
    _kill(_tree(pid))


def kill_marked(name: str, values: Iterable[str]) -> list[str]:
    """Kill every process whose environment has this variable with one of these values, whatever its parents are.

    Returns:
        The names and numbers of the processes that were killed.
    """
    wanted = frozenset(values)
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(name) in wanted:
                found.append(process)
        except (psutil.Error, OSError):  # somebody else's, or gone
            continue
    names = [_name(process) for process in found]
    _kill(found)
    return names


def _name(process: psutil.Process) -> str:
    try:
        return f"{process.name()} ({process.pid})"
    except psutil.Error:
        return str(process.pid)


def _tree(pid: int) -> list[psutil.Process]:
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.Error:
        return []


def _kill(found: Sequence[psutil.Process]) -> None:
    """Kill these processes, and those that they start meanwhile."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    waiting = list(found)
    while waiting and time.monotonic() < deadline:
        for process in list(waiting):
            try:
                waiting += [child for child in process.children(recursive=True) if child not in waiting]
                process.kill()
            except psutil.Error:
                continue
        # Not psutil's own wait: it would reap our children, and those who wait for their exit codes would not get them.
        waiting = [process for process in waiting if is_alive(process.pid)]
        if waiting:
            time.sleep(_LOOK_SECONDS)
