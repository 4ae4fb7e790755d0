"""The subcommands `run` and `rerun`, which ask for new jobs."""

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from bgjobs.cli.arguments import completion, job_filters, parameters
from bgjobs.cli.arguments.shared_options import Format, Output
from bgjobs.cli.exits import UsageError
from bgjobs.cli.session import Session
from bgjobs.cli.showing import durations
from bgjobs.vocabulary import UniqueMode

if TYPE_CHECKING:
    from bgjobs.changes import RerunChanges
    from bgjobs.job_spec import EnqueueOptions
    from bgjobs.wire import Job


class ParentFailure(StrEnum):
    """What may happen to a job when one that it needs did not succeed."""

    CANCEL = "cancel"
    RUN = "run"


WaitOption = Annotated[
    bool, typer.Option("--wait", "-w", help="Wait until it has ended; exit 0 if it succeeded, else 1.")
]
LogsOption = Annotated[
    bool, typer.Option("--logs", "-f", help="Follow the log until the job has ended, then exit as with --wait.")
]
WaitTimeout = Annotated[
    str | None,
    typer.Option("--wait-timeout", metavar="SECONDS", help="With --wait: exit 7 after this time; the job goes on."),
]


def run(
    session: Session,
    target: Annotated[
        str,
        typer.Argument(
            metavar="CLASS",
            help="Dotted name of an approved class (of a function: its module), with or without `.METHOD`.",
        ),
    ],
    method: Annotated[
        str | None, typer.Argument(metavar="METHOD", help="A public method of the class, or a function.")
    ] = None,
    json_parameters: Annotated[
        str | None,
        typer.Argument(metavar="PARAMETERS", help="JSON: a list for method(*list), an object for method(**object)."),
    ] = None,
    named: Annotated[
        list[str] | None,
        typer.Option(
            "--parameter", "-p", metavar="KEY=VALUE", help="A parameter by name: JSON, else text. May be repeated."
        ),
    ] = None,
    positional: Annotated[
        list[str] | None,
        typer.Option(
            "--argument", "-a", metavar="VALUE", help="A parameter by position: JSON, else text. May be repeated."
        ),
    ] = None,
    parameters_file: Annotated[
        str | None,
        typer.Option(
            "--parameters-file", metavar="FILE", help="A file with JSON, in place of PARAMETERS; - is standard input."
        ),
    ] = None,
    each: Annotated[
        str | None,
        typer.Option(
            "--each",
            metavar="FILE",
            help="One job for each line of a file, which is its PARAMETERS as JSON; - is standard input.",
        ),
    ] = None,
    queue: Annotated[
        str,
        typer.Option("--queue", metavar="NAME", help="A queue of the namespace.", autocompletion=completion.queues),
    ] = "default",
    priority: Annotated[
        str, typer.Option("--priority", metavar="low|high", help="Or 0 and 1; jobs with high are started first.")
    ] = "low",
    delay: Annotated[
        str | None,
        typer.Option(
            "--delay", metavar="SECONDS", help="Start after this time at the earliest: 90, 10s, 5m, 2h, 1h30m."
        ),
    ] = None,
    max_retries: Annotated[
        int | None,
        typer.Option(
            "--max-retries",
            metavar="NUMBER",
            help="How many attempts may follow the first one; else as the queue says.",
        ),
    ] = None,
    timeout: Annotated[
        str | None,
        typer.Option(
            "--timeout", metavar="SECONDS", help="How long one attempt may take, like --delay; else as the queue says."
        ),
    ] = None,
    retry_on: Annotated[
        list[str] | None,
        typer.Option(
            "--retry-on",
            metavar="EXCEPTION",
            help="Try again only after such an exception, like requests.exceptions.Timeout. May be repeated.",
        ),
    ] = None,
    abort_on: Annotated[
        list[str] | None,
        typer.Option(
            "--abort-on", metavar="EXCEPTION", help="Never try again after such an exception. May be repeated."
        ),
    ] = None,
    backoff: Annotated[
        str | None,
        typer.Option(
            "--backoff",
            metavar="SECONDS",
            help="How long the next attempt waits, like --delay; else 10 s, 20 s, 40 s, ...",
        ),
    ] = None,
    backoff_cap: Annotated[
        str | None,
        typer.Option("--backoff-cap", metavar="SECONDS", help="Double --backoff after each attempt, up to this."),
    ] = None,
    image: Annotated[
        str | None,
        typer.Option("--image", metavar="IMAGE", help="One of the images that the queue allows; else the queue's own."),
    ] = None,
    concurrency_key: Annotated[
        str | None,
        typer.Option(
            "--concurrency-key",
            metavar="KEY",
            help="Whose work it is, such as a customer's name: in a queue, jobs of different keys take turns.",
        ),
    ] = None,
    unique_key: Annotated[
        str | None,
        typer.Option(
            "--unique-key",
            metavar="KEY",
            help="A name for the work: while a job with it waits or runs, no other is made, and that one is printed.",
        ),
    ] = None,
    unique_mode: Annotated[
        UniqueMode | None,
        typer.Option(
            "--unique-mode",
            metavar="return|replace|ignore",
            help="What happens if a job with the key is there: `replace` cancels it if it waits, and makes the new "
            "one; `ignore` makes none for a time either.",
        ),
    ] = None,
    unique_for: Annotated[
        str | None,
        typer.Option("--unique-for", metavar="SECONDS", help="This time, for `ignore`: 90, 10m, 2h; whole seconds."),
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option("--label", "-l", metavar="KEY=VALUE", help="A label for the job, may be repeated: team=billing."),
    ] = None,
    traceparent: Annotated[
        str | None,
        typer.Option(
            "--traceparent",
            metavar="TRACE",
            envvar="TRACEPARENT",
            help="The trace that the job belongs to, as W3C Trace Context writes it.",
        ),
    ] = None,
    job_id: Annotated[
        str | None,
        typer.Option("--id", metavar="UUID", help="A UUIDv7 for the job; asking twice with one id makes one job."),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            "--key",
            metavar="KEY",
            help="A name of yours in place of an id, like invoice-2026-11; asking twice with one key makes one job.",
        ),
    ] = None,
    needs: Annotated[
        list[str] | None,
        typer.Option(
            "--needs",
            metavar="ID",
            help="A job or batch that must end first, by its id as in `show`; may be repeated.",
            autocompletion=completion.job_ids,
        ),
    ] = None,
    on_parent_failure: Annotated[
        ParentFailure,
        typer.Option(
            "--on-parent-failure", metavar="cancel|run", help="What happens if one of --needs fails or is cancelled."
        ),
    ] = ParentFailure.CANCEL,
    wait: WaitOption = False,
    logs: LogsOption = False,
    wait_timeout: WaitTimeout = None,
    output: Output = Format.NAME,
) -> int | None:
    r"""Run a method of a class, or a function, as a job, and print the job's id.

    The queue must approve the class, and its image must contain it. The id is printed on standard output, and words for
    people on standard error, so that `id=$(bgjobs run ...)` works. With --logs the log follows the id.

    With --each nothing is sent if a line is wrong. Jobs are stored by the thousand, all of these or none, and then
    their ids are printed. They are a batch, whose id is printed on standard error; `bgjobs batch` works with it.

    \b
    Examples:
      bgjobs run shop.jobs.Invoices render '[2026, 11]'
      bgjobs run shop.jobs.Invoices.render -p year=2026 -p month=11 --wait
      bgjobs run shop.mail.send '["ann@example.com"]'
      bgjobs run shop.jobs.Mail send -a ann@example.com --delay 5m --priority high
      bgjobs run shop.jobs.Invoices.render '[2026, 11]' --key invoices-2026-11
      bgjobs run shop.jobs.Search.index --delay 1m --unique-key index --unique-mode replace
      jq -c . order.json | bgjobs run shop.jobs.Orders.place --parameters-file -
      bgjobs run shop.jobs.Mail.send -a ann@example.com --needs last
      bgjobs run shop.jobs.Mail.send -a ann@example.com --retry-on ConnectionError --backoff 1s --backoff-cap 1m
      jq -c '.[]' customers.json | bgjobs run shop.jobs.Mail.send --each - --queue mail
    """
    called = parameters.call((target, method, json_parameters))
    alone = {
        "PARAMETERS": called.parameters, "-p": named, "-a": positional, "--parameters-file": parameters_file,
        "--id": job_id, "--key": key, "--unique-key": unique_key, "--wait": wait, "--logs": logs,
        "--wait-timeout": wait_timeout,
    }  # fmt: skip
    if each is not None and (odd := [name for name, value in alone.items() if value]):
        raise UsageError(f"--each asks for many jobs, and cannot be used with {' and '.join(odd)}")
    stdin = sys.stdin.buffer.read
    given = parameters.parameters(called.parameters, parameters_file, named or (), positional or (), stdin)
    _check_wait(wait, logs, wait_timeout)
    limit = durations.seconds(wait_timeout, "--wait-timeout")
    chosen = parameters.priority(priority)
    delay_seconds = durations.seconds(delay, "--delay") or 0
    timeout_seconds = durations.seconds(timeout, "--timeout")
    options: EnqueueOptions = {
        "queue": queue,
        "max_retries": max_retries,
        "timeout_seconds": timeout_seconds,
        "retry": parameters.retry(
            retry_on or (),
            abort_on or (),
            durations.seconds(backoff, "--backoff"),
            durations.seconds(backoff_cap, "--backoff-cap"),
        ),
        "image": image,
        "concurrency_key": concurrency_key,
        "unique_key": unique_key,
        "unique_mode": None if unique_mode is None else unique_mode.value,
        "unique_for_seconds": durations.whole_seconds(unique_for, "--unique-for"),
        "labels": parameters.labels(label or ()) or None,
        "traceparent": traceparent or None,
    }
    if needs:
        from bgjobs.cli.commands import lookup  # noqa: PLC0415 - `--help` does not pay for models

        options["needs"] = lookup.ids(session.client(patient=wait or logs), needs)
        options["on_parent_failure"] = on_parent_failure.value
    elif on_parent_failure is not ParentFailure.CANCEL:
        raise UsageError("--on-parent-failure says what happens if one of --needs fails; give --needs ID, too")
    if each is not None:
        from bgjobs.cli.commands import run_each  # noqa: PLC0415 - `--help` does not pay for models

        words = {
            "cls": called.class_name, "method": called.method, "priority": chosen, "delay": delay_seconds,
            "namespace": session.namespace, **options,
        }  # fmt: skip
        run_each.run_each(session, each, stdin, words, output)
        return None
    client = session.client(patient=wait or logs)
    options["id"] = job_id
    options["key"] = key
    handle = client.enqueue(called.class_name, called.method, given, priority=chosen, delay=delay_seconds, **options)
    return _asked(session, [handle.job], output, wait, logs, limit)


