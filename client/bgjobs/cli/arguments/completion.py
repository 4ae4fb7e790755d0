"""What the shell offers when a user presses Tab in an argument.

Where it would take longer than a moment, or if something fails, it silently offers nothing.
"""

import contextlib
from collections.abc import Generator
from typing import TYPE_CHECKING, Final

import typer

from bgjobs.cli.arguments.job_ids import LAST
from bgjobs.cli.arguments.shared_options import session_of
from bgjobs.cli.reaching import discovery
from bgjobs.errors import BgjobsError

if TYPE_CHECKING:
    from bgjobs.client.job_client import JobClient

_SHOWN: Final = 30
_PATIENCE_SECONDS: Final = 1.0


def states(incomplete: str) -> list[str]:
    """The states and phases of jobs that begin like this."""
    from bgjobs.vocabulary import REACHABLE, Phase  # noqa: PLC0415 - models are slow to load

    return [one.value for one in (*REACHABLE, *Phase) if one.value.startswith(incomplete)]


def outcomes(incomplete: str) -> list[str]:
    """The outcomes of jobs that begin like this."""
    from bgjobs.vocabulary import Outcome  # noqa: PLC0415 - models are slow to load

    return [one.value for one in Outcome if one.value.startswith(incomplete)]


def job_ids(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """The ids of the latest jobs that begin like this, each with what the job calls; and `last`."""
    found = [(LAST, "the newest job")]
    with _silently():
        client = _session_client(ctx)
        if client is not None:
            found.extend((job.id, f"{job.cls}.{job.method} {job.state}") for job in client.list(limit=_SHOWN).items)
    return [one for one in found if one[0].startswith(incomplete)]


def queues(ctx: typer.Context, incomplete: str) -> list[str]:
    """The names of queues that begin like this."""
    names: list[str] = []
    with _silently():
        from bgjobs.cli.doctor import server_facts  # noqa: PLC0415 - loads the HTTP client

        session = session_of(ctx)
        if not isinstance(session.choice, discovery.ByKubectl):
            names = [
                one.name for one in server_facts.queues(session, timeout_seconds=_PATIENCE_SECONDS, retry_seconds=0)
            ]
    return sorted({name for name in names if name.startswith(incomplete)})


def schedules(ctx: typer.Context, incomplete: str) -> list[str]:
    """The names of schedules that begin like this."""
    names = set[str]()
    with _silently():
        client = _session_client(ctx)
        if client is not None:
            names = {one.name for one in client.schedules()}
    return sorted(name for name in names if name.startswith(incomplete))


def holds(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """The ids of holds that begin like this, each with what it holds."""
    found: list[tuple[str, str]] = []
    with _silently():
        client = _session_client(ctx)
        if client is not None:
            found = [(one.id, f"jobs {one.what}") for one in client.holds()]
    return [one for one in found if one[0].startswith(incomplete)]


def _session_client(ctx: typer.Context) -> "JobClient | None":
    session = session_of(ctx)
    # kubectl would take seconds to forward a port, while somebody waits for the cursor.
    if isinstance(session.choice, discovery.ByKubectl):
        return None
    return session.client(timeout_seconds=_PATIENCE_SECONDS, retry_seconds=0)


@contextlib.contextmanager
def _silently() -> Generator[None]:
    with contextlib.suppress(BgjobsError, OSError):
        yield
