"""Which jobs a request needs, by the names of their requests, which may not be there yet."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

from bgjobs.vocabulary import OnParentFailure, State
from bgjobs_core.jobs import ids
from bgjobs_core.jobs.admission import NotAdmitted
from bgjobs_core.kube.objects import part
from bgjobs_core.resources.models import REQUESTS
from bgjobs_operator.loops import request_status

if TYPE_CHECKING:
    from bgjobs_core.resources.models import RequestSpec
    from bgjobs_core.store.store import Store
    from bgjobs_operator.interfaces.resources import ResourcesApi

_MOST_LOOKED_AT: Final = 200  # requests that are read to find a cycle
_MOST_NAMED: Final = 5  # names in a message


@dataclass(frozen=True)
class WaitsFor:
    """A request cannot become a job yet: a stable word, and for which requests it waits."""

    code: str
    message: str


@dataclass
class ParentsByName:
    """Finds the jobs of the requests that a request names.

    A request becomes a job only after those that it needs, so jobs have no cycles. Requests can have them; they would
    wait for each other for ever, and are refused.
    """

    store: Store
    api: ResourcesApi
    _waited_for: dict[str, set[str]] = field(default_factory=dict[str, set[str]])  # names, by namespace

    def is_waited_for(self, namespace: str, name: str) -> bool:
        """Whether a request has waited for this one since it was asked last."""
        names = self._waited_for.get(namespace, set())
        if name not in names:
            return False
        names.discard(name)
        if not names:
            del self._waited_for[namespace]
        return True

    async def of(self, obj: dict[str, Any], spec: RequestSpec) -> tuple[str, ...] | WaitsFor | NotAdmitted:
        """The ids of the jobs that a request needs; or for which requests it waits, or why it is refused.

        Raises:
            StoreError, KubeError: something does not answer.
        """
        if not spec.needs:
            return ()
        namespace, own = obj["metadata"]["namespace"], obj["metadata"]["name"]
        found: list[str] = []
        absent: list[str] = []
        unadmitted: dict[str, dict[str, Any]] = {}
        for name in dict.fromkeys(spec.needs):
            parent = obj if name == own else await self._request(namespace, name)
            if parent is None:
                absent.append(name)
                continue
            job_id = ids.request_job_id(parent["metadata"]["uid"])
            if await self.store.job(job_id) is not None:
                found.append(job_id)
            elif request_status.is_unneeded(parent):
                # Another job stands for it. One that is not kept any more has ended.
                other = await self._stands_for(namespace, job_id, part(parent, "status").get("jobId"))
                found += [] if other is None else [other]
            elif not request_status.has_ended(parent):
                unadmitted[name] = parent
            elif spec.on_parent_failure is OnParentFailure.CANCEL and not _succeeded(parent):
                reason = part(parent, "status").get("reason") or "it has failed"
                return NotAdmitted("needs", "parent_failed", f"it needs the request {name}: {reason}")
        if path := await self._cycle(namespace, own, unadmitted):
            message = f"requests need each other: {' → '.join(path)}; delete one of them, and create it without that"
            return NotAdmitted("needs", "needs_cycle", message)
        if absent or unadmitted:
            self._waited_for.setdefault(namespace, set()).update([*absent, *unadmitted])
            return WaitsFor("waits_for_parents", _waits_for(namespace, absent, [*unadmitted]))
        return tuple(dict.fromkeys(found))

    async def _stands_for(self, namespace: str, job_id: str, told: object) -> str | None:
        """The job that has the unique key of a request of which no job was made; None if it is not kept any more."""
        said = await self.store.answer(job_id)
        other = told if said is None else said.other
        job = await self.store.job(other) if isinstance(other, str) and ids.is_stored_id(other) else None
        # Whoever may write the status of a request has no rights over jobs of other namespaces by that.
        return job.id if job is not None and job.namespace == namespace else None

    async def _request(self, namespace: str, name: str) -> dict[str, Any] | None:
        found = await self.api.get(REQUESTS, namespace, name)
        return None if found is None or found["metadata"].get("deletionTimestamp") else found

    async def _cycle(self, namespace: str, own: str, unadmitted: dict[str, dict[str, Any]]) -> list[str]:
        """The names on a way from a request to itself over requests that are no jobs; empty if there is none."""
        came_from: dict[str, str] = dict.fromkeys(unadmitted, own)
        waiting, read = dict(unadmitted), 0
        while waiting:
            name = next(iter(waiting))
            request = waiting.pop(name)
            if name == own:
                return _way(came_from, own)
            for further in _names(request):
                if further == own:
                    came_from[own] = name
                    return _way(came_from, own)
                if further in came_from or read >= _MOST_LOOKED_AT:
                    continue
                read += 1
                came_from[further] = name
                parent = await self._request(namespace, further)
                if (
                    parent is not None
                    and not request_status.has_ended(parent)
                    and not part(parent, "status").get("jobId")
                ):
                    waiting[further] = parent
        return []


def _succeeded(request: dict[str, Any]) -> bool:
    return part(request, "status").get("state") == State.SUCCEEDED


def _names(request: dict[str, Any]) -> list[str]:
    """What a request needs, which nobody may have checked yet."""
    found: object = part(request, "spec").get("needs")
    asked = cast("list[object]", found) if isinstance(found, list) else []
    return [one for one in asked if isinstance(one, str)]


def _way(came_from: dict[str, str], own: str) -> list[str]:
    way = [own]
    while (name := came_from[way[0]]) != own:
        way.insert(0, name)
    return [own, *way]


def _waits_for(namespace: str, absent: list[str], unadmitted: list[str]) -> str:
    parts: list[str] = []
    if absent:
        parts.append(f"there is no BackgroundJobRequest {_some(absent)} in namespace {namespace!r}")
    if unadmitted:
        parts.append(f"the BackgroundJobRequest {_some(unadmitted)} is no job yet")
    return f"it needs other requests, and waits: {', and '.join(parts)}"


def _some(names: list[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
