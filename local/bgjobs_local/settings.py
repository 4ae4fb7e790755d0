"""The settings of `bgjobs dev`, made from its command line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

PORT: Final = 8700
HOST: Final = "127.0.0.1"


@dataclass(frozen=True)
class DevSettings:
    """What one `bgjobs dev` was asked for.

    Attributes:
        project: the folder whose code runs; absolute.
        data: the folder for everything that survives a restart; absolute.
        namespace: of the jobs.
        max_concurrent: how many jobs of the queue `default` run at once.
        python: the path of the Python that runs the jobs.
        port: to listen on; None takes 8700, or the next one that is free.
        queues: files with BackgroundJobQueues.
        fast_retries: whether to retry after 0.2 s instead of 10 s.
        redis_url: of a Redis that runs; None starts one.
        redis_server: the program to start; None takes Valkey's wheel, or one on PATH.
        stop_seconds: how long running jobs have to end, when everything is stopped.
        hello: whether to run an example job at once.
        verbose: whether to print the log of the server's own parts.
        umask: of the jobs' processes.
    """

    project: Path
    data: Path
    namespace: str
    max_concurrent: int
    python: str
    port: int | None = None
    queues: tuple[Path, ...] = ()
    fast_retries: bool = False
    redis_url: str | None = None
    redis_server: str | None = None
    stop_seconds: float = 5.0
    hello: bool = False
    verbose: bool = False
    umask: int = 0o022
