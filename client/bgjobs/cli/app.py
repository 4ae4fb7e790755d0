"""Puts the command together from its parts: its subcommands, its help, and the exit code of each error."""

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, version
from typing import Annotated, Any, Final

import typer

from bgjobs.cli import exits
from bgjobs.cli.arguments.shared_options import Context, Namespace, Quiet, Url, with_session
from bgjobs.cli.commands import (
    batches,
    bulk,
    following,
    holding,
    holds,
    jobs,
    queue_limits,
    replay,
    run,
    schedules,
    server,
    stack,
    why,
)
from bgjobs.cli.session import World
from bgjobs.cli.showing.text import clean, escape_what_cannot_be_shown
from bgjobs.errors import BgjobsError, ForbiddenError

GROUP: Final = "bgjobs.commands"
DEV_MISSING: Final = "bgjobs dev needs more packages; install them by: pip install 'bgjobs[dev]'"

Command = Callable[..., Any]

COMMANDS: Final[Mapping[str, Callable[..., int | None]]] = {
    "run": run.run,
    "list": jobs.list_jobs,
    "show": jobs.show,
    "why": why.why,
    "stack": stack.stack,
    "logs": following.logs,
    "wait": following.wait,
    "result": jobs.result,
    "cancel": jobs.cancel,
    "pause": holding.pause,
    "suspend": holding.suspend,
    "resume": holding.resume,
    "run-now": holding.run_now,
    "priority": holding.priority,
    "rerun": run.rerun,
    "replay": replay.replay,
    "queues": server.queues,
    "doctor": server.doctor,
    "token": server.token,
    "link": server.link,
}

# Subcommands of a subcommand, with the help of the latter.
GROUPS: Final[Mapping[str, tuple[str, Mapping[str, Callable[..., int | None]]]]] = {
    "batch": (
        """List batches, which are many jobs under one id, show one, wait for it, cancel it.

\b
  bgjobs batch list
  bgjobs batch show 0192f0c1-2a3b-7c4d-8e5f-001122334455
  bgjobs batch wait 0192f0c1-2a3b-7c4d-8e5f-001122334455
  bgjobs batch cancel 0192f0c1-2a3b-7c4d-8e5f-001122334455
""",
        {
            "list": batches.list_batches,
            "show": batches.show,
            "wait": batches.wait,
            "cancel": batches.cancel,
            "close": batches.close,
        },
    ),
    "bulk": (
        """Look at what is done with many jobs at once, by --all, and stop it.

\b
  bgjobs cancel --all --queue mail --state queued
  bgjobs bulk list
  bgjobs bulk stop 0192f0c1-2a3b-7c4d-8e5f-001122334455
""",
        {"list": bulk.list_bulks, "show": bulk.show, "stop": bulk.stop},
    ),
    "schedule": (
        """List schedules, run the job of one now, pause and resume them.

\b
  bgjobs schedule list
  bgjobs schedule run nightly
  bgjobs schedule pause nightly
""",
        {
            "list": schedules.list_schedules,
            "run": schedules.run_schedule,
            "pause": schedules.pause,
            "resume": schedules.resume,
        },
    ),
    "hold": (
        """Hold jobs by what they are, by their class or a label, list what is held, and release it.

\b
  bgjobs hold add --class 'shop.jobs.Mail.*' --note 'the provider is down' --for 2h
  bgjobs hold list
  bgjobs hold release 0192f0c1-2a3b-7c4d-8e5f-001122334455
""",
        {"add": holds.add, "list": holds.list_holds, "release": holds.release},
    ),
    "queue": (
        """Pause queues, resume them, and limit them in another way for a time; `bgjobs queues` lists them.

\b
  bgjobs queue pause mail --note 'the provider is down'
  bgjobs queue resume mail
  bgjobs queue limits mail --max-concurrent 50 --for 1h
""",
        {"pause": holding.pause_queue, "resume": holding.resume_queue, "limits": queue_limits.limits},
    ),
}

HELP: Final = """Background jobs on Kubernetes: run a method of a class in a pod of its own.

\b
  bgjobs run shop.jobs.Invoices render '[2026, 11]' --logs
  bgjobs list
  bgjobs show last

The server is the first of these that is there: --url, BGJOBS_URL, a local server of `bgjobs dev` in this folder or
one above it, the cluster of kubectl's current context. A job is meant by its id, by 6 characters or more of the id's
end or beginning, or by `last`.
"""


def epilog() -> str:
    """The text at the end of the help: the exit codes."""
    lines = [f"  {code:<4}{meaning}" for code, meaning in exits.MEANINGS]
    return "\n".join(["\b", "Exit codes:", *lines])


