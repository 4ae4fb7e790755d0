"""What people do with jobs that wait, and what they have done with jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, cast

import structlog

from bgjobs_core.jobs.history import Entry
from bgjobs_core.jobs.holds import JobHold
from bgjobs_core.store import keys
from bgjobs_core.store.connected import UNREADABLE
from bgjobs_core.store.deeds import Deeds

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bgjobs_core.jobs.holds import NewHold

log: Any = structlog.get_logger(__name__)


class Holding(Deeds):
    """The part of the store that holds jobs, and knows their history."""

    async def history(self, job_id: str) -> list[Entry]:
        """What people have done with a job, the first thing first; of more than 50 the latest ones."""
        found = cast("Iterable[bytes]", await self._ask("LRANGE", keys.history(job_id), 0, -1))
        return [Entry.read(line) for line in found]

    async def put_hold(self, hold: NewHold) -> Literal["put", "same", "conflict", "too_many"]:
        """Hold jobs by what they are.

        Returns:
            `put`; `same` if it is there already; `conflict` if its id is that of another hold; `too_many` if the
            namespace has as many holds as it may.
        """
        return await self._put_hold(
            namespace=hold.namespace,
            hold_id=hold.id,
            for_ms=hold.for_ms,
            pattern=hold.pattern,
            why=hold.why(),
            said=hold.said(),
            labels=hold.words_of_labels(),
        )

    async def hold_there(self, namespace: str, hold_id: str) -> JobHold | None:
        """A hold, also one that is over and of which some jobs are still to be brought back; None if there is none."""
        raw = cast("bytes | None", await self._ask("HGET", keys.holds(namespace), hold_id))
        return next(iter(_read(namespace, {hold_id.encode(): raw})), None) if raw is not None else None

    async def holds(self, namespaces: Sequence[str]) -> list[JobHold]:
        """What is held of these namespaces by what it is, the oldest of each first, but those that are over."""
        found = await self._ask_each([("TIME",), *(("HGETALL", keys.holds(one)) for one in namespaces)])
        seconds, micro = cast("tuple[bytes, bytes]", found[0])
        now = int(seconds) * 1000 + int(micro) // 1000
        holds: list[JobHold] = []
        for namespace, fields in zip(namespaces, found[1:], strict=True):
            read = _read(namespace, {} if fields is UNREADABLE else cast("dict[bytes, bytes]", fields))
            holds += sorted(read, key=lambda one: (one.at, one.id))
        return [one for one in holds if one.until is None or one.until > now]


def _read(namespace: str, fields: dict[bytes, bytes]) -> list[JobHold]:
    found: list[JobHold] = []
    for hold_id, raw in fields.items():
        try:
            found.append(JobHold.read(namespace, hold_id.decode(), raw))
        except (ValueError, TypeError) as error:
            log.warning("a hold cannot be read, and is left out", namespace=namespace, error=repr(error))
    return found
