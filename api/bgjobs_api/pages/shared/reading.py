"""What pages read besides one job: the namespaces and queues that somebody may see."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bgjobs.vocabulary import State
from bgjobs_api.http.callers import is_allowed, readable
from bgjobs_api.identity import access
from bgjobs_api.pages.shared.reasons import QueueNow

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bgjobs_api.http.deps import Deps
    from bgjobs_api.identity.access import Action
    from bgjobs_api.identity.caller import Identity
    from bgjobs_core.jobs.record import JobRecord


async def namespaces(
    deps: Deps, caller: Identity, action: Action, asked: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Those to go over, and those to choose from.

    Raises:
        ProblemError: 403, as `readable`.
    """
    chosen = await readable(deps, caller, action, asked)
    if not asked:
        return chosen, chosen
    return chosen, tuple(sorted({*chosen, *await allowed_in(deps, caller, action, deps.namespaces)}))


async def allowed_in(deps: Deps, caller: Identity, action: Action, asked: Sequence[str]) -> tuple[str, ...]:
    """Those namespaces in which the caller may do this."""
    answers = await asyncio.gather(*(is_allowed(deps, caller, action, one) for one in asked))
    return tuple(one for one, allowed in zip(asked, answers, strict=True) if allowed)


async def queue_keys(deps: Deps, caller: Identity, asked: Sequence[str]) -> list[str]:
    """Queues that the caller may list in these namespaces, as `namespace/name`."""
    allowed = await allowed_in(deps, caller, access.LIST_QUEUES, asked)
    return [key for key in await deps.store.queue_keys() if key.partition("/")[0] in allowed]


async def queue_now(deps: Deps, key: str) -> QueueNow:
    """A queue with its load."""
    record, load = await asyncio.gather(deps.store.queue(key), deps.store.queue_load(key))
    return QueueNow(record, load)


async def queues_of(deps: Deps, caller: Identity, records: Iterable[JobRecord]) -> dict[str, QueueNow]:
    """The queues in which some of these jobs wait, if the caller may list them."""
    keys = sorted({one.queue_key for one in records if one.state == State.QUEUED})
    allowed = await allowed_in(deps, caller, access.LIST_QUEUES, sorted({key.partition("/")[0] for key in keys}))
    wanted = [key for key in keys if key.partition("/")[0] in allowed]
    return dict(zip(wanted, await asyncio.gather(*(queue_now(deps, key) for key in wanted)), strict=True))
