"""Requests, queues and schedules in memory, in place of `resources_api.ResourcesApi`."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from bgjobs.vocabulary import TERMINAL
from bgjobs_core.kube.errors import KubeRefusedError, KubeUnreachableError
from bgjobs_core.resources.models import QUEUES, REQUESTS, SCHEDULES
from bgjobs_core.resources.schedules import SUSPENDED_BY
from bgjobs_operator.interfaces.resources import Listed, ResourcesApi

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from bgjobs_core.kube.objects import Object


PLURALS = {"BackgroundJobRequest": REQUESTS, "BackgroundJobQueue": QUEUES, "BackgroundJobSchedule": SCHEDULES}


@dataclass
class FakeResources(ResourcesApi):
    """Objects by (plural, namespace, name).

    Attributes:
        reads: how often an object was read.
        read_in_lists: how many objects of lists were read whole.
        events: name of the object, reason and message of each Event, in order.
        written: the status of each apply, in order, with the object's name.
        refused: namespaces where we lack the permissions.
        away: the API server does not answer.
        no_events: we may not create Events.
    """

    objects: dict[tuple[str, str, str], Object] = field(default_factory=dict[tuple[str, str, str], "Object"])
    reads: int = 0
    read_in_lists: int = 0
    written: list[tuple[str, dict[str, Any]]] = field(default_factory=list[tuple[str, dict[str, Any]]])
    events: list[tuple[str, str, str]] = field(default_factory=list[tuple[str, str, str]])
    deleted: list[str] = field(default_factory=list[str])
    refused: set[str] = field(default_factory=set[str])
    away: bool = False
    no_events: bool = False

    def put(self, obj: Object) -> Object:
        """The object is there, as this."""
        metadata = obj["metadata"]
        plural = PLURALS[obj["kind"]]
        self.objects[plural, metadata["namespace"], metadata["name"]] = obj
        return obj

    def remove(self, obj: Object) -> None:
        """It was deleted."""
        self.objects = {key: one for key, one in self.objects.items() if one is not obj}

    def statuses(self, name: str) -> list[dict[str, Any]]:
        """What was written to an object, in order."""
        return [said for one, said in self.written if one == name]

    async def get(self, plural: str, namespace: str, name: str) -> Object | None:
        self._answer(namespace)
        self.reads += 1
        return copy.deepcopy(self.objects.get((plural, namespace, name)))

    async def pages(self, plural: str, namespace: str) -> AsyncGenerator[Object, None]:
        self._answer(namespace)
        for (kind, where, _), obj in list(self.objects.items()):
            if (kind, where) == (plural, namespace):
                seen = copy.deepcopy(obj)
                yield {name: seen[name] for name in ("metadata", "status") if name in seen} | (
                    {"spec": seen.get("spec", {})} if plural == QUEUES else {}
                )

    async def requests(self, namespace: str) -> AsyncGenerator[Sequence[Listed], None]:
        page: list[Listed] = []
        async for obj in self.pages(REQUESTS, namespace):
            there = copy.deepcopy(self.objects[REQUESTS, namespace, obj["metadata"]["name"]])
            page.append(Listed(obj, partial(self._whole, there)))
        yield page

    def _whole(self, obj: Object) -> Object:
        self.read_in_lists += 1
        return obj

    async def apply_status(self, plural: str, namespace: str, name: str, uid: str, status: dict[str, Any]) -> bool:
        self._answer(namespace)
        obj = self.objects.get((plural, namespace, name))
        if obj is None or obj["metadata"]["uid"] != uid:
            return False
        before = obj.get("status", {}).get("state")
        if plural == REQUESTS and before in TERMINAL and status["state"] != before:  # a rule of the CRD
            return False
        obj["status"] = copy.deepcopy(status)
        self.written.append((name, status))
        return True

    async def event(self, plural: str, metadata: Object, reason: str, message: str) -> None:  # noqa: ARG002 - of the interface
        self._answer(metadata["namespace"])
        if self.no_events:
            raise KubeRefusedError(403, "Forbidden", "cannot create resource events")
        self.events.append((metadata["name"], reason, message))

    async def suspend(
        self, plural: str, namespace: str, name: str, uid: str, *, suspend: bool, by: str
    ) -> Object | None:
        self._answer(namespace)
        obj = self.objects.get((plural, namespace, name))
        if obj is None or obj["metadata"]["uid"] != uid:
            return None
        obj["spec"]["suspend"] = suspend
        obj["metadata"]["annotations"] = {SUSPENDED_BY: by} if suspend else {}
        obj["metadata"]["generation"] += 1
        return copy.deepcopy(obj)

    async def delete(self, plural: str, namespace: str, name: str, uid: str) -> None:
        self._answer(namespace)
        obj = self.objects.get((plural, namespace, name))
        if obj is not None and obj["metadata"]["uid"] == uid:
            self.deleted.append(name)
            del self.objects[plural, namespace, name]

    def _answer(self, namespace: str) -> None:
        if self.away:
            raise KubeUnreachableError("connection refused")
        if namespace in self.refused:
            raise KubeRefusedError(403, "Forbidden", f"in namespace {namespace}")
