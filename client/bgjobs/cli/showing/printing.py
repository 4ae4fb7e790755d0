"""Prints jobs and queues: as tables and pages for people, as JSON, YAML or names for programs."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from bgjobs.cli.arguments.shared_options import Format
from bgjobs.cli.showing import durations, text, unique
from bgjobs.vocabulary import TERMINAL, OnParentFailure, Phase, State, shown_state

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pydantic import BaseModel

    from bgjobs.wire import Attempt, HistoryEntry, Job, JobWhy, Parent, Progress, QueueView

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
    """Print models of the API on standard output.

    Args:
        items: the models.
        form: the form in which they are printed.
        table: makes the lines of the form `table`.
        name: gives what the form `name` prints of a model.
        many: whether JSON and YAML are a list even if there is only one model.
    """
    if form == Format.TABLE:
        text.write("".join(f"{line}\n" for line in table()))
    elif form == Format.NAME:
        text.write("".join(f"{name(item)}\n" for item in items))
    else:
        values = [item.model_dump(mode="json", by_alias=True) for item in items]
        text.write(document(values if many or len(values) != 1 else values[0], form))


def document(value: Any, form: Format) -> str:
    """A value as JSON or YAML text, with a line end."""
    if form == Format.JSON:
        return f"{text.as_json(value, indent=2)}\n"
    import yaml  # noqa: PLC0415 - for this form alone

    return yaml.safe_dump(value, sort_keys=False, allow_unicode=text.is_unicode(sys.stdout))


def state_label(job: Job) -> str:
    """The one word for where a job is: its state, or the phase of a launched one."""
    return str(shown_state(job.state, job.phase))


def why(job: Job) -> str:
    """Why a job failed or is not running; "" if there is nothing to say.

    A server of an earlier version does not say why a job is not running; the error of its code, or the reason, does.
    """
    if job.why is not None:
        return text.clean(job.why.message)
    if job.phase == Phase.RUNNING or job.state == State.SUCCEEDED:
        return ""  # an error or a reason is that of an earlier attempt
    if job.phase == Phase.RETRYING and job.reason:
        return text.clean(job.reason)  # why the pod of the next attempt does not start
    if job.error and (job.state == State.FAILED or job.phase in {Phase.RETRYING, Phase.ENDING}):
        return text.clean(job.error.words)
    if job.phase == Phase.RETRYING:
        return str(job.last_outcome or "")
    return text.clean(job.reason or (str(job.outcome or "") if job.state == State.FAILED else ""))


def why_lines(found: JobWhy) -> list[str]:
    """The lines that say why a job does not run, or that it does."""
    rows = [
        ("job", found.id),
        ("state", str(shown_state(found.state, found.phase))),
        ("why", text.clean(found.message)),
    ]
    if (why := found.why) is not None:
        rows += [
            ("gate", str(why.gate)),
            ("code", str(why.code)),
            ("since", _moment(why.since)),
            ("next try", _moment(why.next_try_at)),
            ("given up", _moment(why.fails_at)),
            ("remedy", text.clean(why.remedy or "")),
        ]
    return [f"{f'{title}:':<12}{value}" for title, value in rows if value]


def attempts_label(job: Job) -> str:
    """The number of the latest attempt and how many there may be: `2/4`.

    Disruptions do not count, so that there may be more attempts; then it is the number alone: `5`.
    """
    most = job.max_retries + 1
    return f"{job.attempt}/{most}" if job.attempt <= most else str(job.attempt)


def progress_bar(progress: Progress) -> str:
    """The progress of a job as a bar: `[#####---------------] 25% 3/12 rendering`."""
    words = f" {text.clean(progress.message)}" if progress.message else ""
    if not progress.total or progress.total <= 0:
        return f"{progress.done:g}{words}"
    share = min(1.0, max(0.0, progress.done / progress.total))
    cells = int(share * _BAR_CELLS)
    bar = "#" * cells + "-" * (_BAR_CELLS - cells)
    return f"[{bar}] {share:.0%} {progress.done:g}/{progress.total:g}{words}"


def job_table(jobs: Sequence[Job], now: float, environ: Mapping[str, str], *, titles: bool = True) -> list[str]:
    """The lines of a table of jobs, one for each.

    Args:
        jobs: the jobs.
        now: the time in seconds since 1970, for the ages.
        environ: the environment of the process, which may forbid colours.
        titles: whether the first line is the titles of the columns.
    """
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
    """The lines of a table of queues: the titles of the columns, and one line for each queue."""
    rows = [
        (
            queue.namespace,
            queue.name,
            _paused(queue),
            str(queue.owned),
            _slots(queue),
            str(queue.queued),
            queue.image or "-",
            ", ".join(queue.approved_classes) or "-",
        )
        for queue in queues
    ]
    return text.columns(QUEUE_TITLES, rows, width=width())


def _slots(queue: QueueView) -> str:
    """How many there are; if that is so for a time only, until when."""
    until = "" if queue.limits is None else f" until {queue.limits.until:%Y-%m-%d %H:%M} UTC"
    return f"{queue.max_concurrent}{until}"


def _held_by(job: Job) -> tuple[str, str]:
    who = text.clean(job.paused_by or "")
    return (Phase.SUSPENDED, f"by {who}" if who else "") if job.state == State.LAUNCHED else ("paused by", who)


def _paused(queue: QueueView) -> str:
    """`no`, `yes`, or by whom and why."""
    if not queue.paused:
        return "no"
    who = f" by {text.clean(queue.paused_by)}" if queue.paused_by else ""
    why = f": {text.clean(queue.paused_note)}" if queue.paused_note else ""
    return f"yes{who}{why}"


def job_page(
    job: Job,
    attempts: Sequence[Attempt],
    result: str | None,
    environ: Mapping[str, str],
    history: Sequence[HistoryEntry] = (),
) -> list[str]:
    """The lines of a page about one job.

    Args:
        job: the job.
        attempts: its attempts.
        result: its result as text, or why it is not shown; None: it has none.
        environ: the environment of the process, which may forbid colours.
        history: what people have done with it.
    """
    colour = text.wants_colour(sys.stdout, environ)
    label = state_label(job) + (f" ({job.outcome})" if job.outcome and str(job.outcome) != str(job.state) else "")
    rows: list[tuple[str, str]] = [
        ("id", job.id),
        ("state", text.paint(label, _COLOURS.get(job.state), colour)),
        ("reason", why(job)),
        ("given up", _moment(job.why.fails_at) if job.why else ""),
        ("remedy", text.clean(job.why.remedy or "") if job.why else ""),
        ("call", f"{job.cls}.{job.method}"),
        ("parameters", text.clean(text.plain(job.parameters))),
        ("namespace", job.namespace),
        ("queue", f"{job.queue} (priority {'high' if job.priority else 'low'})"),
        ("concurrency key", job.concurrency_key or ""),
        ("unique key", unique.described(job)),
        ("in place of", job.replaced_id or ""),
        ("key taken by", job.key_taken_by or ""),
        ("image", text.clean(job.image or "")),
        ("labels", text.clean(", ".join(f"{key}={value}" for key, value in job.labels.items()))),
        ("trace", job.traceparent or ""),
        ("attempt", f"{attempts_label(job)}, each of at most {job.timeout_seconds:g} s"),
        ("retry rules", text.clean(job.retry_words)),
        ("progress", progress_bar(job.progress) if job.progress else ""),
        ("checkpoint", _checkpoint(job)),
        ("created", f"{_moment(job.created_at)} by {text.clean(job.created_by)}"),
        ("due", _moment(job.not_before)),
        ("expires", _moment(job.expires_at)),
        ("launched", _moment(job.launched_at)),
        ("started", _moment(job.started_at)),
        ("finished", _moment(job.finished_at) + _took(job.started_at, job.finished_at)),
        _held_by(job),
        ("stopped by", text.clean(job.stopped_by or "")),
        ("note", text.clean(job.note or "")),
        ("request", job.request or ""),
        ("rerun of", job.rerun_of or ""),
        ("batch", job.batch or ""),
        *_family(job),
        ("KubeJob", job.kube_job or ""),
        ("result", "" if result is None else text.clean(result)),
    ]
    lines = [f"{f'{title}:':<11} {value}" for title, value in rows if value]
    if history:
        lines.extend(["", "history:"])
        for one in history:
            note = f": {text.clean(one.note)}" if one.note else ""
            lines.append(f"  {_moment(one.at)} {text.clean(one.what)} by {text.clean(one.by)}{note}")
    for attempt in attempts:
        lines.extend(["", *_attempt(attempt)])
    # The error of a job is mostly that of its last attempt, which was shown above.
    if job.error and not (attempts and attempts[-1].error == job.error):
        lines.extend(["", f"error: {text.clean(job.error.words)}"])
        lines.extend(_indented(job.error.traceback))
    return lines


def _checkpoint(job: Job) -> str:
    if job.has_checkpoint and job.checkpoint is None:
        return f"not shown: that needs `get` on backgroundjobrequests/result in {job.namespace}"
    return text.clean(text.plain(job.checkpoint)) if job.has_checkpoint else ""


def _family(job: Job) -> list[tuple[str, str]]:
    """The rows about the jobs that a job needs, and those that need it."""
    rows = [("needs", _parent(one)) for one in job.parents or ()]
    if not rows and job.needs:
        rows = [("needs", "1 job" if job.needs == 1 else f"{job.needs} jobs")]
    if job.needs and job.on_parent_failure:
        words = "run when all have ended" if job.on_parent_failure == OnParentFailure.RUN else "cancel"
        rows.append(("if one fails", words))
    if job.children:
        rows.append(("children", "1 job waits for it" if job.children == 1 else f"{job.children:,} jobs wait for it"))
    return rows


def _parent(one: Parent) -> str:
    if one.jobs is not None:
        ended = sum(number for state, number in one.jobs.items() if state in TERMINAL)
        words = str(one.state) if one.state else f"{ended:,} of {sum(one.jobs.values()):,} jobs have ended"
        return f"batch {one.id} {words}"
    state = "not known any more" if one.state is None else str(one.state)
    outcome = f" ({one.outcome})" if one.outcome and str(one.outcome) != str(one.state) else ""
    name = f", request {text.clean(one.request)}" if one.request else ""
    return f"{one.id} {state}{outcome}{name}"


def _attempt(attempt: Attempt) -> list[str]:
    ended = str(attempt.outcome) if attempt.outcome else str(Phase.RUNNING)
    code = f", exit code {attempt.exit_code}" if attempt.exit_code is not None else ""
    lines = [
        f"attempt {attempt.number}: {ended}{_took(attempt.started_at, attempt.ended_at)}{code}, "
        f"pod {attempt.pod_name}, started {_moment(attempt.started_at)}, log of {attempt.log_bytes} bytes"
    ]
    if attempt.error:
        lines.append(f"  {text.clean(attempt.error.words)}")
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
    """How many columns the terminal has; None if standard output is no terminal."""
    if not sys.stdout.isatty():
        return None
    import shutil  # noqa: PLC0415 - for terminals alone

    return shutil.get_terminal_size().columns
