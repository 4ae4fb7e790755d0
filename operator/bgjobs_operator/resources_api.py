"""Our custom resources in the Kubernetes API: reads, and the writes of their status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bgjobs_core.kube import KubeRefusedError, part, parts
from bgjobs_core.resources import API_VERSION, GROUP, QUEUES, REQUESTS, VERSION

if TYPE_CHECKING:
    from bgjobs_core.kube import Kube, Object

FIELD_MANAGER: Final = "bgjobs-operator"
_NOT_FOUND: Final = 404
_CONFLICT: Final = 409
_KINDS: Final = {REQUESTS: "BackgroundJobRequest", QUEUES: "BackgroundJobQueue"}


class ResourcesApi:
    """Requests and queues. Raises the errors of `bgjobs_core.kube`."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube

    async def get(self, plural: str, namespace: str, name: str) -> Object | None:
        """One object, or None if it is not there."""
        try:
            return await self._kube.request("GET", f"{_path(plural, namespace)}/{name}")
        except KubeRefusedError as error:
            if error.status == _NOT_FOUND:
                return None
            raise

    async def list(self, plural: str, namespace: str) -> list[Object]:
        """All objects of a namespace."""
        found: list[Object] = []
        query = {"limit": "500"}
        while True:
            page = await self._kube.request("GET", _path(plural, namespace), query=query)
            found += parts(page, "items")
            following = part(page, "metadata").get("continue")
            if not following:
                return found
            query["continue"] = following

    async def apply_status(self, plural: str, namespace: str, name: str, uid: str, status: dict[str, Any]) -> bool:
        """Server-side apply of the whole status, for this very object; False if it is gone."""
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
            raise
        return True

    async def delete(self, plural: str, namespace: str, name: str, uid: str) -> None:
        """Delete this very object; it is no error if it is gone."""
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


def _path(plural: str, namespace: str) -> str:
    return f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{plural}"
