"""Our custom resources in the Kubernetes API."""

from __future__ import annotations

import hashlib
from contextlib import aclosing
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec
import structlog

from bgjobs.protocol import MAX_JSON_BYTES
from bgjobs_core.kube.errors import KubeRefusedError
from bgjobs_core.kube.pages import pages
from bgjobs_core.kube.reading import decoded
from bgjobs_core.kube.text import is_name
from bgjobs_core.resources.models import (
    API_VERSION,
    ENDED_STAYS,
    GROUP,
    QUEUES,
    REQUESTS,
    SCHEDULES,
    VERSION,
)
from bgjobs_core.resources.schedules import SUSPENDED_BY
from bgjobs_operator.cluster.refusals import is_gone
from bgjobs_operator.interfaces.resources import TOO_LARGE, Listed

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from bgjobs_core.kube.door import Kube
    from bgjobs_core.kube.objects import Object

FIELD_MANAGER: Final = "bgjobs-operator"
_SMALL_SPEC: Final = 2**13  # bytes; what is larger is not kept of a list
_NOT_FOUND: Final = 404
_CONFLICT: Final = 409
_INVALID: Final = 422
log: Any = structlog.get_logger(__name__)

_KINDS: Final = {REQUESTS: "BackgroundJobRequest", QUEUES: "BackgroundJobQueue", SCHEDULES: "BackgroundJobSchedule"}


class _Metadata(msgspec.Struct, rename="camel", omit_defaults=True):
    name: str
    namespace: str
    uid: str
    generation: int
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None

    def __post_init__(self) -> None:
        if not is_name(self.name) or not is_name(self.namespace) or not self.uid:
            raise ValueError("it has no name, no namespace or no UID")


class _WithoutSpec(msgspec.Struct, omit_defaults=True):
    metadata: _Metadata
    status: dict[str, Any] | None = None


class _WithSpec(_WithoutSpec, omit_defaults=True):
    spec: dict[str, Any] | None = None


class _Request(_WithoutSpec, omit_defaults=True):
    spec: dict[str, msgspec.Raw] | None = None


class _WithRawSpec(_WithoutSpec, omit_defaults=True):
    """Whatever its spec is, which perhaps nobody asks for."""

    spec: msgspec.Raw = msgspec.Raw(b"null")


_request: Final = msgspec.json.Decoder(_Request)
_spec: Final = msgspec.json.Decoder(dict[str, msgspec.Raw] | None)
_with_raw_spec: Final = msgspec.json.Decoder(_WithRawSpec)
_without_spec: Final = msgspec.json.Decoder(_WithoutSpec)
_with_spec: Final = msgspec.json.Decoder(_WithSpec)


