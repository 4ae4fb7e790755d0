"""Formats the lines for the terminal: each line of a job begins with the time and the job, in a colour of its own."""

from __future__ import annotations

import re
import time
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from bgjobs_local.launcher.controller import KubeJob

LINES_A_SECOND: Final = 100  # the most that is shown of one job; its log has all lines
MAX_LINE_CHARACTERS: Final = 2000
_LABEL_WIDTH: Final = 30
_COLOURS: Final = ("cyan", "magenta", "green", "yellow", "blue", "bright_cyan", "bright_magenta")
# Control sequences that would move the cursor or change the terminal; those for colours are let through.
_CONTROL: Final = re.compile(r"\x1b\[[0-9;:?]*[^m0-9;:?]|\x1b[^\[]|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]")


def short(job_id: str) -> str:
    """The last six characters of a job's id, which the command `bgjobs` accepts in place of the whole id.

    The beginning would not do, because ids that are made in the same second begin alike.
    """
    return job_id[-6:]


@dataclass
class _Stream:
    """The state of one stream of one pod: the start of an unfinished line, and how much was printed this second."""

    rest: bytes = b""
    second: int = -1
    printed: int = 0
    left_out: int = 0


@dataclass
class Console:
    """Prints lines of the program and of jobs. Implements `bgjobs_local.launcher.pods.Printer`.

    Attributes:
        echo: prints one line, with colours, as `Screen.line` does.
        clock: monotonic seconds, to count how many lines a job prints in a second.
    """

    echo: Callable[[str], object]
    clock: Callable[[], float] = time.monotonic
    _streams: dict[tuple[str, str], _Stream] = field(default_factory=dict[tuple[str, str], _Stream])

    def say(self, text: str) -> None:
        """Print a message of the program itself."""
        self.echo(f"{self._time()} {text}")

    def warn(self, text: str) -> None:
        """Print a message of the program itself that somebody should read."""
        self.echo(f"{self._time()} {typer.style(text, fg='yellow')}")

    def job(self, label: str, job_id: str, text: str, *, good: bool | None = None) -> None:
        """Print what has become of a job.

        Args:
            label: what people call the job, such as `Invoices.render`.
            job_id: its id.
            text: what has become of it.
            good: True prints it in green, False in red, None without a colour.
        """
        colour = {True: "green", False: "red", None: None}[good]
        self.echo(
            f"{self._time()} {self._prefix(label, job_id)} {typer.style(_CONTROL.sub('', text), fg=colour, bold=True)}"
        )

    def feed(self, job: KubeJob, stream: str, data: bytes) -> None:
        """See `Printer.feed`."""
        key = (job.job_id, stream)
        known = self._streams.setdefault(key, _Stream())
        lines = (known.rest + data).split(b"\n")
        known.rest = lines.pop()
        if len(known.rest) > MAX_LINE_CHARACTERS or (not data and known.rest):
            lines.append(known.rest)
            known.rest = b""
        for line in lines:
            self._line(job, stream, line, known)
        if not data:
            self._tell_left_out(job, known)
            del self._streams[key]

    def _line(self, job: KubeJob, stream: str, line: bytes, known: _Stream) -> None:
        second = int(self.clock())
        if second != known.second:
            self._tell_left_out(job, known)
            known.second, known.printed = second, 0
        if known.printed >= LINES_A_SECOND:
            known.left_out += 1
            return
        known.printed += 1
        text = _CONTROL.sub("", line.decode(errors="replace"))
        if len(text) > MAX_LINE_CHARACTERS:
            text = f"{text[:MAX_LINE_CHARACTERS]} ..."
        bar = typer.style("│", fg="red" if stream == "stderr" else None, dim=stream != "stderr")
        # The style at the end resets a colour that the job has left on.
        self.echo(f"{self._time()} {self._prefix(job.label, job.job_id)} {bar} {text}{typer.style('')}")

    def _tell_left_out(self, job: KubeJob, known: _Stream) -> None:
        if known.left_out:
            words = f"... {known.left_out:,} more lines, which this command shows: bgjobs logs {short(job.job_id)}"
            self.echo(f"{self._time()} {self._prefix(job.label, job.job_id)} {typer.style(words, dim=True)}")
            known.left_out = 0

    def _prefix(self, label: str, job_id: str) -> str:
        colour = _COLOURS[zlib.crc32(job_id.encode()) % len(_COLOURS)]
        name = f"{label[: _LABEL_WIDTH - 7]} {short(job_id)}"
        return typer.style(f"{name:{_LABEL_WIDTH}}", fg=colour)

    def _time(self) -> str:
        return typer.style(time.strftime("%H:%M:%S"), dim=True)
