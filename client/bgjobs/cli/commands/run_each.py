"""What `bgjobs run --each` does: one job for each line of a file."""

from __future__ import annotations

import codecs
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from bgjobs import strict_json
from bgjobs.cli.arguments.shared_options import Format
from bgjobs.cli.exits import UsageError
from bgjobs.cli.showing import printing, text
from bgjobs.client.batch import in_batches
from bgjobs.client.batch_view import known
from bgjobs.client.request import build_request
from bgjobs.errors import InvalidJobError
from bgjobs.ids import new_job_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from bgjobs.batches import EnqueuedJob
    from bgjobs.cli.session import Session
    from bgjobs.wire import EnqueueRequest

_MOST_TOLD: Final = 5
_TITLES: Final = ("ID", "STATE", "NEW")


def run_each(session: Session, file: str, stdin: Callable[[], bytes], words: Mapping[str, Any], output: Format) -> None:
    """Ask for one job for each line, and print their ids and that of their batch; nothing is sent if a line is wrong.

    Args:
        session: the command's session.
        file: the file; `-` is standard input.
        stdin: reads all of standard input.
        words: what all jobs have in common, as arguments of `build_request`.
        output: the form in which the jobs are printed.

    Raises:
        UsageError: naming the lines that are wrong.
        EnqueueManyError: if not all jobs are stored; the ids of those that are were printed.
    """
    requests = in_batches(read(file, stdin, words))
    done: list[EnqueuedJob] = []

    def told(stored: Sequence[EnqueuedJob]) -> None:
        done.extend(stored)
        if output == Format.NAME:
            _show(stored, output)
        if len(done) < len(requests) and sys.stderr.isatty():
            session.say(f"{len(done):,} of {len(requests):,} jobs are stored")

    # A server takes its time for a thousand jobs.
    session.client(patient=True, timeout_seconds=60).send_many(requests, told)
    if output != Format.NAME:
        _show(done, output)
    old = sum(not one.is_new for one in done)
    session.say(f"{len(done):,} jobs are stored{f', {old:,} of them were there before' if old else ''}")
    for batch_id in known(new_job_id(), requests, done).batches:
        session.say(f"they are batch {batch_id}; wait for it by `bgjobs batch wait {batch_id}`")


def read(file: str, stdin: Callable[[], bytes], words: Mapping[str, Any]) -> list[EnqueueRequest]:
    """The requests for the lines of a file; empty lines are left out.

    Raises:
        UsageError: if the file cannot be read, has no line, or has lines that are wrong.
    """
    requests: list[EnqueueRequest] = []
    wrong: list[str] = []
    for number, line in _lines(file, stdin):
        try:
            requests.append(build_request(parameters=_parameters(line), **words))
        except (InvalidJobError, ValueError) as error:
            if isinstance(error, InvalidJobError) and error.field != "parameters":
                raise  # it is about what all lines have in common
            wrong.append(f"line {number}: {error}")
    if wrong:
        more = f"; and {len(wrong) - _MOST_TOLD:,} more lines" if len(wrong) > _MOST_TOLD else ""
        raise UsageError(f"--each {file}: {'; '.join(wrong[:_MOST_TOLD])}{more}; nothing was sent")
    if not requests:
        raise UsageError(f"--each {file}: there is no line; each is a list or an object as JSON")
    return requests


def _parameters(line: bytes) -> object:
    value: object = strict_json.loads(line.decode(), "parameters", limit=len(line))
    if not isinstance(value, (list, dict)):
        raise ValueError("parameters are a list or an object")  # noqa: TRY004 - of the text
    return cast("object", value)


def _lines(file: str, stdin: Callable[[], bytes]) -> Iterator[tuple[int, bytes]]:
    try:
        content = stdin() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise UsageError(f"--each {file} cannot be read: {error}") from error
    for number, line in enumerate(content.removeprefix(codecs.BOM_UTF8).split(b"\n"), 1):
        if stripped := line.strip():
            yield number, stripped


def _show(stored: Sequence[EnqueuedJob], output: Format) -> None:
    def table() -> list[str]:
        rows = [(one.id, str(one.state), "yes" if one.is_new else "no") for one in stored]
        return text.columns(_TITLES, rows, width=printing.width())

    printing.print_models(stored, output, table, lambda one: one.id, many=True)
