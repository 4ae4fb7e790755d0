"""The subcommands of `bgjobs schedule`: list, run, pause and resume."""

from typing import TYPE_CHECKING, Annotated

import typer

from bgjobs.cli.arguments import completion
from bgjobs.cli.arguments.shared_options import Format, Output
from bgjobs.cli.exits import UsageError
from bgjobs.cli.session import Session

if TYPE_CHECKING:
    from bgjobs.wire import Schedule

Names = Annotated[
    list[str],
    typer.Argument(metavar="NAME...", help="Names of schedules.", autocompletion=completion.schedules),
]


def list_schedules(session: Session, output: Output = Format.TABLE) -> None:
    r"""List schedules: when they tick, when they have ticked last, and how many of their jobs have not ended.

    Schedules are BackgroundJobSchedule objects, which are made with kubectl, or stand in the file of `bgjobs dev -f`.
    STATE is paused, or in one word why the latest tick made no job. JSON and YAML also say which ticks were missed, and
    why.

    \b
    Examples:
      bgjobs schedule list -n shop
      bgjobs schedule list -o json | jq '.[] | select(.ready | not) | {name, message}'
    """
    from bgjobs.cli.showing import printing  # noqa: PLC0415 - `--help` does not pay for models
    from bgjobs.cli.showing.schedules import schedule_table  # noqa: PLC0415 - as above

    found = list(session.client().schedules())
    if not found:
        session.say("no schedules" + (f" in namespace {session.namespace}" if session.namespace else ""))
    now = session.world.now()
    printing.print_models(
        found, output, lambda: schedule_table(found, now) if found else [], lambda one: one.name, many=True
    )


def run_schedule(
    session: Session,
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Name of a schedule.", autocompletion=completion.schedules)
    ],
    job_id: Annotated[
        str | None, typer.Option("--id", metavar="UUIDv7", help="Id of the job, so that asking twice is one job.")
    ] = None,
    output: Output = Format.NAME,
) -> None:
    r"""Run the job of a schedule now, and print its id.

    It runs also if the schedule is paused, and whatever its concurrency policy is; at the next tick it counts as any
    other job of the schedule.

    \b
    Examples:
      bgjobs schedule run nightly
      bgjobs logs -f "$(bgjobs schedule run nightly -n shop)"
    """
    from bgjobs.cli.showing import printing  # noqa: PLC0415 - as above

    handle = session.client().run_schedule(name, _namespace(session), job_id)
    job = handle.job
    session.say(f"job {job.id} is {job.state}")
    world = session.world
    printing.print_models(
        [job], output, lambda: printing.job_table([job], world.now(), world.environ), lambda one: one.id, many=False
    )


def pause(session: Session, names: Names, output: Output = Format.NAME) -> None:
    r"""Pause schedules: they make no more jobs, and what they have made goes on.

    The operator sets `spec.suspend` of the object, within moments.

    \b
    Examples:
      bgjobs schedule pause nightly
      bgjobs schedule list -o name | xargs bgjobs schedule pause
    """
    client, namespace = session.client(), _namespace(session)
    _print(session, [client.pause_schedule(name, namespace) for name in names], output)


def resume(session: Session, names: Names, output: Output = Format.NAME) -> None:
    r"""Resume schedules: they make jobs again, from their next tick on. What they have missed is not made up.

    \b
    Examples:
      bgjobs schedule resume nightly
      bgjobs schedule resume nightly -o json | jq .next_tick
    """
    client, namespace = session.client(), _namespace(session)
    _print(session, [client.resume_schedule(name, namespace) for name in names], output)


def _print(session: Session, found: "list[Schedule]", output: Format) -> None:
    from bgjobs.cli.showing import printing  # noqa: PLC0415 - as above
    from bgjobs.cli.showing.schedules import schedule_table, state  # noqa: PLC0415 - as above

    for one in found:
        session.say(f"schedule {one.name} is {state(one)}")
    printing.print_models(
        found, output, lambda: schedule_table(found, session.world.now()), lambda one: one.name, many=False
    )


def _namespace(session: Session) -> str:
    if session.namespace is None:
        raise UsageError("say in which namespace the schedule is: --namespace NAME")
    return session.namespace
