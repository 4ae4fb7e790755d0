"""The subcommands of `bgjobs hold`: add, list and release."""

from typing import TYPE_CHECKING, Annotated

import typer

from bgjobs.cli.arguments import completion, parameters
from bgjobs.cli.arguments.shared_options import Format, Output
from bgjobs.cli.commands.holding import Note
from bgjobs.cli.exits import UsageError
from bgjobs.cli.session import Session
from bgjobs.cli.showing import durations

if TYPE_CHECKING:
    from bgjobs.holds import Hold

Ids = Annotated[
    list[str],
    typer.Argument(metavar="ID...", help="Ids of holds, as in `bgjobs hold list`.", autocompletion=completion.holds),
]


def add(
    session: Session,
    cls: Annotated[
        str | None,
        typer.Option(
            "--class",
            metavar="NAME",
            help="A class, a method of it as shop.jobs.Mail.send, or what is in a class or a package: 'shop.jobs.*'.",
        ),
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option("--label", "-l", metavar="KEY=VALUE", help="A label of the jobs, may be repeated: customer=8841."),
    ] = None,
    note: Note = None,
    duration: Annotated[
        str | None, typer.Option("--for", metavar="TIME", help="It is over after this time, as 2h; else when released.")
    ] = None,
    output: Output = Format.NAME,
) -> None:
    r"""Hold jobs by what they are: none of them is launched, whether it waits or comes. What runs goes on.

    With --class and --label, only jobs that both fit are held. They go on by themselves when the hold is over, in the
    places that they had. To hold all jobs of a queue, see `bgjobs queue pause`.

    \b
    Examples:
      bgjobs hold add --class 'shop.jobs.Mail.*' --note 'the provider is down' --for 2h
      bgjobs hold add --label customer=8841
    """
    from bgjobs.cli.showing import printing  # noqa: PLC0415 - `--help` does not pay for models
    from bgjobs.cli.showing.holds import hold_table  # noqa: PLC0415 - as above

    if cls is None and not label:
        raise UsageError("say which jobs are to be held: --class NAME or --label KEY=VALUE")
    seconds = durations.seconds(duration, "--for")
    labels = parameters.labels(label or ())
    found = session.client().hold(cls, labels, for_seconds=seconds, note=note, namespace=_namespace(session))
    until = "" if found.until is None else f" until {found.until:%Y-%m-%d %H:%M:%S} UTC"
    release_line = f"bgjobs hold release {found.id} -n {found.namespace}"
    session.say(f"jobs {found.what} are held{until}; to let them go on: {release_line}")
    now = session.world.now()
    printing.print_models([found], output, lambda: hold_table([found], now), lambda one: one.id, many=False)


def list_holds(session: Session, output: Output = Format.TABLE) -> None:
    r"""List what is held by what it is: which jobs, by whom, why, since when and for how long still.

    \b
    Examples:
      bgjobs hold list -n shop
      bgjobs hold list -n shop -o name | xargs bgjobs hold release -n shop
    """
    from bgjobs.cli.showing import printing  # noqa: PLC0415 - `--help` does not pay for models
    from bgjobs.cli.showing.holds import hold_table  # noqa: PLC0415 - as above

    found = list(session.client().holds())
    if not found:
        session.say("no holds" + (f" in namespace {session.namespace}" if session.namespace else ""))
    now = session.world.now()
    printing.print_models(found, output, lambda: hold_table(found, now) if found else [], lambda one: one.id, many=True)


def release(session: Session, words: Ids, note: Note = None, output: Output = Format.NAME) -> None:
    r"""Release holds: their jobs go on by themselves, in the places that they had.

    \b
    Examples:
      bgjobs hold release 0192f0c1-2a3b-7c4d-8e5f-001122334455 -n shop --note 'the provider is back'
    """
    from bgjobs.cli.showing import printing  # noqa: PLC0415 - `--help` does not pay for models
    from bgjobs.cli.showing.holds import hold_table  # noqa: PLC0415 - as above

    client, namespace = session.client(), _namespace(session)
    found: list[Hold] = [client.release_hold(one, namespace, note) for one in words]
    for one in found:
        session.say(f"jobs {one.what} go on")
    now = session.world.now()
    printing.print_models(found, output, lambda: hold_table(found, now), lambda one: one.id, many=False)


def _namespace(session: Session) -> str:
    if session.namespace is None:
        raise UsageError("say in which namespace the jobs are: --namespace NAME")
    return session.namespace
