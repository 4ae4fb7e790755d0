"""Follows BackgroundJobRequests and schedules: what happens to one pokes, and nothing else is done or remembered here.

There may be 60,000 requests with large parameters, so neither is a list of them held nor is their content asked for: a
poke needs a name. What was there before is found by reconcile, which reads lists page by page.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

import msgspec
import structlog

from bgjobs_core.kube.pages import LIST_OF_METADATA
from bgjobs_core.resources.models import GROUP, REQUESTS, VERSION
from bgjobs_operator.cluster.watch import Absent, ListWatch, Metadata, Present
from bgjobs_operator.pokes import Poke

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bgjobs_core.kube.door import Kube
    from bgjobs_operator.pokes import Pokes

# The API server refuses a list that is asked for in the form of one object, whatever else would be welcome.
_METADATA_ALONE: Final = {"Accept": "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"}
_RETRY_SECONDS: Final = 1.0

log: Any = structlog.get_logger(__name__)


class _Object(msgspec.Struct):
    metadata: Metadata


_decoder: Final = msgspec.json.Decoder(_Object)


def is_news(event: Present[Metadata] | Absent[Metadata]) -> bool:
    """Whether something happened that the operator must look at.

    It writes the status of each request several times; such a change leaves the generation as it is. A request that
    was made anew, whose spec was changed, or whose deletion has begun has another one than a request that is as it was
    made.
    """
    return isinstance(event, Absent) or not event.changed or event.item.generation != 1


async def follow(
    kube: Kube,
    namespace: str,
    pokes: Pokes,
    missed: Callable[[str], None],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    plural: str = REQUESTS,
) -> None:
    """Poke for each request (or schedule) of a namespace to which something happens, until cancelled.

    Args:
        kube: the connection.
        namespace: that is followed.
        pokes: hears of it.
        missed: hears the namespace when something may have happened before, and nothing is missed from now on.
        sleep: replaced in tests.
        plural: which of our resources is followed.
    """
    watch = ListWatch(
        kube,
        f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{plural}",
        "",
        lambda raw: _decoder.decode(raw).metadata,
        lambda metadata: metadata.uid,
        sleep,
        lists=False,
        headers=_METADATA_ALONE,
        list_headers=LIST_OF_METADATA,
    )
    while True:
        try:
            async with aclosing(watch.events()) as events:
                async for event in events:
                    if not isinstance(event, Present | Absent):
                        missed(namespace)
                    elif is_news(event):
                        pokes.add(Poke(plural, namespace, event.item.name, event.item.uid))
        except Exception:
            log.exception("following failed unexpectedly", resource=plural, namespace=namespace)
        await sleep(_RETRY_SECONDS)
