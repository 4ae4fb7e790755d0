"""What `manage.py check` says of the backend."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from django.core.checks import CheckMessage, Error, Warning  # noqa: A004 - as Django calls it
from django.db import connections

from bgjobs.approval import is_approved
from bgjobs.client import helper
from bgjobs.errors import BgjobsError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bgjobs.django.options import Options
    from bgjobs.wire import QueueView

_QUEUE: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")

# The queues of the tasks that were declared in this process, by their backend and path.
_declared: Final[dict[str, dict[str, str]]] = {}


def remember(alias: str, path: str, queue: str) -> None:
    """Note a task, as it was declared; what `using` makes of it later is not looked at.

    Args:
        alias: of its backend.
        path: its dotted name.
        queue: the name of its queue.
    """
    _declared.setdefault(alias, {}).setdefault(path, queue)


def check_backend(alias: str, queues: Iterable[str], options: Options) -> list[CheckMessage]:
    """What is wrong with a backend.

    Args:
        alias: of it in `TASKS`.
        queues: names of its queues; none: any will do.
        options: its own.
    """
    where = f"TASKS[{alias!r}]"
    found: list[CheckMessage] = [
        Error(
            f"{where}['QUEUES'] has {name!r}, which is no name of a queue of bgjobs.",
            hint="Such a name is of at most 63 lower case letters, digits and '-'.",
            id="bgjobs.E001",
        )
        for name in sorted(queues)
        if not _QUEUE.fullmatch(name)
    ]
    if options.enqueue_on_commit and options.database not in connections:
        found.append(
            Error(
                f"{where}['OPTIONS'] names the database {options.database!r}, which is not in DATABASES.",
                hint="Its commits are waited for; or set enqueue_on_commit to False.",
                id="bgjobs.E002",
            )
        )
    try:
        if helper.in_use() is not None:
            return found
        client = helper.default_client()
        if options.check_server:
            there = client.queues(options.job.get("namespace"))
            found += _by_server(_declared.get(alias, {}), there)
    except ConfigurationError as error:
        found.append(Warning(f"{where} has no server: {error}", id="bgjobs.W001"))
    except BgjobsError as error:
        found.append(Warning(f"{where} cannot be checked, because the server says: {error}", id="bgjobs.W002"))
    return found


def _by_server(tasks: Mapping[str, str], queues: Iterable[QueueView]) -> list[CheckMessage]:
    """What a server would refuse of tasks, by its queues."""
    approved: dict[str, list[str]] = {}
    for queue in queues:
        approved.setdefault(queue.name, []).extend(queue.approved_classes)
    found: list[CheckMessage] = []
    for path, queue in sorted(tasks.items()):
        module = path.rpartition(".")[0]
        if queue not in approved:
            there = ", ".join(sorted(approved)) or "none"
            hint = f"An administrator makes a BackgroundJobQueue, or the task names another one; there are: {there}."
            found.append(
                Error(f"The task {path} is for the queue {queue!r}, which is not there.", hint, id="bgjobs.E003")
            )
        elif not is_approved(module, approved[queue]):
            hint = f"An administrator adds {module} to approvedClasses of the queue."
            words = f"The task {path} may not run in the queue {queue!r}: {module} is not among its approved classes."
            found.append(Error(words, hint, id="bgjobs.E004"))
    return found
