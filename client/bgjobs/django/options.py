"""What `OPTIONS` of the backend may say in the settings of a Django project."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from django.tasks.exceptions import InvalidTaskBackend  # pyright: ignore[reportMissingModuleSource] - Django 6

from bgjobs.client.request import build_request
from bgjobs.connection.settings import find_call_seconds
from bgjobs.errors import ConfigurationError, InvalidJobError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bgjobs.job_spec import EnqueueOptions

# Of those that `run_background_job` takes: what makes sense for all tasks of a backend.
_OF_JOBS: Final = (
    "namespace",
    "max_retries",
    "timeout_seconds",
    "expires_after_seconds",
    "image",
    "concurrency_key",
    "labels",
)
_OWN: Final = ("enqueue_on_commit", "database", "call_seconds", "check_server")


class Options(NamedTuple):
    """The options of a backend.

    Attributes:
        job: what is said about each of its jobs.
        enqueue_on_commit: whether a task that is enqueued in a transaction is sent when that is committed.
        database: alias of the database whose transactions count.
        call_seconds: how long it may take to ask for a job; None: `BGJOBS_TIMEOUT`, else about 45.
        check_server: whether `manage.py check` asks the server about queues and approved modules.
    """

    job: EnqueueOptions
    enqueue_on_commit: bool = True
    database: str = "default"
    call_seconds: float | None = None
    check_server: bool = False


def read_options(alias: str, given: Mapping[str, Any]) -> Options:
    """The options that the settings give.

    Args:
        alias: of the backend in `TASKS`.
        given: its `OPTIONS`.

    Raises:
        InvalidTaskBackend: naming the one that is wrong.
    """
    names = (*_OF_JOBS, *_OWN)
    for name in given:
        if name not in names:
            near = difflib.get_close_matches(name.lower(), names, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names)}"
            raise _wrong(alias, f"there is no option {name!r}; {hint}")
    job: Any = {name: given[name] for name in _OF_JOBS if name in given}
    for name in ("enqueue_on_commit", "check_server"):
        if not isinstance(given.get(name, False), bool):
            raise _wrong(alias, f"{name} is True or False, not {given[name]!r}")
    if not isinstance(given.get("database", ""), str):
        raise _wrong(alias, f"database is the alias of a database, not {given['database']!r}")
    try:
        build_request("some.tasks", "task", **job)
        find_call_seconds(given.get("call_seconds"), {})
    except (InvalidJobError, ConfigurationError) as error:
        raise _wrong(alias, str(error)) from error
    return Options(job, **{name: given[name] for name in _OWN if name in given})


def _wrong(alias: str, what: str) -> InvalidTaskBackend:
    return InvalidTaskBackend(f"TASKS[{alias!r}]['OPTIONS']: {what}")
