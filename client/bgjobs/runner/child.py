"""`python -m bgjobs.runner.child <call fd> <frames fd>`: the process that runs the job's code, and nothing else.

The call comes as JSON on one pipe, progress and the verdict go out on another. stdin is empty; stdout and
stderr are the job's own.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from bgjobs import context, strict_json
from bgjobs.calls import UnfitCallError
from bgjobs.protocol import MAX_ERROR_BYTES
from bgjobs.runner.frames import send_progress, send_verdict
from bgjobs.runner.job_code import call, load_class
from bgjobs.runner.outcome import ABORTED, ERROR, REJECTED, SUCCEEDED, failure

if TYPE_CHECKING:
    from types import TracebackType

_RUNNER: Final = str(Path(__file__).parent) + os.sep
_IMPORT_MACHINERY: Final = ("<frozen importlib", str(Path(os.__file__).parent / "importlib") + os.sep)
_MAX_MESSAGE_BYTES: Final = 8 * 1024


def main(arguments: list[str]) -> int:
    """Run the call; the verdict tells the supervisor all, the exit code says only good (0) or bad (1)."""
    call_fd, frames_fd = (int(argument) for argument in arguments)
    with os.fdopen(call_fd, "rb") as pipe:
        said: dict[str, Any] = json.loads(pipe.read())
    # What the job code executes shall not hold the pipe.
    os.set_inheritable(frames_fd, False)
    if os.getppid() != 1:
        from bgjobs.runner.linux import die_with_parent  # noqa: PLC0415 - not in a pod

        die_with_parent()
    for stream in (sys.stdout, sys.stderr):
        # Line by line, as on a terminal: somebody may be watching, and a kill loses what is held back.
        cast("Any", stream).reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    faulthandler.enable()
    job = context.CurrentJob(**said["job"], send_progress=lambda line: send_progress(frames_fd, line))
    context.enter(job)
    pid = os.getpid()
    verdict = run(said)
    if os.getpid() != pid:
        # A process that the job forked came out of the job's method: the verdict is not its to give.
        os._exit(0 if verdict["outcome"] == SUCCEEDED else 1)
    job.flush_progress()
    send_verdict(frames_fd, verdict)
    return 0 if verdict["outcome"] == SUCCEEDED else 1


def run(said: dict[str, Any]) -> dict[str, Any]:
    """Make the call; how it ended, as the supervisor takes it. Nothing that job code raises comes out of here."""
    try:
        cls = load_class(said["class"], said["approved_classes"])
    except UnfitCallError as error:
        return _verdict(REJECTED, failure(type(error).__name__, str(error)))
    except ImportError as error:
        return _rejected_import(said["class"], error)
    except BaseException as error:  # noqa: BLE001 - job code may raise anything, even at import
        return _raised(error)
    try:
        value = call(cls, said["method"], said["parameters"])
    except UnfitCallError as error:
        return _verdict(REJECTED, failure(type(error).__name__, str(error)))
    except context.Abort as error:
        return _verdict(ABORTED, failure("Abort", _clean(str(error.reason), _MAX_MESSAGE_BYTES)))
    except BaseException as error:  # noqa: BLE001 - job code may raise anything, SystemExit too
        return _raised(error)
    try:
        strict_json.dumps(value, "result")
    except (strict_json.NotJSONError, RecursionError) as error:
        text = f"the method has returned, but {error}; return a reference to where the result is stored"
        return _verdict(ERROR, failure("ResultNotJSONError", text))
    return {"outcome": SUCCEEDED, "has_result": value is not None, "result": value}


def _rejected_import(name: str, error: ImportError) -> dict[str, Any]:
    module = name.rpartition(".")[0]
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    if missing and (module == missing or module.startswith(f"{missing}.")):
        return _verdict(REJECTED, failure(type(error).__name__, f"this image has no module {missing}, for {name}"))
    return _verdict(REJECTED, _failure(error, f"{module} cannot be imported: {error}"))


def _raised(error: BaseException) -> dict[str, Any]:
    message = f"job code called sys.exit({error.code!r})" if isinstance(error, SystemExit) else _message(error)
    return _verdict(ERROR, _failure(error, message))


def _verdict(outcome: str, error: dict[str, Any]) -> dict[str, Any]:
    _tell(error.get("traceback") or f"{outcome}: {error['message']}")
    return {"outcome": outcome, "error": error}


def _failure(error: BaseException, message: str) -> dict[str, Any]:
    error.__traceback__ = _without_own_frames(error.__traceback__)
    text = "".join(traceback.format_exception(error))
    limit = MAX_ERROR_BYTES
    while True:
        cut = failure(type(error).__name__[:200], _clean(message, _MAX_MESSAGE_BYTES), _clean(text, limit))
        # As JSON, since that is how it is stored; what JSON must escape takes more room there.
        if len(json.dumps(cut, ensure_ascii=False).encode()) <= MAX_ERROR_BYTES:
            return cut
        limit = limit * 3 // 4


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as broken:  # noqa: BLE001 - an exception's __str__ is job code
        return f"(its message cannot be shown: {type(broken).__name__})"


def _without_own_frames(trace: TracebackType | None) -> TracebackType | None:
    """Cut what the reader did not write from the top: the runner (with asyncio in between), Python's import."""
    found = trace
    while trace is not None:
        if trace.tb_frame.f_code.co_filename.startswith(_RUNNER):
            found = trace.tb_next
        trace = trace.tb_next
    while found is not None and found.tb_frame.f_code.co_filename.startswith(_IMPORT_MACHINERY):
        found = found.tb_next
    return found


def _tell(text: str) -> None:
    """A line into the job's log, if the job has left stderr open."""
    with contextlib.suppress(OSError, ValueError):
        print(text.rstrip("\n"), file=sys.stderr)


def _clean(text: str, limit: int) -> str:
    """Text that UTF-8 can carry, without its middle if it takes more bytes than the limit."""
    data = text.encode("utf-8", "backslashreplace")
    if len(data) > limit:
        half = limit // 2 - 10
        data = data[:half] + b"\n[...]\n" + data[-half:]
    return data.decode("utf-8", "ignore")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
