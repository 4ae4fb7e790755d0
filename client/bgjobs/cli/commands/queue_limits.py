"""The subcommand `bgjobs queue limits`."""

import re
from typing import Annotated

import typer

from bgjobs.cli.arguments import completion
from bgjobs.cli.arguments.shared_options import Format, Output
from bgjobs.cli.commands.holding import Note
from bgjobs.cli.exits import UsageError
from bgjobs.cli.session import Session
from bgjobs.cli.showing import durations


def limits(
    session: Session,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of a queue.", autocompletion=completion.queues)],
    max_concurrent: Annotated[
        int | None, typer.Option("--max-concurrent", metavar="N", help="How many of its jobs may hold a slot.")
    ] = None,
    start_rate: Annotated[
        str | None,
        typer.Option("--start-rate", metavar="N/TIME", help="How many of its jobs may start in a time, as 100/1m."),
    ] = None,
    duration: Annotated[
        str | None, typer.Option("--for", metavar="TIME", help="For how long, as 1h; then its own limits hold again.")
    ] = None,
    note: Note = None,
    clear: Annotated[bool, typer.Option("--clear", help="Let its own limits hold again at once.")] = False,
    output: Output = Format.NAME,
) -> None:
    r"""Limit a queue in another way for a time: more slots or fewer, more starts in a time or fewer.

    What runs goes on. The limits stand in an annotation of the BackgroundJobQueue, with who wants them and why, and end
    by themselves. `bgjobs queues` shows them.

    \b
    Examples:
      bgjobs queue limits mail --max-concurrent 50 --for 1h --note 'month end'
      bgjobs queue limits mail --start-rate 100/1m --for 30m
      bgjobs queue limits mail --clear
    """
    from bgjobs.cli.showing import printing  # noqa: PLC0415 - `--help` does not pay for models

    if session.namespace is None:
        raise UsageError("say in which namespace the queue is: --namespace NAME")
    seconds, rate = durations.seconds(duration, "--for"), _rate(start_rate)
    if clear:
        if max_concurrent is not None or rate is not None or seconds is not None or note is not None:
            raise UsageError("--clear stands alone: the queue has its own limits again")
        queue = session.client().clear_queue_limits(name, session.namespace)
    else:
        if max_concurrent is None and rate is None:
            raise UsageError("say which limit: --max-concurrent N or --start-rate N/TIME; or --clear")
        if seconds is None:
            raise UsageError("say for how long: --for TIME, as 1h")
        queue = session.client().limit_queue(
            name, seconds, max_concurrent=max_concurrent, start_rate=rate, namespace=session.namespace, note=note
        )
    until = "" if queue.limits is None else f" until {queue.limits.until:%Y-%m-%d %H:%M:%S} UTC"
    others = "its own limits" if queue.limits is None else f"other limits{until}"
    session.say(f"queue {queue.name} has {others}: {queue.max_concurrent:,} slots now")
    printing.print_models([queue], output, lambda: printing.queue_table([queue]), lambda one: one.name, many=False)


def _rate(text: str | None) -> tuple[int, int] | None:
    """Starts and seconds of `100/1m`.

    Raises:
        UsageError: if it is something else.
    """
    if text is None:
        return None
    starts, slash, span = text.partition("/")
    if not slash or not re.fullmatch(r"\d{1,9}", starts, re.ASCII):
        raise UsageError(f"--start-rate must look like 100/1m, so many starts in that time, and not {text!r}")
    seconds = durations.seconds(span, "the time of --start-rate") or 0
    if seconds != int(seconds):
        raise UsageError("the time of --start-rate must be whole seconds")
    return int(starts), int(seconds)
