"""The queues of local mode: the default one, and those of files in the form that `kubectl apply` takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

import yaml
from pydantic import ValidationError

from bgjobs_core.kube.objects import part
from bgjobs_core.resources.models import QUEUES, QueueSpec
from bgjobs_local.errors import ManifestError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable
    from pathlib import Path

    from bgjobs_core.kube.objects import Object
    from bgjobs_local.project import Project

DEFAULT: Final = "default"
IMAGE: Final = "this-machine"  # jobs run in your environment, whatever image they name


@dataclass
class LocalResources:
    """Gives the operator's loops the queues as objects, and takes their status.

    Implements `bgjobs_operator.interfaces.resources.ResourcesApi`.

    Attributes:
        namespace: the namespace of queues that name none.
        project: its classes are approved by the default queue.
        manifests: files with BackgroundJobQueues.
        max_concurrent: how many jobs of the default queue run at once.
        complain: called with a message for every problem of a queue or a file.
        earlier: namespaces of earlier runs; they get a default queue too, so that their jobs can end.
    """

    namespace: str
    project: Project
    manifests: tuple[Path, ...]
    max_concurrent: int
    complain: Callable[[str], None]
    earlier: frozenset[str] = frozenset()
    _status: dict[tuple[str, str], Object] = field(default_factory=dict[tuple[str, str], "Object"])
    _last: dict[tuple[str, str], Object] = field(default_factory=dict[tuple[str, str], "Object"])
    _said: str = ""

    def queues(self) -> dict[tuple[str, str], Object]:
        """Read all queues anew, as objects by namespace and name.

        Raises:
            ManifestError: if a file cannot be used.
        """
        found: dict[tuple[str, str], Object] = {}
        for path in self.manifests:
            for document in _documents(path):
                metadata = part(document, "metadata")
                namespace = str(metadata.get("namespace") or self.namespace)
                name = str(metadata["name"])
                spec = {"image": IMAGE, **part(document, "spec")}
                found[namespace, name] = self._object(namespace, name, spec)
        default = {
            "image": IMAGE,
            "images": ["*"],
            "approvedClasses": self.project.approved_classes(),
            "maxConcurrent": self.max_concurrent,
        }
        for namespace in {self.namespace, *self.earlier}:
            found.setdefault((namespace, DEFAULT), self._object(namespace, DEFAULT, default))
        return found

    def namespaces(self) -> tuple[str, ...]:
        """Return the namespaces that have queues, sorted.

        Raises:
            ManifestError: if a file cannot be used.
        """
        return tuple(sorted({namespace for namespace, _ in self.queues()}))

    async def get(self, plural: str, namespace: str, name: str) -> Object | None:
        """See `ResourcesApi.get`."""
        return self.readable().get((namespace, name)) if plural == QUEUES else None

    async def pages(self, plural: str, namespace: str) -> AsyncGenerator[Object, None]:
        """See `ResourcesApi.pages`; local mode has no BackgroundJobRequests, only queues."""
        if plural == QUEUES:
            for (where, _), obj in self.readable().items():
                if where == namespace:
                    yield obj

    async def apply_status(self, plural: str, namespace: str, name: str, uid: str, status: dict[str, Any]) -> bool:  # noqa: ARG002 - as the interface has it
        """See `ResourcesApi.apply_status`."""
        self._status[namespace, name] = status
        for condition in cast("Iterable[dict[str, str]]", status.get("conditions") or ()):
            if condition["status"] == "False":
                self.complain(f"queue {namespace}/{name}: {condition['reason']}: {condition['message']}")
        return True

    async def delete(self, plural: str, namespace: str, name: str, uid: str) -> None:
        """See `ResourcesApi.delete`; it does nothing, because the loops delete only requests."""

    def readable(self) -> dict[tuple[str, str], Object]:
        """Return all queues, by namespace and name; while a file cannot be used, those that were read last."""
        try:
            self._last = self.queues()
        except ManifestError as error:
            if str(error) != self._said:
                self.complain(f"{error}; until that is mended, all queues stay as they were")
            self._said = str(error)
        else:
            self._said = ""
        return self._last

    def _object(self, namespace: str, name: str, spec: Object) -> Object:
        generation = hash(repr(spec))  # it changes with the spec, as in Kubernetes
        return {
            "metadata": {"namespace": namespace, "name": name, "uid": f"{namespace}/{name}", "generation": generation},
            "spec": spec,
            "status": self._status.get((namespace, name), {}),
        }


def _documents(path: Path) -> list[Object]:
    try:
        loaded: list[Any] = [one for one in yaml.safe_load_all(path.read_text(encoding="utf-8")) if one is not None]
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ManifestError(f"{path}: {error}") from error
    documents = [cast("Object", one) if isinstance(one, dict) else {} for one in loaded]
    for document in documents:
        kind = document.get("kind")
        if kind != "BackgroundJobQueue":
            raise ManifestError(
                f"{path}: has {f'an object of the kind {kind}' if kind else 'an object without a kind'}, but only "
                "BackgroundJobQueue can be used here; without a cluster, ask for jobs by `bgjobs run` or "
                "run_background_job()"
            )
        name = part(document, "metadata").get("name")
        if not name:
            raise ManifestError(f"{path}: a BackgroundJobQueue has no metadata.name; give it one")
        try:
            QueueSpec.model_validate(part(document, "spec"))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(one) for one in first["loc"])
            raise ManifestError(f"{path}: BackgroundJobQueue {name}: spec.{where}: {first['msg']}") from error
    return documents
