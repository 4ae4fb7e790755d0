"""After the method has returned: Python waits for threads and exit handlers, and somebody should know for which."""

from __future__ import annotations

import contextlib
import os
import sys
import threading

from bgjobs.light_typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import Final

# Idle workers of an executor, and threads that are nearly ready, end within this time.
_QUIET_SECONDS: Final = 1.0


def watch(grace_seconds: float, say: Callable[[str], None]) -> None:
    """Say which threads, processes or exit handler hold this process, if it still lives in a second.

    Args:
        grace_seconds: when it is ended by force.
        say: prints a line.
    """
    # Job code may have used up all threads that it may have.
    with contextlib.suppress(RuntimeError):
        threading.Thread(target=_look, args=(grace_seconds, say), name="bgjobs-leaving", daemon=True).start()


def _look(grace_seconds: float, say: Callable[[str], None]) -> None:
    threading.Event().wait(_QUIET_SECONDS)
    holders = [*map(_thread_in_words, _threads()), *_processes()] or _exit_handlers()
    if holders:
        say(
            f"bgjobs: the method has returned, and its result counts, but its process goes on: {', '.join(holders)}. "
            f"It is ended {grace_seconds:g} s after the return (graceSeconds of the queue)"
        )


def _exit_handlers() -> list[str]:
    """The one that the main thread is in; none while our own code has not even ended, as on a busy machine."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)  # pyright: ignore[reportPrivateUsage]
    outermost = frame
    while outermost is not None and outermost.f_back is not None:
        outermost = outermost.f_back
    if frame is None or outermost is None or outermost.f_code.co_name == "_run_module_as_main":
        return []
    return [f"an exit handler (atexit) in {_place(frame)}"]


def _threads() -> list[threading.Thread]:
    main = threading.main_thread()
    return [one for one in threading.enumerate() if one is not main and not one.daemon]


def _thread_in_words(thread: threading.Thread) -> str:
    frame = sys._current_frames().get(thread.ident or 0)  # pyright: ignore[reportPrivateUsage]
    return f"thread {thread.name!r}{'' if frame is None else f' in {_place(frame)}'}"


def _place(frame: FrameType) -> str:
    """The innermost line that is the job's own, or else the innermost one."""
    library = os.path.dirname(threading.__file__) + os.sep  # noqa: PTH120 - no pathlib here
    own: FrameType | None = frame
    while own is not None and own.f_code.co_filename.startswith(library) and "-packages" not in own.f_code.co_filename:
        own = own.f_back
    shown = own or frame
    return f"{shown.f_code.co_name} ({os.path.basename(shown.f_code.co_filename)}:{shown.f_lineno})"  # noqa: PTH119


def _processes() -> list[str]:
    multiprocessing = sys.modules.get("multiprocessing.process")
    if multiprocessing is None:
        return []
    return [f"process {one.name!r} ({one.pid})" for one in multiprocessing.active_children() if not one.daemon]
