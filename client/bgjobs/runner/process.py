"""Starts the child process, signals it, and kills every process that it leaves behind."""

from __future__ import annotations

import os
import signal
import sys
import time

from bgjobs.light_typing import TYPE_CHECKING, NamedTuple
from bgjobs.runner.settings import ENV_JOB_PATH

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

_LEFTOVER_SECONDS: Final = 2.0
# Not `-m`: that loads 3 ms of modules to find this one, and the processes that a job starts by `multiprocessing` would
# begin by running it as well, since it would be their parent's main module.
_RUN_CHILD: Final = "import sys; from bgjobs.runner import child; sys.exit(child.main(sys.argv[1:]))"


class Child(NamedTuple):
    """A child and the supervisor's ends of its pipes, which are all non-blocking.

    Attributes:
        pid: of the child; its process group has the same number.
        stdout: to read what the child prints.
        stderr: likewise.
        frames: to read what it reports (see `frames`).
        call: to write the call to.
        dump: to read the stack that a thread writes (see `stacks`).
        dump_in_child: the number that the other end of that pipe has in the child.
    """

    pid: int
    stdout: int
    stderr: int
    frames: int
    call: int
    dump: int = -1
    dump_in_child: int = -1


def keep_standard_descriptors() -> None:
    """Open those of the descriptors 0, 1 and 2 that are closed, so that none of the supervisor's pipes gets one."""
    while (fd := os.open("/dev/null", os.O_RDWR)) <= 2:  # noqa: PLR2004 - stderr
        os.set_inheritable(fd, True)
    os.close(fd)


def spawn(environ: Mapping[str, str]) -> Child:
    """Start the child in a new session. Of the supervisor's descriptors it gets only its ends of the pipes.

    Args:
        environ: the environment of the supervisor; the child's import path is added to it.

    Raises:
        OSError: if there is no memory or no process number left.
    """
    out, out_child = os.pipe()
    err, err_child = os.pipe()
    frames, frames_child = os.pipe()
    call_child, call = os.pipe()
    dump, dump_child = os.pipe()
    theirs = (out_child, err_child, frames_child, call_child, dump_child)
    for fd in (frames_child, call_child, dump_child):
        os.set_inheritable(fd, True)
    os.set_blocking(dump_child, False)  # who writes there is a handler of a signal, which must not wait for anybody
    try:
        pid = os.posix_spawn(
            sys.executable,
            [sys.executable, "-c", _RUN_CHILD, *map(str, (call_child, frames_child, frames, dump_child))],
            _job_environ(environ),
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, out_child, 1),
                (os.POSIX_SPAWN_DUP2, err_child, 2),
            ],
            setsid=True,
            setsigmask=[],
            setsigdef=[signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE],
        )
    except OSError:
        for fd in (out, err, frames, call, dump):
            os.close(fd)
        raise
    finally:
        for fd in theirs:
            os.close(fd)
    for fd in (out, err, frames, call, dump):
        os.set_blocking(fd, False)
    _spawned.append(pid)
    return Child(pid, out, err, frames, call, dump, dump_child)


def _job_environ(environ: Mapping[str, str]) -> dict[str, str]:
    path = [part for part in (environ.get(ENV_JOB_PATH), environ.get("PYTHONPATH")) if part]
    return {**environ, "PYTHONPATH": os.pathsep.join(path)} if path else dict(environ)


_spawned: list[int] = []


def discard(child: Child) -> None:
    """End a child that has got no call, so that none of the job's code has run in it."""
    for fd in (child.call, child.stdout, child.stderr, child.frames, child.dump):
        os.close(fd)
    kill_leftovers(child.pid)


def signal_group(pid: int, number: signal.Signals) -> None:
    """Send a signal to the child's process group: the child, and what it started without a group of its own."""
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def reap(pid: int) -> int | None:
    """Collect all children that have ended (also adopted ones, so that no zombies stay).

    Returns:
        The exit code of the child with this number, negative for a signal; None if it has not ended.
    """
    found: int | None = None
    while True:
        try:
            ended, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if ended == 0:
            return found
        if ended == pid:
            found = os.waitstatus_to_exitcode(status)


def kill_leftovers(pid: int) -> bool:
    """Kill what an ended child has left: its process group, and its daemons, which have become our children.

    Returns:
        Whether nothing is left after two seconds at most.
    """
    signal_group(pid, signal.SIGKILL)
    deadline = time.monotonic() + _LEFTOVER_SECONDS
    while children := _own_children():
        for child in children:
            try:
                os.kill(child, signal.SIGKILL)
            except ProcessLookupError:
                continue
        reap(pid)
        if time.monotonic() > deadline:
            return False
        time.sleep(0.002)  # when they end, their own children become ours
    if pid in _spawned:
        _spawned.remove(pid)  # its number may be another process's from now on
    return True


def kill_all() -> None:
    """Kill every child that this process has started, with everything that those have started."""
    for pid in (*_spawned,):  # a copy, because kill_leftovers removes from the list
        kill_leftovers(pid)
    for pid in _own_children():  # a child that `spawn` was starting at this moment
        kill_leftovers(pid)


def _own_children() -> list[int]:
    """The process numbers of our children; an empty list on systems without /proc."""
    own = str(os.getpid())
    children: list[int] = []
    # No pathlib, which would take longer to import than all of this module.
    for name in os.listdir("/proc") if os.access("/proc/self/stat", os.R_OK) else ():  # noqa: PTH208
        if name.isdecimal():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                    stat = file.read()
            except OSError:
                continue
            # pid (name) state parent …; the name may hold spaces and brackets.
            if stat.rpartition(b")")[2].split()[1].decode() == own:
                children.append(int(name))
    return children
