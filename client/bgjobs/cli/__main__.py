"""`bgjobs`, `kubectl bgjobs` and `python -m bgjobs.cli`."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import Final, NoReturn

MISSING: Final = "the command needs: pip install 'bgjobs[cli]'"
_USAGE: Final = 2


def main() -> NoReturn:
    """The command `bgjobs`."""
    sys.exit(start(sys.argv[1:], "bgjobs", kubectl=False))


def kubectl_main() -> NoReturn:
    """The plug-in of kubectl: always a cluster, that of the current context or of `--context`."""
    sys.exit(start(sys.argv[1:], "kubectl bgjobs", kubectl=True))


def start(arguments: list[str], prog: str, *, kubectl: bool) -> int:
    """Run the command, and return its exit code."""
    if find_spec("typer") is None:
        print(MISSING, file=sys.stderr)
        return _USAGE
    from bgjobs.cli import app  # noqa: PLC0415 - needs typer
    from bgjobs.cli.session import World  # noqa: PLC0415 - as above

    return app.execute(app.build(kubectl=kubectl, more=app.plugins()), arguments, prog, World(kubectl_only=kubectl))


if __name__ == "__main__":
    main()