class KubeResources:
    """Implements `resources_api.ResourcesApi`."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube

    async def get(self, plural: str, namespace: str, name: str) -> Object | None:
        """See `ResourcesApi.get`."""
        path = f"{_path(plural, namespace)}/{name}"
        try:
            if plural == REQUESTS:
                return _small(await self._kube.read("GET", path, _request), path)
            return await self._kube.request("GET", path)
        except KubeRefusedError as error:
            if error.status == _NOT_FOUND:
                return None
            raise

    async def pages(self, plural: str, namespace: str) -> AsyncGenerator[Object, None]:
        """See `ResourcesApi.pages`."""
        decode = (_with_spec if plural == QUEUES else _without_spec).decode
        async with aclosing(pages(self._kube, _path(plural, namespace), decode)) as found:
            async for page in found:
                for item in page.items:
                    yield msgspec.to_builtins(item)

    async def requests(self, namespace: str) -> AsyncGenerator[Sequence[Listed], None]:
        """See `ResourcesApi.requests`."""
        path = _path(REQUESTS, namespace)
        async with aclosing(pages(self._kube, path, partial(_listed, path))) as found:
            async for page in found:
                items = page.items
                del page  # nothing of it is held when the next one is asked for
                yield items
                del items

    async def apply_status(self, plural: str, namespace: str, name: str, uid: str, status: dict[str, Any]) -> bool:
        """See `ResourcesApi.apply_status`; by server-side apply."""
        body = {
            "apiVersion": API_VERSION,
            "kind": _KINDS[plural],
            "metadata": {"name": name, "namespace": namespace, "uid": uid},
            "status": status,
        }
        try:
            await self._kube.request(
                "PATCH",
                f"{_path(plural, namespace)}/{name}/status",
                body,
                {"fieldManager": FIELD_MANAGER, "force": "true"},
                "application/apply-patch+yaml",
            )
        except KubeRefusedError as error:
            if error.status in {_NOT_FOUND, _CONFLICT}:  # gone, or another object has its name by now
                return False
            if error.status == _INVALID and ENDED_STAYS in error.message:
                log.warning("a request keeps the end that it tells of", request=name, namespace=namespace)
                return False
            raise
        return True

    async def event(self, plural: str, metadata: Object, reason: str, message: str) -> None:
        """See `ResourcesApi.event`; its name is made of object and reason, so that a second one is a conflict."""
        namespace, name, uid = metadata["namespace"], metadata["name"], metadata["uid"]
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        own = hashlib.sha256(f"{uid}/{reason}".encode()).hexdigest()[:16]
        body: Object = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{name[:200].rstrip('.-')}.{own}", "namespace": namespace},
            "involvedObject": {
                "apiVersion": API_VERSION,
                "kind": _KINDS[plural],
                "namespace": namespace,
                "name": name,
                "uid": uid,
            },
            "type": "Warning",
            "reason": reason,
            "message": message[:1024],
            "source": {"component": FIELD_MANAGER},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        try:
            await self._kube.request("POST", f"/api/v1/namespaces/{namespace}/events", body)
        except KubeRefusedError as error:
            if error.status not in {_NOT_FOUND, _CONFLICT}:  # the namespace is gone, or it was said before
                raise

    async def suspend(
        self, plural: str, namespace: str, name: str, uid: str, *, suspend: bool, by: str
    ) -> Object | None:
        """See `ResourcesApi.suspend`; by a merge patch, which the API server refuses if the UID is another."""
        annotations = {SUSPENDED_BY: by if suspend else None}
        body: Object = {"metadata": {"uid": uid, "annotations": annotations}, "spec": {"suspend": suspend}}
        query = {"fieldManager": FIELD_MANAGER}
        path = f"{_path(plural, namespace)}/{name}"
        try:
            return await self._kube.request("PATCH", path, body, query, "application/merge-patch+json")
        except KubeRefusedError as error:
            if is_gone(error):
                return None
            raise

    async def delete(self, plural: str, namespace: str, name: str, uid: str) -> None:
        """See `ResourcesApi.delete`."""
        options: Object = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": {"uid": uid},
        }
        try:
            await self._kube.request("DELETE", f"{_path(plural, namespace)}/{name}", options)
        except KubeRefusedError as error:
            if error.status not in {_NOT_FOUND, _CONFLICT}:
                raise


def _without_its_spec(found: _WithoutSpec) -> Object:
    return msgspec.to_builtins(_WithoutSpec(found.metadata, found.status))


def _listed(path: str, raw: bytes | msgspec.Raw) -> Listed:
    found = _with_raw_spec.decode(raw)
    if found.status or memoryview(found.spec).nbytes > _SMALL_SPEC:
        return Listed(_without_its_spec(found), None)
    found.spec = msgspec.Raw(bytes(found.spec))  # a copy, so that it does not keep the whole page
    return Listed(_without_its_spec(found), partial(_whole, found, path))


def _whole(found: _WithRawSpec, path: str) -> Object:
    where = f"{path}/{found.metadata.name}"
    return _small(_Request(found.metadata, found.status, decoded(found.spec, _spec.decode, f"spec of {where}")), where)


def _small(found: _Request, path: str) -> Object:
    """A request as plain JSON, but for parameters that no job may have."""
    spec = found.spec or {}
    read: Object = {
        field: TOO_LARGE
        if field == "parameters" and _size(bytes(raw)) > 2 * MAX_JSON_BYTES
        else decoded(raw, msgspec.json.decode, f"{field} of {path}")
        for field, raw in spec.items()
    }
    return {**_without_its_spec(found), "spec": read}


def _size(raw: bytes) -> int:
    """How many bytes JSON of the API server takes as we write it, about: numbers may be longer or shorter.

    It writes no spaces, but some characters by their numbers, which is six bytes for one.
    """
    return len(raw) - 5 * sum(raw.count(one) for one in (b"\\u003c", b"\\u003e", b"\\u0026"))


def _path(plural: str, namespace: str) -> str:
    return f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{plural}"
