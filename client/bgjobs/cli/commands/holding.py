"""The subcommands `pause`, `suspend`, `resume`, `run-now` and `priority`, and those of `bgjobs queue`."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from bgjobs.cli.arguments import completion
from bgjobs.cli.arguments.job_filters import Chosen, for_all
from bgjobs.cli.arguments.shared_options import Format, Output
from bgjobs.cli.exits import UsageError
from bgjobs.cli.session import Session
from bgjobs.vocabulary import Phase, State, shown_state

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bgjobs.client.job_client import JobClient
    from bgjobs.wire import Job, QueueView

Ids = Annotated[
    list[str] | None,
    typer.Argument(metavar="ID", help="Ids of jobs, as in `show`.", autocompletion=completion.job_ids),
]
Id = Annotated[str, typer.Argument(metavar="ID", help="Id of a job, as in `show`.", autocompletion=completion.job_ids)]
Names = Annotated[
    list[str], typer.Argument(metavar="NAME...", help="Names of queues.", autocompletion=completion.queues)
]
Note = Annotated[str | None, typer.Option("--note", metavar="TEXT", help="Why, for people who look at it later.")]


class Priority(StrEnum):
    """The two priorities, by their names."""

    HIGH = "high"
    LOW = "low"


@for_all()
def pause(
    session: Session, words: Ids = None, note: Note = None, output: Output = Format.NAME, *, chosen: Chosen
) -> int | None:
    r"""Pause jobs that wait: they are held until somebody resumes them, and keep their place.

    A job that has started cannot be paused; `bgjobs suspend` stops its pod.

    \b
    Examples:
      bgjobs pause last --note 'until the data is there'
      bgjobs pause --all --state queued --label customer=8841
    """
    if chosen.check(words):
        return _all(session, "pause", chosen, note, output)
    return _each(session, words or (), lambda client, job_id: client.pause(job_id, note), output)


@for_all()
def suspend(
    session: Session, words: Ids = None, note: Note = None, output: Output = Format.NAME, *, chosen: Chosen
) -> int | None:
    r"""Suspend jobs that have started: their pods are stopped, and their code STARTS OVER when they are resumed.

    A pod is told to stop, and has the grace period of its queue for that. The attempt that this interrupts does not
    count, and the job keeps its slot. A job that has not started is paused instead.

    \b
    Examples:
      bgjobs suspend last --note 'the provider is down'
      bgjobs suspend --all --state running --queue mail
      bgjobs resume --all --state suspended
    """
    if chosen.check(words):
        return _all(session, "suspend", chosen, note, output)
    return _each(session, words or (), lambda client, job_id: client.suspend(job_id, note), output)


@for_all()
def resume(
    session: Session, words: Ids = None, note: Note = None, output: Output = Format.NAME, *, chosen: Chosen
) -> int | None:
    r"""Resume jobs: paused ones wait for their time or for a slot, as before; suspended ones start over.

    \b
    Examples:
      bgjobs resume last
      bgjobs resume --all --state paused
    """
    if chosen.check(words):
        return _all(session, "resume", chosen, note, output)
    return _each(session, words or (), lambda client, job_id: client.resume(job_id, note), output)


@for_all()
def run_now(
    session: Session, words: Ids = None, note: Note = None, output: Output = Format.NAME, *, chosen: Chosen
) -> int | None:
    r"""Do not wait for the delay of scheduled jobs: they are due at once, and wait for a slot of their queue.

    \b
    Examples:
      bgjobs run-now last
      bgjobs run-now --all --class shop.jobs.Mail
    """
    if chosen.check(words):
        return _all(session, "run_now", chosen, note, output)
    return _each(session, words or (), lambda client, job_id: client.run_now(job_id, note), output)


def priority(
    session: Session,
    word: Id,
    priority: Annotated[Priority, typer.Argument(metavar="high|low", help="The new priority.")],
    note: Note = None,
    output: Output = Format.NAME,
) -> None:
    r"""Give a job that waits another priority: high ones of a queue are launched before all low ones.

    \b
    Examples:
      bgjobs priority last high
      bgjobs priority 1122334455 low --note 'not urgent any more'
    """
    number = int(priority == Priority.HIGH)
    _each(session, [word], lambda client, job_id: client.set_priority(job_id, number, note), output)


def pause_queue(session: Session, names: Names, note: Note = None, output: Output = Format.NAME) -> None:
    r"""Pause queues: nothing more of them is launched, and what runs goes on.

    It stands in the BackgroundJobQueue (`spec.paused`), with who did it and why. With `bgjobs dev` it holds until that
    is started again; then its file says it.

    \b
    Examples:
      bgjobs queue pause mail --note 'the provider is down'
      bgjobs queues -o json | jq '.[] | select(.paused) | {name, paused_by, paused_note}'
    """
    _queues(session, names, lambda client, name, namespace: client.pause_queue(name, namespace, note), output)


def resume_queue(session: Session, names: Names, note: Note = None, output: Output = Format.NAME) -> None:
    r"""Resume queues: their jobs are launched again, the oldest first.

    \b
    Examples:
      bgjobs queue resume mail
    """
    _queues(session, names, lambda client, name, namespace: client.resume_queue(name, namespace, note), output)


def _all(session: Session, verb: str, chosen: Chosen, note: str | None, output: Format) -> int:
    from bgjobs.cli.commands import bulk  # noqa: PLC0415 - `--help` does not pay for models

    return bulk.do(session, verb, chosen, note, output)


def _each(session: Session, words: "Sequence[str]", do: "Callable[[JobClient, str], Job]", output: Format) -> None:
    from bgjobs.cli.commands import lookup  # noqa: PLC0415 - `--help` does not pay for models
    from bgjobs.cli.showing import printing  # noqa: PLC0415 - as above

    client = session.client()
    jobs = [do(client, job_id) for job_id in lookup.ids(client, words)]
    for job in jobs:
        session.say(f"job {job.id} is {_state(job)}, of {'high' if job.priority else 'low'} priority")
    world = session.world
    printing.print_models(
        jobs, output, lambda: printing.job_table(jobs, world.now(), world.environ), lambda job: job.id, many=False
    )


def _state(job: "Job") -> str:
    """What a job is in a word; one whose pod is told to stop may still run."""
    is_ending = job.state == State.LAUNCHED and job.paused_by and job.phase != Phase.SUSPENDED
    return "being suspended" if is_ending else shown_state(job.state, job.phase)


def _queues(
    session: Session, names: list[str], do: "Callable[[JobClient, str, str], QueueView]", output: Format
) -> None:
    from bgjobs.cli.showing import printing  # noqa: PLC0415 - as above

    if session.namespace is None:
        raise UsageError("say in which namespace the queue is: --namespace NAME")
    namespace = session.namespace
    client = session.client()
    found = [do(client, name, namespace) for name in names]
    for queue in found:
        session.say(f"queue {queue.name} is {'paused' if queue.paused else 'open'}")
    printing.print_models(found, output, lambda: printing.queue_table(found), lambda one: one.name, many=False)
