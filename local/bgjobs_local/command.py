"""The command line of `bgjobs dev`: its options, and their checks before anything is started."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from bgjobs_local.data_folder import NAME
from bgjobs_local.errors import LocalModeError
from bgjobs_local.settings import DevSettings


def dev(
    ctx: typer.Context,
    project: Annotated[Path, typer.Argument(help="The folder with your code.", exists=True, file_okay=False)] = Path(),
    port: Annotated[
        int | None,
        typer.Option(help="Port on 127.0.0.1. Default: 8700, or the next one that is free.", min=0, max=65535),
    ] = None,
    queues: Annotated[
        list[Path] | None,
        typer.Option(
            "--queues",
            "-f",
            help="A YAML file with BackgroundJobQueues and -Schedules, as for kubectl apply. May be repeated.",
            exists=True,
        ),
    ] = None,
    max_concurrent: Annotated[
        int | None,
        typer.Option(help="How many jobs of queue `default` run at once. Default: one per processor.", min=1),
    ] = None,
    fast_retries: Annotated[
        bool,
        typer.Option("--fast-retries", help="Retry after 0.2 s, 0.4 s, ... instead of Kubernetes' 10 s, 20 s, ..."),
    ] = False,
    hello: Annotated[bool, typer.Option("--hello", help="Run an example job as soon as all is ready.")] = False,
    data: Annotated[
        Path | None,
        typer.Option(help="The folder for everything that survives a restart. Default: .bgjobs in the project."),
    ] = None,
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="The namespace of the jobs.")] = "default",
    python: Annotated[
        str | None,
        typer.Option(help="The Python that runs the jobs; it needs bgjobs. Default: the one that runs this command."),
    ] = None,
    redis_url: Annotated[
        str | None,
        typer.Option(help="Use this running Redis; nothing else may use it.", envvar="BGJOBS_REDIS_URL"),
    ] = None,
    redis_server: Annotated[
        str | None,
        typer.Option(help="The redis-server to start. Default: the Valkey that was installed with this command."),
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Print the log of the server's own parts, too.")
    ] = False,
    replay: Annotated[
        str | None,
        typer.Option(
            "--replay", metavar="ID", help="Start nothing; run the call of this job here, as `bgjobs replay` does."
        ),
    ] = None,
    pdb: Annotated[bool, typer.Option("--pdb", help="With --replay: look at an error with Python's debugger.")] = False,
) -> int | None:
    """Run jobs on this machine, without a cluster.

    Starts a Redis, the API with its pages, and the operator's loops. Each job runs as a process of its own, with the
    same runner, retries, cancel and logs as on Kubernetes. Each attempt imports your code anew, so the next attempt
    runs what you have edited.

    From a second terminal, in the same folder: `bgjobs run shop.jobs.Invoices render '[2026, 11]' --logs`.
    """
    if replay is not None:
        return _replay(ctx, project.resolve(), replay, pdb=pdb)
    if pdb:
        raise LocalModeError("--pdb goes with --replay ID")
    interpreter = sys.executable if python is None else shutil.which(python)
    if interpreter is None:
        raise LocalModeError(f"--python {python}: there is no such program")
    if python is not None:
        _check_interpreter(interpreter)
    project = project.resolve()
    settings = DevSettings(
        project=project,
        data=(data or project / NAME).resolve(),
        namespace=namespace,
        max_concurrent=max_concurrent or os.cpu_count() or 1,
        python=os.path.abspath(interpreter),  # noqa: PTH100 - does not follow links: a venv's python is one
        port=port,
        queues=tuple(path.resolve() for path in queues or ()),
        fast_retries=fast_retries,
        redis_url=redis_url,
        redis_server=redis_server,
        hello=hello,
        verbose=verbose,
        umask=os.umask(0o077),  # nobody else may read our data; the jobs get the user's own umask
    )
    _run(settings)
    return None


def _replay(ctx: typer.Context, project: Path, word: str, *, pdb: bool) -> int:
    from bgjobs.cli.arguments.shared_options import session_of  # noqa: PLC0415 - only for this option
    from bgjobs.cli.commands.replay import replay_in  # noqa: PLC0415 - as above

    # The namespace of `bgjobs dev` is that of its own jobs.
    ctx.params = {name: value for name, value in ctx.params.items() if name != "namespace"}
    return replay_in(session_of(ctx), project, word, pdb=pdb)


def _check_interpreter(python: str) -> None:
    """Check that this Python can start the runner; otherwise every job would wait and fail without saying why."""
    done = subprocess.run([python, "-P", "-c", "import bgjobs.runner"], capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        why = (done.stderr.strip().splitlines() or ["it cannot be started"])[-1]
        raise LocalModeError(
            f"--python {python} cannot run jobs: {why}; install bgjobs for that Python (no extra is needed)"
        )


def _run(settings: DevSettings) -> None:
    # These imports take half a second, and `--help` does not need them.
    from bgjobs_core.redis.errors import StoreError  # noqa: PLC0415
    from bgjobs_local import dev as local_mode  # noqa: PLC0415
    from bgjobs_local.terminal.console import Console  # noqa: PLC0415
    from bgjobs_local.terminal.screen import Screen  # noqa: PLC0415

    screen = Screen()
    try:
        asyncio.run(local_mode.dev(settings, Console(screen.line)))
    except StoreError as error:
        raise LocalModeError(str(error)) from error
    finally:
        screen.close()
