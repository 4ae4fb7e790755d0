"""The options that every subcommand has; users may give them before the subcommand or after it."""

import inspect
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any, Final

import typer

from bgjobs.cli.exits import ReaderGoneError
from bgjobs.cli.session import Session, World

Url = Annotated[
    str | None, typer.Option("--url", metavar="URL", help="The server, like http://bgjobs-api.bgjobs; else BGJOBS_URL.")
]
Namespace = Annotated[
    str | None,
    typer.Option(
        "--namespace",
        "-n",
        metavar="NAME",
        help="Namespace of the jobs; else that of kubectl's context, of the local server, or of the token.",
    ),
]
Context = Annotated[
    str | None, typer.Option("--context", metavar="NAME", help="Use the cluster of this kubectl context.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors on standard error.")]

_SHARED: Final = {"url": Url, "namespace": Namespace, "context": Context, "quiet": Quiet}


class Format(StrEnum):
    """The forms in which a subcommand prints what was asked for."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


Output = Annotated[
    Format,
    typer.Option("--output", "-o", metavar="json|yaml|table|name", help="How to print it; name: the id alone."),
]


def world_of(ctx: typer.Context) -> World:
    """What the command works with, as it was given to typer."""
    found: Any = ctx.find_root().obj
    return found if isinstance(found, World) else World()


def session_of(ctx: typer.Context) -> Session:
    """The session of a subcommand: its options as given after its name, else as given before it."""
    given = ctx.params
    before = ctx.find_root().params
    values = {name: given.get(name) or before.get(name) for name in _SHARED}
    return Session(
        world_of(ctx),
        url=values["url"],
        namespace=values["namespace"],
        context=values["context"],
        quiet=bool(values["quiet"]),
    )


def with_session(function: Callable[..., int | None]) -> Callable[..., int]:
    """Make a subcommand for typer from a function `function(session, ...)`, with the shared options added to its own.

    The function returns the exit code; None is 0.
    """
    signature = inspect.signature(function)
    parameters = [one for one in signature.parameters.values() if one.name != "session"]
    context = inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    shared = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=False if name == "quiet" else None, annotation=annotation
        )
        for name, annotation in _SHARED.items()
    ]

    def command(ctx: typer.Context, **values: Any) -> int:
        session = session_of(ctx)
        own = {name: value for name, value in values.items() if name not in _SHARED}
        try:
            return function(session, **own) or 0
        except BrokenPipeError as error:
            # typer would end the command with the exit code of a failure.
            raise ReaderGoneError from error

    keyword_only = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in parameters]
    command.__signature__ = signature.replace(  # pyright: ignore[reportFunctionMemberAccess] - typer reads it
        parameters=[context, *keyword_only, *shared]
    )
    command.__annotations__ = {}
    # typer keeps the lines of a paragraph that begins with this character; our docstrings have it spelled out.
    command.__doc__ = (function.__doc__ or "").replace("\\b", "\b")
    command.__name__ = function.__name__
    return command
