"""Bulks of routes and pages: which rights one needs, and how its filter is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from bgjobs.vocabulary import BulkVerb, state_and_phase
from bgjobs_api.http import filter_words
from bgjobs_api.http.callers import is_allowed, require_in, require_somewhere
from bgjobs_api.http.problems import ProblemError, invalid
from bgjobs_api.identity import access
from bgjobs_core.actions.batches import batch_there
from bgjobs_core.actions.bulk.filters import Frozen
from bgjobs_core.actions.errors import BatchNotFoundError
from bgjobs_core.actions.listing import Filter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bgjobs.bulk import BulkFilter
    from bgjobs_api.http.deps import Deps
    from bgjobs_api.identity.access import Action
    from bgjobs_api.identity.caller import Identity

_Value = TypeVar("_Value")

# What one must be allowed to do with a single job of the namespace.
NEEDS: Final[Mapping[BulkVerb, Sequence[Action]]] = {
    BulkVerb.CANCEL: (access.LIST, access.CANCEL),
    BulkVerb.PAUSE: (access.LIST, access.PAUSE),
    BulkVerb.SUSPEND: (access.LIST, access.PAUSE),
    BulkVerb.RESUME: (access.LIST, access.PAUSE),
    BulkVerb.RUN_NOW: (access.LIST, access.PAUSE),
    BulkVerb.RERUN: (access.LIST, access.GET, access.ENQUEUE),
}
_ONE_OF: Final = (access.CANCEL, access.PAUSE, access.ENQUEUE)


async def require_for(deps: Deps, caller: Identity, verb: BulkVerb, namespace: str) -> None:
    """Go on only if the caller may do this with the jobs of a namespace, and list them.

    Raises:
        ProblemError: as `require_in`.
    """
    for action in reversed(NEEDS[verb]):
        await require_in(deps, caller, action, namespace)


async def require_one(deps: Deps, caller: Identity, namespace: str | None = None) -> None:
    """Go on only if the caller may do something with jobs, somewhere or in a namespace; before anything is read.

    Raises:
        ProblemError: status 403, with what is missing, if not; as `require_in` and `require_somewhere`.
    """
    refused: ProblemError | None = None
    for action in _ONE_OF:
        try:
            if namespace is None:
                await require_somewhere(deps, caller, action)
            else:
                await require_in(deps, caller, action, namespace)
        except ProblemError as problem:
            if problem.refusal is None:
                raise
            refused = refused or problem
        else:
            return
    assert refused is not None  # noqa: S101 - otherwise it has returned
    raise refused


async def may(deps: Deps, caller: Identity, verb: BulkVerb, namespace: str) -> bool:
    """Whether `require_for` would let the caller pass, in a namespace that has jobs."""
    for action in NEEDS[verb]:
        if not await is_allowed(deps, caller, action, namespace):
            return False
    return True


async def frozen_of(deps: Deps, namespace: str, asked: BulkFilter) -> Frozen:
    """The filter of a bulk, whose times are fixed by the store's clock.

    Raises:
        ProblemError: status 422, if a value is not what it should be.
        BatchNotFoundError: if there is no such batch in the namespace.
    """
    now = await deps.store.now_ms() if asked.since or asked.until else 0
    state, phase = (None, None) if asked.state is None else state_and_phase(asked.state)
    if asked.batch is not None and (await batch_there(deps.store, asked.batch)).namespace != namespace:
        raise BatchNotFoundError(asked.batch)
    looked_for = Filter(
        (namespace,),
        state,
        asked.queue,
        asked.cls,
        phase,
        outcome=asked.outcome,
        since=_read("since", asked.since, lambda text: filter_words.moment(text, now)),
        until=_read("until", asked.until, lambda text: filter_words.moment(text, now)),
        who=asked.who,
        schedule=asked.schedule,
        request=asked.request,
        labels=_read("label", asked.label, filter_words.labels) or (),
        error_type=asked.error_type,
    )
    return Frozen(looked_for, asked.batch or "")


def _read(field: str, text: str | None, read: Callable[[str], _Value]) -> _Value | None:
    if text is None:
        return None
    try:
        return read(text)
    except ValueError as error:
        raise invalid(f"filter.{field}", str(error)) from error
