"""A queue is paused, resumed and limited: that stands in its object, with who did it and why, which is changed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Protocol

from bgjobs_core.actions.errors import QueueNotFoundError, QueueUnchangedError
from bgjobs_core.jobs.queue import PAUSED_AT, PAUSED_BY, PAUSED_NOTE, Held
from bgjobs_core.jobs.timed_limits import LIMITS, for_a_time
from bgjobs_core.kube.errors import KubeError, KubeRefusedError
from bgjobs_core.kube.objects import part
from bgjobs_core.resources.models import GROUP, QUEUES, VERSION

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from bgjobs_core.jobs.queue import QueueRecord
    from bgjobs_core.jobs.timed_limits import TimedLimits
    from bgjobs_core.resources.models import StartRate
    from bgjobs_core.store.store import Store

_NOTHING_SAID: Final[dict[str, str | None]] = dict.fromkeys((PAUSED_BY, PAUSED_AT, PAUSED_NOTE))  # to be removed
_GONE: Final = frozenset({404, 409})  # 409: another object has the name by now


class QueueObjects(Protocol):
    """The objects of queues, as far as they are changed by people through the API."""

    async def is_paused(self, queue: QueueRecord) -> bool:
        """Whether this very queue is paused at this moment; False also if it is gone. Raises KubeError."""
        ...

    async def pause(self, queue: QueueRecord, held: Held) -> bool:
        """Pause this very queue, and note who did it and why; False if it is gone. Raises KubeError."""
        ...

    async def resume(self, queue: QueueRecord) -> bool:
        """Resume this very queue, and forget who had paused it; False if it is gone. Raises KubeError."""
        ...

    async def limit(self, queue: QueueRecord, limits: TimedLimits | None) -> bool:
        """Have these limits hold for this very queue; None: its own. False if it is gone. Raises KubeError."""
        ...


class _Requests(Protocol):
    async def request(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        query: dict[str, str] | None = None,
        content_type: str = "application/json",
        /,
    ) -> dict[str, Any]: ...


class KubeQueues:
    """Queues in the Kubernetes API. Implements `QueueObjects` by a merge patch, which is refused for another UID.

    Args:
        kube: the door to Kubernetes.
    """

    def __init__(self, kube: _Requests) -> None:
        self._kube = kube

    async def is_paused(self, queue: QueueRecord) -> bool:
        """See `QueueObjects.is_paused`. The API may only `patch` queues, so this is a patch that changes nothing."""
        found = await self._patch(queue, {"metadata": {"uid": queue.uid}})
        return found is not None and part(found, "spec").get("paused") is True

    async def pause(self, queue: QueueRecord, held: Held) -> bool:
        """See `QueueObjects.pause`."""
        return await self._set(queue, {**_NOTHING_SAID, **held.annotations()}, paused=True)

    async def resume(self, queue: QueueRecord) -> bool:
        """See `QueueObjects.resume`."""
        return await self._set(queue, _NOTHING_SAID, paused=False)

    async def limit(self, queue: QueueRecord, limits: TimedLimits | None) -> bool:
        """See `QueueObjects.limit`."""
        said = {LIMITS: None if limits is None else limits.text()}
        return await self._patch(queue, {"metadata": {"uid": queue.uid, "annotations": said}}) is not None

    async def _set(self, queue: QueueRecord, annotations: dict[str, str | None], *, paused: bool) -> bool:
        body = {"metadata": {"uid": queue.uid, "annotations": annotations}, "spec": {"paused": paused}}
        return await self._patch(queue, body) is not None

    async def _patch(self, queue: QueueRecord, body: dict[str, Any]) -> dict[str, Any] | None:
        """The object after the patch; None if it is gone."""
        path = f"/apis/{GROUP}/{VERSION}/namespaces/{queue.namespace}/{QUEUES}/{queue.name}"
        query = {"fieldManager": "bgjobs-api"}
        try:
            return await self._kube.request("PATCH", path, body, query, "application/merge-patch+json")
        except KubeRefusedError as error:
            if error.status in _GONE:
                return None
            raise


async def pause_queue(store: Store, objects: QueueObjects, key: str, *, by: str, note: str = "") -> QueueRecord:
    """Have nothing more launched of a queue; what runs goes on. A queue that is paused already stays as it is.

    Args:
        store: where its settings are, as the operator has seen them last.
        objects: the objects of queues.
        key: its full name, as `namespace/name`.
        by: who wants it.
        note: why.

    Returns:
        The queue as it is from now on; the operator sees it within moments.

    Raises:
        QueueNotFoundError: there is no such queue.
        QueueUnchangedError: Kubernetes does not answer, or refuses it.
    """
    record = await _queue(store, key)
    # The operator may not have seen yet that somebody has resumed it.
    if record.spec.paused and await _asked(objects.is_paused(record)):
        return record
    held = Held(by, await store.now_ms(), note)
    await _changed(key, objects.pause(record, held))
    return replace(record, spec=record.spec.model_copy(update={"paused": True}), held=held)


async def resume_queue(store: Store, objects: QueueObjects, key: str) -> QueueRecord:
    """Have the jobs of a queue launched again. As `pause_queue`."""
    record = await _queue(store, key)
    await _changed(key, objects.resume(record))
    return replace(record, spec=record.spec.model_copy(update={"paused": False}), held=None)


async def limit_queue(
    store: Store,
    objects: QueueObjects,
    key: str,
    *,
    by: str,
    for_seconds: float,
    max_concurrent: int | None = None,
    start_rate: StartRate | None = None,
    note: str = "",
) -> QueueRecord:
    """Have other limits hold for a queue until a moment; what runs goes on. They take the place of earlier ones.

    Args:
        store: where its settings are, as the operator has seen them last.
        objects: the objects of queues.
        key: its full name, as `namespace/name`.
        by: who wants it.
        for_seconds: after which its own limits hold again.
        max_concurrent: how many jobs may hold a slot; None: as many as it says itself.
        start_rate: how many may start in a time; None: as it says itself.
        note: why.

    Returns:
        The queue as it is from now on; the operator sees it within moments.

    Raises:
        QueueNotFoundError: there is no such queue.
        QueueUnchangedError: Kubernetes does not answer, or refuses it.
    """
    record = await _queue(store, key)
    now = await store.now_ms()
    limits = for_a_time(now, for_seconds, by=by, note=note, max_concurrent=max_concurrent, start_rate=start_rate)
    await _changed(key, objects.limit(record, limits))
    return replace(record, limits=limits)


async def clear_limits(store: Store, objects: QueueObjects, key: str) -> QueueRecord:
    """Have the own limits of a queue hold again. As `limit_queue`."""
    record = await _queue(store, key)
    await _changed(key, objects.limit(record, None))
    return replace(record, limits=None)


async def _queue(store: Store, key: str) -> QueueRecord:
    record = await store.queue(key)
    if record is None:
        raise QueueNotFoundError(key)
    return record


async def _changed(key: str, change: Awaitable[bool]) -> None:
    if not await _asked(change):
        raise QueueNotFoundError(key)


async def _asked(question: Awaitable[bool]) -> bool:
    try:
        return await question
    except KubeError as error:
        raise QueueUnchangedError(str(error)) from error
