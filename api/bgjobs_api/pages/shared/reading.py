"""What a list on a page goes over: the namespaces and the queues that somebody may see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgjobs_api.http.callers import readable
from bgjobs_api.http.problems import not_found
from bgjobs_api.http.reading import allowed_in
from bgjobs_api.identity import access

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgjobs_api.http.deps import Deps
    from bgjobs_api.identity.access import Action
    from bgjobs_api.identity.caller import Identity


async def namespaces(
    deps: Deps, caller: Identity, action: Action, asked: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Those to go over, and those to choose from.

    Raises:
        ProblemError: 403, as `readable`; 404 if none of those that were asked for is a namespace of jobs.
    """
    chosen = await readable(deps, caller, action, asked)
    if not chosen:
        raise not_found(f"{asked[0]!r} is no namespace of jobs; choose one of those that are", "no_namespace_of_jobs")
    if not asked:
        return chosen, chosen
    return chosen, tuple(sorted({*chosen, *await allowed_in(deps, caller, action, deps.namespaces)}))


async def queue_keys(deps: Deps, caller: Identity, asked: Sequence[str]) -> list[str]:
    """Queues that the caller may list in these namespaces, as `namespace/name`."""
    allowed = await allowed_in(deps, caller, access.LIST_QUEUES, asked)
    return [key for key in await deps.store.queue_keys() if key.partition("/")[0] in allowed]
