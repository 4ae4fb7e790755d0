"""The options by which `bgjobs list` filters jobs; subcommands that do something with jobs have them for `--all`."""

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import typer

from bgjobs.cli.arguments import completion, moments
from bgjobs.cli.exits import UsageError

if TYPE_CHECKING:
    from bgjobs.client.list_filters import JobFilters

State = Annotated[
    str | None,
    typer.Option(
        "--state",
        metavar="STATE",
        help="Only jobs in this state, like queued or failed, or in this phase, like running.",
        autocompletion=completion.states,
    ),
]
Queue = Annotated[
    str | None,
    typer.Option("--queue", metavar="NAME", help="Only jobs of this queue.", autocompletion=completion.queues),
]
ClassName = Annotated[
    str | None, typer.Option("--class", metavar="CLASS", help="Only jobs of the class with this dotted name.")
]
Batch = Annotated[
    str | None, typer.Option("--batch", metavar="ID", help="Only jobs of this batch, in the order of their ids.")
]
Outcome = Annotated[
    str | None,
    typer.Option(
        "--outcome",
        metavar="OUTCOME",
        help="Only jobs that have ended so, like error, timed_out or cancelled.",
        autocompletion=completion.outcomes,
    ),
]
ErrorType = Annotated[
    str | None, typer.Option("--error-type", metavar="NAME", help="Only jobs with such an error, like ValueError.")
]
Who = Annotated[
    str | None, typer.Option("--who", metavar="NAME", help="Only jobs that they have asked for, like web or ada.")
]
Schedule = Annotated[
    str | None,
    typer.Option("--schedule", metavar="NAME", help="Only jobs of this schedule.", autocompletion=completion.schedules),
]
Request = Annotated[
    str | None, typer.Option("--request", metavar="NAME", help="Only the job of this BackgroundJobRequest.")
]
Label = Annotated[
    list[str] | None,
    typer.Option("--label", "-l", metavar="KEY[=VALUE]", help="Only jobs with this label; may be repeated."),
]
Since = Annotated[
    str | None,
    typer.Option("--since", metavar="TIME", help="Only jobs that changed since: 24h, or a time with its zone."),
]
Until = Annotated[
    str | None, typer.Option("--until", metavar="TIME", help="Only jobs that changed before; as --since.")
]

# By the names of the parameters of the subcommands.
_FILTERS: Final[Mapping[str, Any]] = {
    "state": State, "queue": Queue, "class_name": ClassName, "batch": Batch, "outcome": Outcome,
    "error_type": ErrorType, "who": Who, "schedule": Schedule, "request": Request, "label": Label, "since": Since,
    "until": Until,
}  # fmt: skip
_FOR_ALL: Final[Mapping[str, tuple[Any, Any]]] = {
    "everything": (
        Annotated[
            bool,
            typer.Option(
                "--all",
                help="All jobs of the namespace that the filters below mean: they are counted first, and it asks.",
            ),
        ],
        False,
    ),
    "yes": (Annotated[bool, typer.Option("--yes", "-y", help="With --all: do not ask.")], False),
    "no_wait": (
        Annotated[bool, typer.Option("--no-wait", help="With --all: do not wait until it is done; print its id.")],
        False,
    ),
    "excepted": (
        Annotated[
            list[str] | None,
            typer.Option("--except", metavar="ID", help="With --all: but not this job; may be repeated."),
        ],
        None,
    ),
}


