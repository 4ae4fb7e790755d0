"""The stacks of a job's process as text for people. Pure: what was found goes in, text comes out."""

from __future__ import annotations

import os
import re

from bgjobs.light_typing import TYPE_CHECKING, NamedTuple, cast
from bgjobs.protocol import MAX_STACK_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any, Final, TypeAlias

    Frame: TypeAlias = tuple[str, int, str]

_RUNNER: Final = os.path.dirname(__file__) + os.sep  # noqa: PTH120 - no pathlib here
_MAKES_THE_CALL: Final = f"{_RUNNER}job_code.py"
_FRAME: Final = re.compile(rb'^  File "(.*)", line (\d+) in (.*)$')
_HEAD: Final = b"Stack (most recent call first):"
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_CUT: Final = "\n(the rest is left out: this text has its full length)\n"
_MOST_NAMES: Final = 3
# Threads of Python begin there.
_THREADING: Final = os.path.join(os.path.dirname(os.__file__), "threading.py")  # noqa: PTH118, PTH120


class Stack(NamedTuple):
    """Where one thread is, or several that are at the same place.

    Attributes:
        title: what is said of it, without a colon.
        frames: file, line and function, the outermost one first.
        left_out: how many outer frames are not there; None: some, nobody knows how many.
        why_not: why there are no frames; "" if there are.
    """

    title: str
    frames: tuple[Frame, ...]
    left_out: int | None = 0
    why_not: str = ""


def from_python(found: dict[str, Any]) -> str:
    """What the child's own Python code has found (see `stacks.look`), as text.

    Raises:
        ValueError: if it is not that, but something that job code has sent.
    """
    try:
        same: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
        for one in sorted(found["threads"], key=lambda one: (not one["main"], len(one["name"]), one["name"])):
            key = (_frames(one["frames"]), int(one["left_out"]), bool(one["main"]), bool(one["daemon"]))
            same.setdefault(key, []).append(one)
        parts = [
            Stack(_threads(main=main, daemon=daemon, names=[str(one["name"]) for one in of]), _own(frames), left_out)
            for (frames, left_out, main, daemon), of in same.items()
        ]
        more, more_tasks = int(found["more"]), int(found["more_tasks"])
        waiting = [
            Stack(_tasks(int(one["count"]), [str(name) for name in one["names"]]), _own(_frames(one["frames"])))
            for one in found["tasks"]
        ]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("these are no stacks") from error
    notes = [f"{more:,} more threads are left out."] if more else []
    after = [f"{more_tasks:,} more asyncio tasks are left out."] if more_tasks else []
    return bounded("\n".join([*map(_shown, parts), *notes, *map(_shown, waiting), *after]))


def from_threads(stacks: Sequence[Stack], notes: Iterable[str]) -> str:
    """What the threads have written themselves, as text, with some words about why it is not more."""
    return bounded("\n".join([*map(_shown, stacks), *notes]))


def of_thread(title: str, written: bytes) -> Stack:
    """The stack that a thread has written in C code, as `faulthandler` writes it."""
    lines = written.rpartition(_HEAD)[2].split(b"\n")
    frames: list[Frame] = []
    for line in lines:
        if found := _FRAME.match(line):
            file, number, function = found.groups()
            frames.append((file.decode("utf-8", "replace"), int(number), function.decode("utf-8", "replace")))
    frames.reverse()
    left_out = None if b"  ..." in lines else 0
    return Stack(title, _own(tuple(frames)), left_out, "" if frames else "It runs no Python code.")


def bounded(text: str) -> str:
    """At most 64 KiB of UTF-8, with a line that says so where something is left out."""
    data = text.encode("utf-8", "backslashreplace")
    if len(data) <= MAX_STACK_BYTES:
        return data.decode()
    kept = data[: MAX_STACK_BYTES - len(_CUT)]
    return kept[: kept.rfind(b"\n")].decode("utf-8", "replace") + _CUT


def plain(text: str) -> str:
    """Without what would move the cursor of a terminal, or turn the direction of writing."""
    return _CONTROLS.sub("?", text)


def _frames(sent: Any) -> tuple[Frame, ...]:
    return tuple((str(file), int(line), str(function)) for file, line, function in cast("Iterable[Any]", sent))


def _own(frames: tuple[Frame, ...]) -> tuple[Frame, ...]:
    """Without the frames before the job's own: the runner's, and those of `threading`, where its threads begin."""
    at = max((place for place, frame in enumerate(frames) if frame[0] == _MAKES_THE_CALL), default=-1) + 1
    while at < len(frames) and (
        frames[at][0].startswith("<frozen importlib")
        or (frames[at][0] == _THREADING and "_bootstrap" in frames[at][2])
        or (at == 0 and (frames[at][0], frames[at][2]) == ("<string>", "<module>"))  # `python -c`, as the child starts
    ):
        at += 1
    return frames[at:] or frames


def _threads(*, main: bool, daemon: bool, names: Sequence[str]) -> str:
    if main:
        return "Main thread"
    kind = "daemon thread" if daemon else "thread"
    if len(names) > 1:
        return f"{len(names):,} {kind}s, {_named(names, len(names))}"
    return f"{kind[0].upper()}{kind[1:]} {_quoted(names[0])}".rstrip()


def _tasks(count: int, names: Sequence[str]) -> str:
    what = "An asyncio task that waits" if count == 1 else f"{count:,} asyncio tasks that wait at the same place"
    return f"{what}, {_named(names, count)}"


def _named(names: Sequence[str], count: int) -> str:
    shown = ", ".join(_quoted(name) for name in names[:_MOST_NAMES])
    more = count - min(len(names), _MOST_NAMES)
    return f"{shown} and {more:,} more" if more > 0 else shown


def _quoted(name: str) -> str:
    return f"“{plain(name)}”" if name else ""


def _shown(stack: Stack) -> str:
    lines = [f"{stack.title} (the innermost call last):"]
    if stack.left_out is None:
        lines.append("  ... (outer calls are left out)")
    elif stack.left_out:
        lines.append(f"  ... ({stack.left_out:,} outer calls are left out)")
    lines += [f'  File "{plain(file)}", line {line}, in {plain(function)}' for file, line, function in stack.frames]
    if stack.why_not:
        lines.append(f"  {stack.why_not}")
    return "\n".join([*lines, ""])
