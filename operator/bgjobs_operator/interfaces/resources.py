"""What the loops need of our custom resources: reads, and the writes of their status.

On a cluster they are objects of the Kubernetes API (`kube_resources`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from bgjobs_core.kube.objects import Object


class ResourcesApi(Protocol):
    """Requests and queues, as plain JSON objects. Raises the errors of `bgjobs_core.kube.objects`."""

    async def get(self, plural: str, namespace: str, name: str) -> Object | None:
        """One object, or None if it is not there."""
        ...

    async def list(self, plural: str, namespace: str) -> list[Object]:
        """All objects of a namespace."""
        ...

    async def apply_status(self, plural: str, namespace: str, name: str, uid: str, status: dict[str, Any]) -> bool:
        """Write the whole status of this very object; False if it is gone."""
        ...

    async def delete(self, plural: str, namespace: str, name: str, uid: str) -> None:
        """Delete this very object; it is no error if it is gone."""
        ...
