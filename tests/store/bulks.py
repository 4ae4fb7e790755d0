"""How tests preview, begin and carry out bulks, as the person `bo` of the namespace of the tests."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from bgjobs_core.actions.bulk import ask, preview
from bgjobs_core.actions.bulk.filters import Frozen
from bgjobs_core.actions.listing import Filter
from bgjobs_operator.loops.bulk import Bulk
from tests.store.builders import NAMESPACE
from tests.store.life import EPOCH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgjobs.vocabulary import BulkVerb
    from bgjobs_core.jobs.bulk import BulkRecord
    from tests.store.checked_store import CheckedStore

BO: Final = "bo"


def frozen(batch: str = "", **wanted: Any) -> Frozen:
    """A filter of jobs of the namespace of the tests."""
    return Frozen(Filter((NAMESPACE,), **wanted), batch)


async def previewed(store: CheckedStore, verb: BulkVerb, meant: Frozen | None = None, **more: Any) -> preview.Preview:
    """What would be done, as the person `bo` sees it."""
    return await preview.preview(store, meant or frozen(), verb, by=BO, **more)


async def begun(store: CheckedStore, verb: BulkVerb, meant: Frozen | None = None, **more: Any) -> BulkRecord:
    """A bulk that was previewed and begun at once."""
    found = await previewed(store, verb, meant, **more)
    return await ask.start(store, await ask.ordered(store, found.token, by=BO))


def leading(store: CheckedStore, epoch: str = EPOCH, namespaces: Sequence[str] = (NAMESPACE,), **more: Any) -> Bulk:
    """The loop of a leader."""
    return Bulk(store, epoch, namespaces, **more)


async def carried_out(store: CheckedStore, bulk: BulkRecord, loop: Bulk | None = None) -> BulkRecord:
    """The bulk when the loop has nothing more to do for it."""
    loop = loop or leading(store)
    while await loop.turn() == 0.0:
        pass
    return await there(store, bulk.id)


async def there(store: CheckedStore, bulk_id: str) -> BulkRecord:
    """A bulk that must be there."""
    found = await store.bulk(bulk_id)
    assert found is not None
    return found


async def states(store: CheckedStore, ids: Sequence[str]) -> dict[str, int]:
    """How many of some jobs are in each state."""
    return dict(Counter(one.state.value for one in await store.jobs(ids)))
