"""Our custom resources in the Kubernetes API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bgjobs_core.kube.errors import KubeRefusedError
from bgjobs_core.kube.objects import part, parts
from bgjobs_core.resources.models import API_VERSION, GROUP, QUEUES, REQUESTS, VERSION

if TYPE_CHECKING:
    from bgjobs_core.kube.door import Kube
    from bgjobs_core.kube.objects import Object

FIELD_MANAGER: Final = "bgjobs-operator"
_NOT_FOUND: Final = 404
_CONFLICT: Final = 409
_KINDS: Final = {REQUESTS: "BackgroundJobRequest", QUEUES: "BackgroundJobQueue"}


class KubeResources:
    """Implements `resources_api.ResourcesApi`."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube

    async def get(self, plural: str, namespace: str, name: str) -> Object | None:
        """See `ResourcesApi.get`."""
        try:
            return await self._kube.request("GET", f"{_path(plural, namespace)}/{name}")
        except KubeRefusedError as error:
            if error.status == _NOT_FOUND:
                return None
            raise

    async def list(self, plural: str, namespace: str) -> list[Object]:
        """See `ResourcesApi.list`."""
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
            raise
        return True

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


def _path(plural: str, namespace: str) -> str:
    return f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{plural}"