class Chosen(NamedTuple):
    """Which jobs are meant by `--all` and the filters.

    Attributes:
        everything: whether `--all` was given.
        yes: whether nothing is asked.
        no_wait: whether it is not waited for.
        excepted: ids, as they were typed, of jobs that are not meant.
        filters: what was typed, by the names of the parameters.
    """

    everything: bool
    yes: bool
    no_wait: bool
    excepted: Sequence[str]
    filters: Mapping[str, Any]

    def check(self, words: Sequence[str] | None, *, changes: Collection[str] = ()) -> bool:
        """Whether all jobs are meant, and not some by their ids.

        Args:
            words: the ids that were typed.
            changes: options that were given and that make no sense with `--all`.

        Raises:
            UsageError: if it is neither of the two, or both.
        """
        if self.everything and words:
            raise UsageError("give either the ids of jobs, or --all with filters, and not both")
        if self.everything and changes:
            raise UsageError(f"{', '.join(sorted(changes))} cannot be used together with --all")
        if self.everything:
            return True
        if not words:
            raise UsageError("which jobs? Give their ids, or --all with filters")
        given = [option(name) for name, value in self.filters.items() if value]
        given += [
            word
            for word, value in (("--yes", self.yes), ("--no-wait", self.no_wait), ("--except", self.excepted))
            if value
        ]
        if given:
            raise UsageError(f"{', '.join(given)} can only be used together with --all")
        return False


def option(name: str) -> str:
    """How a filter is written in the command."""
    return "--class" if name == "class_name" else f"--{name.replace('_', '-')}"


def for_all(*own: str) -> Callable[[Callable[..., int | None]], Callable[..., int | None]]:
    """Add `--all` and the filters to a subcommand that has a parameter `chosen` for them.

    Args:
        own: filters that are parameters of the subcommand itself, which uses these names for something else, too.
    """

    def with_filters(function: Callable[..., int | None]) -> Callable[..., int | None]:
        filters = {name: annotation for name, annotation in _FILTERS.items() if name not in own}

        @wraps(function)
        def command(*arguments: Any, **values: Any) -> int | None:
            options = {name: values.pop(name, default) for name, (_, default) in _FOR_ALL.items()}
            given = {name: values.pop(name, None) for name in filters}
            chosen = Chosen(
                options["everything"],
                options["yes"],
                options["no_wait"],
                options["excepted"] or (),
                {**given, **{name: values.get(name) for name in own}} if options["everything"] else given,
            )
            return function(*arguments, **values, chosen=chosen)

        signature = inspect.signature(function)
        kept = [one for one in signature.parameters.values() if one.name != "chosen"]
        more = [(name, annotation, default) for name, (annotation, default) in _FOR_ALL.items()]
        more += [(name, annotation, None) for name, annotation in filters.items()]
        added = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            for name, annotation, default in more
        ]
        command.__signature__ = signature.replace(parameters=[*kept, *added])  # pyright: ignore[reportAttributeAccessIssue] - `with_session` reads it
        return command

    return with_filters


def read(values: Mapping[str, Any], now: float) -> "JobFilters":
    """The filters for the client, without the state, which may be a phase.

    Args:
        values: what was typed, by the names of the parameters.
        now: seconds since 1970.

    Raises:
        UsageError: if a value is not what it should be.
    """
    return {
        "queue": values.get("queue"), "class_": values.get("class_name"), "batch": values.get("batch"),
        "outcome": _outcome(values.get("outcome")), "error_type": values.get("error_type"), "who": values.get("who"),
        "schedule": values.get("schedule"), "request": values.get("request"),
        "labels": _labels(values.get("label") or ()), "since": moments.moment(values.get("since"), "--since", now),
        "until": moments.moment(values.get("until"), "--until", now),
    }  # fmt: skip


def no_such_state(state: str) -> UsageError:
    """The error for the name of a state or phase that there is not."""
    from bgjobs.vocabulary import REACHABLE, Phase  # noqa: PLC0415 - `--help` does not pay for models

    return UsageError(f"there is no state {state!r}; there are {', '.join([*REACHABLE, *Phase])}")


def _outcome(word: str | None) -> str | None:
    from bgjobs.vocabulary import Outcome as Outcomes  # noqa: PLC0415 - as above

    if word is not None and word not in set(Outcomes):
        raise UsageError(f"there is no outcome {word!r}; there are {', '.join(Outcomes)}")
    return word


def _labels(given: Sequence[str]) -> dict[str, str | None] | None:
    found: dict[str, str | None] = {}
    for one in given:
        key, equals, value = one.partition("=")
        if not key or "," in one:
            raise UsageError(f"--label must be KEY or KEY=VALUE, as team=billing, and not {one!r}")
        found[key] = value if equals else None
    return found or None