@job_filters.for_all("queue", "label")
def rerun(
    session: Session,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="ID", help="Ids of jobs that have ended.", autocompletion=completion.job_ids),
    ] = None,
    places: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="PLACE=VALUE",
            help="Another value of a parameter, by its name, or in a list by its place from 0 on. May be repeated.",
        ),
    ] = None,
    json_parameters: Annotated[
        str | None, typer.Option("--parameters", metavar="JSON", help="All parameters anew: a list or an object.")
    ] = None,
    queue: Annotated[
        str | None,
        typer.Option(
            "--queue",
            metavar="NAME",
            help="Another queue of the namespace; with --all, only jobs of this one.",
            autocompletion=completion.queues,
        ),
    ] = None,
    priority: Annotated[
        str | None, typer.Option("--priority", metavar="low|high", help="Or 0 and 1; else that of the old job.")
    ] = None,
    delay: Annotated[
        str | None,
        typer.Option("--delay", metavar="SECONDS", help="Start after this time at the earliest, as in `run`."),
    ] = None,
    max_retries: Annotated[
        int | None,
        typer.Option("--max-retries", metavar="NUMBER", help="How many attempts may follow the first one."),
    ] = None,
    timeout: Annotated[
        str | None, typer.Option("--timeout", metavar="SECONDS", help="How long one attempt may take.")
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(
            "--label",
            "-l",
            metavar="KEY=VALUE",
            help="All labels anew; with --all, only jobs with this one.",
        ),
    ] = None,
    wait: WaitOption = False,
    logs: LogsOption = False,
    wait_timeout: WaitTimeout = None,
    output: Output = Format.NAME,
    *,
    chosen: job_filters.Chosen,
) -> int | None:
    r"""Run jobs again: the same calls as new jobs, whose ids are printed.

    The old jobs stay as they are. The new ones follow the rules that the queue has now, and run in its present image.
    What an option names is different in the new ones; a value of --set is JSON, else text. With --all the options
    --queue and --label say which jobs are meant, and nothing is different in the new ones.

    \b
    Examples:
      bgjobs rerun last -f
      bgjobs rerun 1122334455 --wait
      bgjobs rerun last --set 1=12 --priority high
      bgjobs rerun last --set country='"de"' --queue slow
      bgjobs rerun --all --state failed --queue mail --since 24h
    """
    from bgjobs.cli.commands import bulk, lookup  # noqa: PLC0415 - `--help` does not pay for models

    changed = {
        "--set": places, "--parameters": json_parameters, "--priority": priority, "--delay": delay,
        "--max-retries": max_retries, "--timeout": timeout, "--wait": wait, "--logs": logs,
        "--wait-timeout": wait_timeout,
    }  # fmt: skip
    if chosen.check(words, changes=[name for name, value in changed.items() if value not in (None, False, [])]):
        return bulk.do(session, "rerun", chosen, None, output)
    _check_wait(wait, logs, wait_timeout)
    limit = durations.seconds(wait_timeout, "--wait-timeout")
    if logs and len(words or ()) > 1:
        raise UsageError("--logs can follow only one job: give one id, or use --wait")
    whole, some = parameters.changed(json_parameters, places or ())
    changes: RerunChanges = {
        "parameters": whole,
        "set": some,
        "priority": None if priority is None else parameters.priority(priority),
        "queue": queue,
        "delay": durations.seconds(delay, "--delay"),
        "max_retries": max_retries,
        "timeout_seconds": durations.seconds(timeout, "--timeout"),
        "labels": parameters.labels(label or ()) or None,
    }
    client = session.client(patient=wait or logs)
    jobs = [client.rerun(job_id, **changes).job for job_id in lookup.ids(client, words or ())]
    return _asked(session, jobs, output, wait, logs, limit)


