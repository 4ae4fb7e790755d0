"""Makes docs/command.md: the command `bgjobs`, from the texts of its own `--help`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from bgjobs.cli import app, exits
from bgjobs.cli.reaching.discovery import NO_SERVER
from pages import code, header, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# The shared options are told once; see below.
_SHARED = ("url", "namespace", "context", "quiet", "help")

PAGE = """\
{header}
# The command `bgjobs`

```sh
pip install 'bgjobs[cli]'
bgjobs run shop.jobs.Invoices render '[2026, 11]' --logs
bgjobs list
bgjobs show last
```

`kubectl bgjobs` is the same command as a plug-in of kubectl.

## Which server

The first of these that is there:

1. `--url URL`, with the token of `BGJOBS_TOKEN`, of the file `BGJOBS_TOKEN_FILE`, or the one projected into a pod.
2. `--context NAME`, or `kubectl bgjobs`: the cluster that kubectl reaches, and nothing else.
3. The environment variable `BGJOBS_URL`, with the same tokens.
4. A local server of `bgjobs dev`: the file `.bgjobs/server.json` in this folder or the nearest one above it, if its
   process lives, with the token that is in it. A file that other users may read or write is refused.
5. The cluster of kubectl's current context.

By kubectl, the Service of the API is found by its labels, reached by `kubectl port-forward` for as long as the command
runs, and asked with a token of the ServiceAccount `bgjobs-cli` of the namespace, which `kubectl create token` makes.
The user of the context needs these rights of the cluster, where Services may also be listed in one namespace only:

| In namespace | Verb | Resource |
| --- | --- | --- |
| all, or that of bgjobs | `list` | `services` |
| that of bgjobs | `get` | `services`, `pods` |
| that of bgjobs | `list` | `pods` |
| that of bgjobs | `create` | `pods/portforward` |
| that of the jobs | `create` | `serviceaccounts/token` of `bgjobs-cli` |

Without any of them the command ends with {no_server} and says:

> {no_server_words}

The namespace is that of `--namespace`, else that of the local server or of kubectl's context, else that of the token.

## Which job

`ID` is the id of a job; or 6 characters or more of its end or beginning, among the latest 200 jobs; or `last`, the
newest one.

## What is printed

What was asked for is on standard output, words for people are on standard error. `-o json` and `-o yaml` print jobs
and queues as the API gives them: `list`, `queues` and `schedule list` a list, the other commands one job, or a list
if several ids were given. `-o name` prints ids, one a line. Colours are used on a terminal, unless `NO_COLOR` is set.

## Exit codes

{exits}
## Options of every command

They can stand before the command's name or after it.

{shared}
{commands}## More commands

A distribution adds commands by entry points of the group `{group}`: the name of the command, and a function for
[typer](https://typer.tiangolo.com). `bgjobs dev` comes in this way, by `pip install 'bgjobs[dev]'`.

Completion for your shell is installed by `bgjobs --install-completion`.
"""


def option_row(option: Any) -> tuple[str, str, str]:
    """The cells of an option's row: its names, its default and its help text."""
    metavar = f" {option.metavar}" if option.metavar else ""
    names = ", ".join(code(f"{name}{metavar}") for name in sorted(option.opts, key=len))
    default = option.default
    shown = "" if default in (None, False) or callable(default) else str(getattr(default, "value", default))
    return names, code(shown), option.help or ""


def options(parameters: Iterable[Any]) -> str:
    """A table of these options."""
    return table(["Option", "Default", "What it does"], [option_row(one) for one in parameters])


def paragraphs(text: str) -> str:
    r"""A help text as Markdown.

    A paragraph that begins with `\b`, whose lines the help keeps as they are, becomes a block of code.
    """
    found: list[str] = []
    for paragraph in text.strip().split("\n\n"):
        lines = paragraph.split("\n")
        if lines[0].strip() == "\b":
            commands = "\n".join(line.strip() for line in lines[2:])
            found.append(f"```sh\n{commands}\n```")
        else:
            found.append(paragraph)
    return "\n\n".join(found)


def section(name: str, command: Any) -> str:
    """The section about one command: its help text, its arguments and the options that only it has."""
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    own = [one for one in command.params if one.param_type_name == "option" and one.name not in _SHARED]
    words = "".join(f" {one.metavar}" if one.required else f" [{one.metavar}]" for one in arguments)
    parts = [f"## `bgjobs {name}{words}`\n", f"{paragraphs(command.help or '')}\n"]
    if arguments:
        parts.append(table(["Argument", "What it is"], [(code(one.metavar), one.help or "") for one in arguments]))
    if own:
        parts.append(options(own))
    return "\n".join(parts)


def command_markdown() -> str:
    """The whole page, about the commands that are in this repository."""
    group: Any = typer.main.get_command(app.build())
    commands: dict[str, Any] = group.commands
    shared = [one for one in group.params if one.name in _SHARED]
    return PAGE.format(
        header=header("the help texts in client/bgjobs/cli"),
        no_server=exits.NO_SERVER,
        no_server_words=NO_SERVER,
        exits=table(["Code", "Meaning"], [(str(number), meaning) for number, meaning in exits.MEANINGS]),
        shared=options(shared),
        commands="".join(f"{section(name, commands[name])}\n" for name in app.COMMANDS)
        + "".join(
            f"{section(f'{name} {member}', commands[name].commands[member])}\n"
            for name, (_, members) in app.GROUPS.items()
            for member in members
        ),
        group=app.GROUP,
    )


def files() -> Iterator[tuple[str, str]]:
    """Yield the page docs/command.md."""
    yield "docs/command.md", command_markdown()
