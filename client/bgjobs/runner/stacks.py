"""What the job's process does, for somebody who asks while it runs: the child's side of it (see `stack_taking`).

Two signals ask, each of which a program without a handler for it ignores, so that they can harm nobody:

- SIGURG has Python's own code answer, with the names of threads and the tasks of asyncio. It does so on a thread that
  lives for that moment. A signal's handler runs in the middle of job code, and what it waits for may be held by the
  very code that it has interrupted; and an error that another handler of the job raises would come up in ours.
- SIGWINCH has the thread that gets it write its own stack, in C. That works while a thread is in a long call of C code,
  where no Python code can run. Each thread shows itself only, and only while it stands still: a stack that changes
  while it is read crashes the process.

What variables hold is never looked at.
"""

from __future__ import annotations

import _thread
import contextlib
import faulthandler
import json
import os
import signal
import sys
import threading
import time
import types

from bgjobs.light_typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, Final, TypeAlias

    Frames: TypeAlias = tuple[tuple[str, int, str], ...]

ASKS: Final = signal.SIGURG
ASKS_A_THREAD: Final = signal.SIGWINCH

MOST_THREADS: Final = 100
MOST_FRAMES: Final = 60  # of one thread, the innermost ones
_MOST_IN_ALL: Final = 1000  # frames
_MOST_TASKS: Final = 20_000
_MOST_GROUPS: Final = 40  # of tasks that wait at the same place
_MOST_NAMES: Final = 3  # of such a group
_TASKS_SECONDS: Final = 0.5
_LOOKS_AT_TIME: Final = 100  # after so many tasks
_MOST_NAME: Final = 200  # characters
# As it is now: job code may put something else in its place, and what gevent puts there is no thread.
_start: Final = _thread.start_new_thread

# How it says that there is no other thread to be had; the second one from Python 3.12 on.
_NO_THREAD: Final = (("can't start new thread",), ("can't create new thread at interpreter shutdown",))

_sender: Final[list[Callable[[bytes], None]]] = []


def install(send: Callable[[bytes], None], dump_fd: int) -> None:
    """Have this process answer the two signals.

    Args:
        send: sends what Python's own code has found, as JSON.
        dump_fd: the descriptor that C code writes to, which never blocks.
    """
    _sender[:] = [send]
    os.set_inheritable(dump_fd, False)
    faulthandler.register(ASKS_A_THREAD, file=dump_fd, all_threads=False, chain=False)
    signal.signal(ASKS, _asked)


def _asked(_number: int, _frame: object) -> None:
    running = getattr(sys.modules.get("asyncio.events"), "_get_running_loop", _no_loop)
    try:
        _start(_answer, (running(),))
    except MemoryError:
        return
    except RuntimeError as error:
        if error.args not in _NO_THREAD:  # raised by a handler of the job, which has come in between
            raise


def _no_loop() -> None:
    return None


def _answer(loop: Any) -> None:
    # Whatever is wrong here, the C code still answers.
    with contextlib.suppress(BaseException):
        _sender[0](json.dumps(look(loop)).encode("ascii"))


def look(loop: Any = None) -> dict[str, Any]:
    """The stacks of all threads but the caller's, and what the tasks of asyncio wait for.

    Args:
        loop: an event loop that is known to run; others are found where their threads are.

    Returns:
        `threads`, each with `name`, `daemon`, `main` and `frames`, and how many `more` threads there are; `tasks`,
        each with `count`, `names` and `frames`, for tasks that wait at the same place, and how many `more_tasks`. A
        frame is file, line and function, the outermost one first; `left_out` counts those that are not there.
    """
    own = _thread.get_ident()
    known = {one.ident: one for one in threading.enumerate()}
    main = threading.main_thread().ident
    places = {ident: place for place, ident in enumerate([main, *known])}  # in the order in which they have begun
    found: list[dict[str, Any]] = []
    loops: list[Any] = [] if loop is None else [loop]
    budget = _MOST_IN_ALL
    running = sys._current_frames()  # pyright: ignore[reportPrivateUsage]
    stacks = sorted(running.items(), key=lambda one: places.get(one[0], len(places)) if one[0] != main else -1)
    for ident, frame in stacks:
        if ident == own:
            continue
        if len(found) < MOST_THREADS:
            frames, left_out = _walk(frame, min(MOST_FRAMES, budget), loops)
            budget -= len(frames)
            thread = known.get(ident)
            found.append(
                {
                    "name": _clip("" if thread is None else thread.name),
                    "daemon": thread is not None and thread.daemon,
                    "main": ident == main,
                    "frames": frames,
                    "left_out": left_out,
                }
            )
    more = len(stacks) - 1 - len(found)
    return {"threads": found, "more": max(0, more), **_tasks(loops, budget)}