def _check_wait(wait: bool, logs: bool, wait_timeout: str | None) -> None:
    if wait_timeout is not None and (logs or not wait):
        raise UsageError("--wait-timeout can only be used with --wait, and not with --logs")


def _asked(
    session: Session, jobs: "list[Job]", output: Format, wait: bool, logs: bool, limit: float | None
) -> int | None:
    from bgjobs.cli.commands import endings  # noqa: PLC0415 - as above
    from bgjobs.cli.showing import printing, unique  # noqa: PLC0415 - `--help` does not pay for models

    for job in jobs:
        if words := unique.words(job):
            session.say(words)
        session.say(f"{job.cls}.{job.method} is {job.state} in queue {job.queue} of namespace {job.namespace}")
    world = session.world

    def show(found: "list[Job]") -> None:
        printing.print_models(
            found, output, lambda: printing.job_table(found, world.now(), world.environ), lambda job: job.id, many=False
        )

    # Ids are printed now. Everything else about a job that is waited for is printed when it has ended.
    at_end = wait and output != Format.NAME
    if not at_end:
        show(jobs)
    client = session.client(patient=True)
    if logs:
        return endings.follow_to_end(session, client, jobs[0].id)
    if wait:
        code = endings.wait(session, client, [job.id for job in jobs], limit)
        if at_end:
            show([client.get(job.id) for job in jobs])
        return code
    return None
