"""Queues without a cluster: the default one, and those of a file in the form that `kubectl apply` takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

import yaml
from pydantic import ValidationError

from bgjobs_core.kube.objects import part
from bgjobs_core.resources.models import QUEUES, QueueSpec
from bgjobs_local.errors import ManifestError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from bgjobs_core.kube.objects import Object
    from bgjobs_local.project import Project

DEFAULT: Final = "default"
IMAGE: Final = "this-machine"  # jobs run in your environment, whatever image they name


@dataclass
class LocalResources:
    """Implements `bgjobs_operator.interfaces.resources.ResourcesApi`.

    Attributes:
        namespace: of everything that names none.
        project: what the default queue approves.
        manifests: files with BackgroundJobQueues.
        max_concurrent: of the default queue.
        earlier: namespaces of earlier runs, whose jobs are to end: they have a default queue too.
        complain: told once of every problem that the operator writes into a status.
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
        """All queues as objects, by namespace and name; read anew each time.

        Raises:
            ManifestError: if a file is not good.
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
        """Those that have queues. Raises ManifestError."""
        return tuple(sorted({namespace for namespace, _ in self.queues()}))

    async def get(self, plural: str, namespace: str, name: str) -> Object | None:
        """See `ResourcesApi.get`."""
        return self.readable().get((namespace, name)) if plural == QUEUES else None

    async def list(self, plural: str, namespace: str) -> list[Object]:
        """See `ResourcesApi.list`; there are no requests."""
        if plural != QUEUES:
            return []
        return [obj for (where, _), obj in self.readable().items() if where == namespace]

    async def apply_status(self, plural: str, namespace: str, name: str, uid: str, status: dict[str, Any]) -> bool:  # noqa: ARG002 - as the interface has it
        """See `ResourcesApi.apply_status`."""
        self._status[namespace, name] = status
        for condition in cast("Iterable[dict[str, str]]", status.get("conditions") or ()):
            if condition["status"] == "False":
                self.complain(f"queue {namespace}/{name}: {condition['reason']}: {condition['message']}")
        return True

    async def delete(self, plural: str, namespace: str, name: str, uid: str) -> None:
        """See `ResourcesApi.delete`; nothing that the loops delete is here."""

    def readable(self) -> dict[tuple[str, str], Object]:
        """All queues; while a file is being edited they stay as they were."""
        try:
            self._last = self.queues()
        except ManifestError as error:
            if str(error) != self._said:
                self.complain(f"{error}; its queues stay as they were")
            self._said = str(error)
        else:
            self._said = ""
        return self._last

    def _object(self, namespace: str, name: str, spec: Object) -> Object:
        generation = hash(repr(spec))  # what is the same has the same one
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
                f"{path}: {kind or 'something'} where only BackgroundJobQueue is taken; without a cluster, jobs are "
                "asked for by `bgjobs run` or run_background_job()"
            )
        name = part(document, "metadata").get("name")
        if not name:
            raise ManifestError(f"{path}: a BackgroundJobQueue has no metadata.name")
        try:
            QueueSpec.model_validate(part(document, "spec"))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(one) for one in first["loc"])
            raise ManifestError(f"{path}: BackgroundJobQueue {name}: spec.{where}: {first['msg']}") from error
    return documents
