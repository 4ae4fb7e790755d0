"""Jobs and queues as a person reads them, and as a program does."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from bgjobs.cli.arguments.shared_options import Format
from bgjobs.cli.showing import durations, text
from bgjobs.vocabulary import Phase, State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pydantic import BaseModel

    from bgjobs.wire import Attempt, Job, Progress, QueueView

JOB_TITLES: Final = ("ID", "STATE", "CLASS.METHOD", "QUEUE", "ATTEMPT", "AGE", "REASON")
QUEUE_TITLES: Final = ("NAMESPACE", "NAME", "PAUSED", "RUNNING", "MAX", "WAITING", "IMAGE", "CLASSES")
_STATE_COLUMN: Final = 1
_BAR_CELLS: Final = 20
_COLOURS: Final = {
    State.SUCCEEDED: "green",
    State.FAILED: "red",
    State.CANCELLED: "yellow",
    State.STOPPING: "yellow",
    State.PAUSED: "yellow",
    State.LAUNCHED: "cyan",
    State.LAUNCHING: "cyan",
}


def print_models(
    items: Sequence[BaseModel],
    form: Format,
    table: Callable[[], Sequence[str]],
    name: Callable[[Any], str],
    *,
    many: bool,
) -> None:
    """To standard output.

    Args:
        items: models of the API.
        form: how.
        table: the lines of the form `table`.
        name: of one of them.
        many: whether JSON and YAML are a list, however many there are.
    """
    if form == Format.TABLE:
        text.write("".join(f"{line}\n" for line in table()))
    elif form == Format.NAME:
        text.write("".join(f"{name(item)}\n" for item in items))
    else:
        values = [item.model_dump(mode="json", by_alias=True) for item in items]
        text.write(document(values if many or len(values) != 1 else values[0], form))


def document(value: Any, form: Format) -> str:
    """As JSON or YAML."""
    if form == Format.JSON:
        return f"{json.dumps(value, indent=2, ensure_ascii=False)}\n"
    import yaml  # noqa: PLC0415 - for this form alone

    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True)


def state_label(job: Job) -> str:
    """The state; of a launched job what is seen of it."""
    return str(job.phase or job.state) if job.state == State.LAUNCHED else str(job.state)


def why(job: Job) -> str:
    """Why it failed or is not running, in a few words: the error of its code, else the reason, else the outcome."""
    if job.phase == Phase.RUNNING or job.state == State.SUCCEEDED:
        return ""  # what an earlier attempt ended with
    if job.phase == Phase.RETRYING and job.reason:
        return text.clean(job.reason)  # why the pod of the next attempt does not start
    if job.error and (job.state == State.FAILED or job.phase == Phase.RETRYING):
        return text.clean(f"{job.error.type}: {job.error.message}")
    if job.phase == Phase.RETRYING:
        return str(job.last_outcome or "")
    return text.clean(job.reason or (str(job.outcome or "") if job.state == State.FAILED else ""))


def attempts_label(job: Job) -> str:
    """As `2/4`; as `5` if disruptions, which are not charged, have made more of them."""
    most = job.max_retries + 1
    return f"{job.attempt}/{most}" if job.attempt <= most else str(job.attempt)


def progress_bar(progress: Progress) -> str:
    """As `[#####---------------] 25% 3/12 rendering`."""
    words = f" {text.clean(progress.message)}" if progress.message else ""
    if not progress.total or progress.total <= 0:
        return f"{progress.done:g}{words}"
    share = min(1.0, max(0.0, progress.done / progress.total))
    cells = int(share * _BAR_CELLS)
    bar = "#" * cells + "-" * (_BAR_CELLS - cells)
    return f"[{bar}] {share:.0%} {progress.done:g}/{progress.total:g}{words}"


def job_table(jobs: Sequence[Job], now: float, environ: Mapping[str, str], *, titles: bool = True) -> list[str]:
    """One line a job."""
    moment = datetime.fromtimestamp(now, UTC)
    rows = [
        (
            job.id,
            state_label(job),
            f"{job.cls}.{job.method}",
            job.queue,
            attempts_label(job),
            durations.short(moment - job.created_at),
            why(job),
        )
        for job in jobs
    ]
    lines = text.columns(JOB_TITLES, rows, width=width(), colours=_state_colours(jobs, environ))
    return lines if titles else lines[1:]


def queue_table(queues: Sequence[QueueView]) -> list[str]:
    """One line a queue."""
    rows = [
        (
            queue.namespace,
            queue.name,
            "yes" if queue.paused else "no",
            str(queue.owned),
            str(queue.max_concurrent),
            str(queue.queued),
            queue.image or "-",
            ", ".join(queue.approved_classes) or "-",
        )
        for queue in queues
    ]
    return text.columns(QUEUE_TITLES, rows, width=width())


def job_page(job: Job, attempts: Sequence[Attempt], result: str | None, environ: Mapping[str, str]) -> list[str]:
    """Everything about a job."""
    colour = text.wants_colour(sys.stdout, environ)
    label = state_label(job) + (f" ({job.outcome})" if job.outcome and str(job.outcome) != str(job.state) else "")
    rows: list[tuple[str, str]] = [
        ("id", job.id),
        ("state", text.paint(label, _COLOURS.get(job.state), colour)),
        ("reason", why(job)),
        ("call", f"{job.cls}.{job.method}"),
        ("parameters", text.clean(text.plain(job.parameters))),
        ("namespace", job.namespace),
        ("queue", f"{job.queue} (priority {'high' if job.priority else 'low'})"),
        ("image", text.clean(job.image or "")),
        ("attempt", f"{attempts_label(job)}, each of at most {job.timeout_seconds:g} s"),
        ("progress", progress_bar(job.progress) if job.progress else ""),
        ("created", f"{_moment(job.created_at)} by {text.clean(job.created_by)}"),
        ("due", _moment(job.not_before)),
        ("launched", _moment(job.launched_at)),
        ("started", _moment(job.started_at)),
        ("finished", _moment(job.finished_at) + _took(job.started_at, job.finished_at)),
        ("stopped by", text.clean(job.stopped_by or "")),
        ("note", text.clean(job.note or "")),
        ("request", job.request or ""),
        ("rerun of", job.rerun_of or ""),
        ("KubeJob", job.kube_job or ""),
        ("result", "" if result is None else text.clean(result)),
    ]
    lines = [f"{f'{title}:':<12}{value}" for title, value in rows if value]
    for attempt in attempts:
        lines.extend(["", *_attempt(attempt)])
    # The job's own error is mostly that of its last attempt, which is above.
    if job.error and not (attempts and attempts[-1].error == job.error):
        lines.extend(["", f"error: {text.clean(f'{job.error.type}: {job.error.message}')}"])
        lines.extend(_indented(job.error.traceback))
    return lines


def _attempt(attempt: Attempt) -> list[str]:
    ended = str(attempt.outcome) if attempt.outcome else "running"
    code = f", exit code {attempt.exit_code}" if attempt.exit_code is not None else ""
    lines = [
        f"attempt {attempt.number}: {ended}{_took(attempt.started_at, attempt.ended_at)}{code}, "
        f"pod {attempt.pod_name}, started {_moment(attempt.started_at)}, log of {attempt.log_bytes} bytes"
    ]
    if attempt.error:
        lines.append(f"  {text.clean(f'{attempt.error.type}: {attempt.error.message}')}")
        lines.extend(_indented(attempt.error.traceback))
    return lines


def _indented(lines: str | None) -> list[str]:
    return [f"    {line}" for line in text.clean_lines(lines).split("\n")] if lines else []


def _moment(at: datetime | None) -> str:
    return "" if at is None else at.astimezone(UTC).isoformat(sep=" ", timespec="seconds").replace("+00:00", "Z")


def _took(start: datetime | None, end: datetime | None) -> str:
    return "" if start is None or end is None else f" after {durations.short(end - start)}"


def _state_colours(jobs: Sequence[Job], environ: Mapping[str, str]) -> dict[tuple[int, int], str]:
    if not text.wants_colour(sys.stdout, environ):
        return {}
    return {(number, _STATE_COLUMN): _COLOURS[job.state] for number, job in enumerate(jobs) if job.state in _COLOURS}


def width() -> int | None:
    """Of the terminal; what goes into a pipe is not cut."""
    if not sys.stdout.isatty():
        return None
    import shutil  # noqa: PLC0415 - for terminals alone

    return shutil.get_terminal_size().columns