def _walk(frame: types.FrameType | None, most: int, loops: list[Any]) -> tuple[Frames, int]:
    frames: list[tuple[str, int, str]] = []
    left_out = 0
    while frame is not None:
        code = frame.f_code
        if len(frames) < most:
            frames.append((_clip(code.co_filename), frame.f_lineno or 0, _clip(code.co_qualname)))
        else:
            left_out += 1
        if code.co_name == "run_forever" and code.co_filename.endswith("base_events.py"):
            loop = frame.f_locals.get("self")
            if loop is not None and all(loop is not one for one in loops):
                loops.append(loop)
        frame = frame.f_back
    return tuple(reversed(frames)), left_out


def _tasks(loops: Iterable[Any], budget: int) -> dict[str, Any]:
    module = sys.modules.get("asyncio.tasks")
    groups: dict[Frames, list[str]] = {}
    counts: dict[Frames, int] = {}
    more = 0
    until = time.monotonic() + _TASKS_SECONDS
    for loop in loops:
        tasks: list[Any] = []
        running: Any = None
        # A loop of another kind, or a set that changes all the time.
        with contextlib.suppress(AttributeError, RuntimeError, TypeError):
            tasks = [*module.all_tasks(loop)]  # pyright: ignore[reportOptionalMemberAccess]
            running = module.current_task(loop)  # pyright: ignore[reportOptionalMemberAccess]
        for number, task in enumerate(tasks):
            if number >= _MOST_TASKS or (number % _LOOKS_AT_TIME == 1 and time.monotonic() > until):
                more += len(tasks) - number
                break
            if task is running:  # it is in the stack of its thread
                continue
            place = _waits_at(task)
            if place not in groups and (len(groups) >= _MOST_GROUPS or budget < len(place)):
                more += 1
                continue
            if place not in groups:
                budget -= len(place)
            counts[place] = counts.get(place, 0) + 1
            names = groups.setdefault(place, [])
            if len(names) < _MOST_NAMES:
                names.append(_clip(task.get_name()))
    order = sorted(groups, key=lambda place: -counts[place])
    return {
        "tasks": [{"count": counts[one], "names": sorted(groups[one]), "frames": one} for one in order],
        "more_tasks": more,
    }


def _waits_at(task: Any) -> Frames:
    frames: list[tuple[str, int, str]] = []
    waiting: Any = task.get_coro()
    while waiting is not None and len(frames) < MOST_FRAMES:
        # Of other kinds of objects nothing is asked: what they do then is job code.
        if type(waiting) is types.CoroutineType:
            frame, waiting = waiting.cr_frame, waiting.cr_await
        elif type(waiting) is types.GeneratorType:
            frame, waiting = waiting.gi_frame, cast("Any", waiting).gi_yieldfrom
        elif type(waiting) is types.AsyncGeneratorType:
            frame, waiting = waiting.ag_frame, waiting.ag_await
        else:
            break
        if frame is not None:
            frames.append((_clip(frame.f_code.co_filename), frame.f_lineno or 0, _clip(frame.f_code.co_qualname)))
    return tuple(frames)


def _clip(text: str) -> str:
    """At most 200 characters: the end, where the name of a file is."""
    return text if len(text) <= _MOST_NAME else f"...{text[-_MOST_NAME:]}"
