"""Starts the command, as `bgjobs`, as `kubectl bgjobs` or as `python -m bgjobs.cli`."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import Final, NoReturn

MISSING: Final = "this command needs more packages; install them by: pip install 'bgjobs[cli]'"
_USAGE: Final = 2


def main() -> NoReturn:
    """Run the command `bgjobs`, and end the process with its exit code."""
    sys.exit(start(sys.argv[1:], "bgjobs", kubectl=False))


def kubectl_main() -> NoReturn:
    """Run the plug-in `kubectl bgjobs`, and end the process with its exit code.

    It always talks to a cluster: that of kubectl's current context, or of `--context`.
    """
    sys.exit(start(sys.argv[1:], "kubectl bgjobs", kubectl=True))


def start(arguments: list[str], prog: str, *, kubectl: bool) -> int:
    """Run the command, and return its exit code.

    Args:
        arguments: what was typed after the name of the command.
        prog: the name of the command, for the help.
        kubectl: whether it is the plug-in of kubectl.
    """
    if find_spec("typer") is None:
        print(MISSING, file=sys.stderr)
        return _USAGE
    from bgjobs.cli import app  # noqa: PLC0415 - needs typer
    from bgjobs.cli.session import World  # noqa: PLC0415 - as above

    return app.execute(app.build(kubectl=kubectl, more=app.plugins()), arguments, prog, World(kubectl_only=kubectl))


if __name__ == "__main__":
    main()