def dev() -> None:
    """Start a local server here, to write jobs without a cluster."""
    print(DEV_MISSING, file=sys.stderr)
    raise typer.Exit(exits.USAGE)


def plugins(points: Iterable[EntryPoint] | None = None) -> dict[str, Command]:
    """The subcommands that other installed packages bring, by name, for example `dev`.

    In place of one that cannot be loaded there is one that says why.

    Args:
        points: the entry points to load; None: those of the installed packages.
    """
    found: dict[str, Command] = {}
    for point in entry_points(group=GROUP) if points is None else points:
        try:
            found[point.name] = point.load()
        except Exception as error:  # noqa: BLE001 - the other commands must work whatever this one does
            found[point.name] = _broken(point.name, f"{type(error).__name__}: {error}")
    return found


def build(*, kubectl: bool = False, more: Mapping[str, Command] | None = None) -> typer.Typer:
    """Make the typer application.

    Args:
        kubectl: whether it is for `kubectl bgjobs`, whose completion kubectl does itself.
        more: further subcommands, by name.
    """
    # Rich markup would take the brackets of the JSON in the help for its own, and makes the help twice as slow.
    app = typer.Typer(
        help=HELP,
        epilog=epilog(),
        add_completion=not kubectl,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 100},
    )
    app.callback()(_root)
    for name, function in COMMANDS.items():
        app.command(name)(with_session(function))
    for name, (words, members) in GROUPS.items():
        group = typer.Typer(
            help=words, rich_markup_mode=None, no_args_is_help=True, context_settings={"max_content_width": 100}
        )
        for member, function in members.items():
            group.command(member)(with_session(function))
        app.add_typer(group, name=name)
    for name, function in {"dev": dev, **(more or {})}.items():
        if name not in COMMANDS and name not in GROUPS:
            app.command(name)(function)
    return app


def execute(app: typer.Typer, arguments: list[str], prog: str, world: World) -> int:
    """Run the command, and return its exit code. An error becomes a message on standard error, and no traceback.

    Args:
        app: the typer application.
        arguments: what was typed after the name of the command.
        prog: the name of the command, for the help.
        world: what the command works with.
    """
    command = typer.main.get_command(app)
    escape_what_cannot_be_shown(sys.stdout, sys.stderr)
    try:
        with world.ending:
            ended: object = command.main(args=arguments or ["--help"], prog_name=prog, standalone_mode=False, obj=world)
            sys.stdout.flush()
    except (BrokenPipeError, exits.ReaderGoneError):
        # Otherwise Python would print an error at its end about output that it could not write.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exits.DONE
    except typer.TyperException as error:
        usage = getattr(getattr(error, "ctx", None), "command_path", prog)
        return _fail(f"{error.format_message().rstrip('.')}; see `{usage} --help`", exits.USAGE)
    except (BgjobsError, TimeoutError) as error:
        return _fail_with(error)
    except (KeyboardInterrupt, typer.Abort):
        return exits.INTERRUPTED
    except Exception as error:
        if world.environ.get("BGJOBS_DEBUG"):
            raise
        return _fail(
            f"this is a bug in bgjobs: {type(error).__name__}: {error}; set BGJOBS_DEBUG=1 to see where", exits.BUG
        )
    return ended if isinstance(ended, int) and not isinstance(ended, bool) else exits.DONE


def _print_version(wanted: bool) -> None:
    if wanted:
        try:
            found = version("bgjobs")
        except PackageNotFoundError:
            found = "of an unknown version"
        print(f"bgjobs {found}")
        raise typer.Exit


def _root(
    url: Url = None,
    namespace: Namespace = None,
    context: Context = None,
    quiet: Quiet = False,
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version),
    ] = False,
) -> None:
    # Read from the context by the command; see shared_options.
    del url, namespace, context, quiet, version


def _broken(name: str, why: str) -> Command:
    def command() -> None:
        raise BrokenPluginError(f"the command {name} cannot be loaded: {why}")

    command.__doc__ = f"Cannot be loaded: {clean(why)}"
    return command


class BrokenPluginError(exits.UsageError):
    """A subcommand of another installed package cannot be imported."""


def _fail_with(error: BgjobsError | TimeoutError) -> int:
    end = exits.end_of(error)
    hint = f"; {end.hint}" if end.hint else ""
    if not isinstance(error, ForbiddenError) or not error.remedy:
        return _fail(f"{error}{hint}", end.code)
    # A command to copy has a line of its own.
    code = _fail(f"{error.detail}{hint}; an administrator can allow it with:", end.code)
    print(f"  {clean(error.remedy)}", file=sys.stderr)
    return code


def _fail(message: str, code: int) -> int:
    print(f"bgjobs: {clean(message)}", file=sys.stderr)
    return code
