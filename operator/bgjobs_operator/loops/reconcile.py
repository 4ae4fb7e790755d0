"""reconcile: once a minute, and when leadership begins, what is recorded is compared with what is there.

Events can be lost (kopf loses deletions over a relist; a watch can die), deadlines have no event at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import structlog

from bgjobs.vocabulary import Outcome, State
from bgjobs_core.kube.objects import part
from bgjobs_core.resources.models import QUEUES, REQUESTS
from bgjobs_core.store import keys
from bgjobs_operator.loops import request_status
from bgjobs_operator.loops.admit import cancel_with_request
from bgjobs_operator.loops.loop import each
from bgjobs_operator.pokes import Poke

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bgjobs_core.store.store import Store
    from bgjobs_operator.interfaces.resources import ResourcesApi
    from bgjobs_operator.loops.observe import Observer
    from bgjobs_operator.pokes import Pokes

PERIOD: Final = 60.0

log: Any = structlog.get_logger(__name__)


@dataclass
class Reconcile:
    """Three-way: Redis × KubeJobs × custom resources."""

    store: Store
    api: ResourcesApi
    pokes: Pokes
    observers: Mapping[str, Observer]
    poke_all: Callable[[], None]

    async def turn(self) -> float | None:
        """Compare everything once, in all namespaces, and wake the other loops."""
        launched = await self._launched()
        try:
            await each(self.observers, partial(self._namespace, launched))
        finally:
            self.poke_all()
        return None

    async def _launched(self) -> dict[str, list[str]]:
        """Ids of launched jobs by their namespaces."""
        found: dict[str, list[str]] = {}
        async for job_id in self.store.all_ids_in(keys.launched):
            job = await self.store.job(job_id)
            if job is not None:
                found.setdefault(job.namespace, []).append(job_id)
        return found

    async def _namespace(self, launched: Mapping[str, Sequence[str]], namespace: str) -> None:
        requests: set[str] = set()
        queues: set[str] = set()
        async for obj in self.api.pages(QUEUES, namespace):
            metadata = obj["metadata"]
            queues.add(f"{namespace}/{metadata['name']}")
            self.pokes.add(Poke(QUEUES, namespace, metadata["name"], metadata["uid"]))
        async for obj in self.api.pages(REQUESTS, namespace):
            metadata = obj["metadata"]
            requests.add(metadata["uid"])
            if not request_status.has_ended(obj):
                await self._request(obj)
        for key in await self.store.queue_keys():
            if key.startswith(f"{namespace}/") and key not in queues:
                self.pokes.add(Poke(QUEUES, namespace, key.partition("/")[2], ""))
        for job_id in launched.get(namespace, ()):
            await self._job(job_id, requests)

    async def _request(self, obj: dict[str, Any]) -> None:
        metadata, said = obj["metadata"], part(obj, "status")
        job_id = said.get("jobId")
        if job_id and said.get("kubeJob") and await self.store.job(job_id) is None:
            log.warning("a request's job is not in Redis", request=metadata["name"], job=job_id)
            # Whether its code ran is known only if its KubeJob is still there; it is not run twice in silence.
            now = await self.store.now_ms()
            lost = request_status.refused(Outcome.LOST, "its record is gone from Redis", metadata["generation"], now)
            await self.api.apply_status(REQUESTS, metadata["namespace"], metadata["name"], metadata["uid"], lost)
        else:
            self.pokes.add(Poke(REQUESTS, metadata["namespace"], metadata["name"], metadata["uid"]))

    async def _job(self, job_id: str, requests: set[str]) -> None:
        job = await self.store.job(job_id)
        if job is None or job.state is not State.LAUNCHED:
            return
        if job.request_uid not in requests and await cancel_with_request(self.store, self.api, job):
            return
        observer = self.observers[job.namespace]
        view = observer.views.get(job.kube_uid)
        if view is not None:
            await observer.seen(view)
        else:
            await observer.check_absent(job)
