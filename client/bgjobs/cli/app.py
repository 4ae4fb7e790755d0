"""The command put together: what is in it, what it says of itself, and how it ends."""

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, version
from typing import Annotated, Any, Final

import typer

from bgjobs.cli import exits
from bgjobs.cli.arguments.shared_options import Context, Namespace, Quiet, Url, with_session
from bgjobs.cli.commands import following, jobs, run, server
from bgjobs.cli.session import World
from bgjobs.cli.showing.text import clean
from bgjobs.errors import BgjobsError, ForbiddenError

GROUP: Final = "bgjobs.commands"
DEV_MISSING: Final = "bgjobs dev needs: pip install 'bgjobs[dev]'"

Command = Callable[..., Any]

COMMANDS: Final[Mapping[str, Callable[..., int | None]]] = {
    "run": run.run,
    "list": jobs.list_jobs,
    "show": jobs.show,
    "logs": following.logs,
    "wait": following.wait,
    "result": jobs.result,
    "cancel": jobs.cancel,
    "rerun": run.rerun,
    "queues": server.queues,
    "doctor": server.doctor,
    "token": server.token,
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
    """The exit codes."""
    lines = [f"  {code:<4}{meaning}" for code, meaning in exits.MEANINGS]
    return "\n".join(["\b", "Exit codes:", *lines])


def dev() -> None:
    """Start a local server here, to write jobs without a cluster."""
    print(DEV_MISSING, file=sys.stderr)
    raise typer.Exit(exits.USAGE)


def plugins(points: Iterable[EntryPoint] | None = None) -> dict[str, Command]:
    """Commands of other distributions, by name; one that cannot be loaded says why when it is called."""
    found: dict[str, Command] = {}
    for point in entry_points(group=GROUP) if points is None else points:
        try:
            found[point.name] = point.load()
        except Exception as error:  # noqa: BLE001 - somebody else's code may not take all commands away
            found[point.name] = _broken(point.name, f"{type(error).__name__}: {error}")
    return found


def build(*, kubectl: bool = False, more: Mapping[str, Command] | None = None) -> typer.Typer:
    """The typer application.

    Args:
        kubectl: whether it is for `kubectl bgjobs`, for which shells complete in another way.
        more: commands by name, besides ours.
    """
    # Without markup: the help has JSON and brackets in it, and is there in half the time.
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
    for name, function in {"dev": dev, **(more or {})}.items():
        if name not in COMMANDS:
            app.command(name)(function)
    return app


def execute(app: typer.Typer, arguments: list[str], prog: str, world: World) -> int:
    """Run the command and return its exit code; an error is told on standard error."""
    command = typer.main.get_command(app)
    try:
        with world.ending:
            ended: object = command.main(args=arguments or ["--help"], prog_name=prog, standalone_mode=False, obj=world)
            sys.stdout.flush()
    except (BrokenPipeError, exits.ReaderGoneError):
        # Python would complain of what it could not flush at its end.
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
            f"a mistake in the command: {type(error).__name__}: {error}; BGJOBS_DEBUG=1 shows where", exits.BUG
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
    """Another distribution's command failed when it was imported."""


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
