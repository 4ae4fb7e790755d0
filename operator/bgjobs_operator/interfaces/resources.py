"""What the loops need of our custom resources: reads, and the writes of their status.

On a cluster they are objects of the Kubernetes API (`kube_resources`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from bgjobs_core.kube.objects import Object

# In place of parameters that are refused whatever is in them, so that nothing is made of them.
TOO_LARGE: Final = "they are too large"


class Listed(NamedTuple):
    """A request of a list.

    Attributes:
        obj: what `ResourcesApi.pages` gives of it.
        whole: reads the same as `ResourcesApi.get`, and raises what that raises; None of one that has a status, or that
            is large: many of those would take a lot of memory.
    """

    obj: Object
    whole: Callable[[], Object] | None


class ResourcesApi(Protocol):
    """Requests, queues and schedules, as plain JSON objects. Raises the errors of `bgjobs_core.kube.errors`."""

    async def get(self, plural: str, namespace: str, name: str) -> Object | None:
        """One object, or None if it is not there. Raises KubeUnreadableError if it is there and cannot be read.

        Of a request there is what `pages` gives, and `spec`, in which `TOO_LARGE` stands for parameters that take more
        than a job may have. Kubernetes takes objects of 1.5 MiB, of which Python would make thirty.
        """
        ...

    def pages(self, plural: str, namespace: str) -> AsyncGenerator[Object, None]:
        """All objects of a namespace, one by one; they are read page by page, so that few are in memory at once.

        Of an object there is what a look at all of them needs: `metadata` with name, namespace, uid, generation,
        creationTimestamp and deletionTimestamp, `status`, and of queues `spec`. A request's spec, which may be large,
        is read by `get`. An object that cannot be read is left out, and logged.
        """
        ...

    def requests(self, namespace: str) -> AsyncGenerator[Sequence[Listed], None]:
        """All requests of a namespace, page by page: as `pages`, and the spec of those for which it is asked."""
        ...

    async def apply_status(self, plural: str, namespace: str, name: str, uid: str, status: dict[str, Any]) -> bool:
        """Write the whole status of this very object; False if it is gone, or tells of another end of its job."""
        ...

    async def event(self, plural: str, metadata: Object, reason: str, message: str) -> None:
        """Have Kubernetes show a warning beside an object, once for each reason while Kubernetes keeps it.

        Args:
            plural: of the object's kind.
            metadata: of the object: its name, namespace and uid are read.
            reason: one word, as `QueueNotFound`.
            message: in words, of which 1,024 characters are kept.
        """
        ...

    async def suspend(
        self, plural: str, namespace: str, name: str, uid: str, *, suspend: bool, by: str
    ) -> Object | None:
        """Set `spec.suspend` of this very object, and note who wished it.

        Returns:
            The object as it is then; None if it is gone.
        """
        ...

    async def delete(self, plural: str, namespace: str, name: str, uid: str) -> None:
        """Delete this very object; it is no error if it is gone."""
        ...
