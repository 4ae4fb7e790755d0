"""What `bgjobs dev` was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

PORT: Final = 8700
HOST: Final = "127.0.0.1"


@dataclass(frozen=True)
class DevSettings:
    """All of it.

    Attributes:
        project: the folder whose code runs.
        data: the folder that survives.
        port: to listen on; None: 8700, or the next one that is free.
        queues: files with BackgroundJobQueues.
        python: interpreter of the jobs.
        redis_url: of a server that runs; None: one is started.
        redis_server: the program to start; None: Valkey's wheel, or one on PATH.
        stop_seconds: what running jobs get to end in, when everything is stopped.
        hello: run an example job at once.
        umask: of the jobs; ours lets nobody else read.
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
