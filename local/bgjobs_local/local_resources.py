"""Queues and schedules of local mode: the default queue, and those of files in the form that `kubectl apply` takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import yaml
from pydantic import ValidationError

from bgjobs_core.jobs.timed_limits import LIMITS
from bgjobs_core.kube.objects import part
from bgjobs_core.resources.models import QUEUES, SCHEDULES, QueueSpec
from bgjobs_core.resources.schedules import ScheduleSpec
from bgjobs_local.errors import ManifestError
from bgjobs_local.local_schedules import LocalSchedules, troubles

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence
    from pathlib import Path

    from pydantic import BaseModel

    from bgjobs_core.jobs.queue import Held, QueueRecord
    from bgjobs_core.jobs.timed_limits import TimedLimits
    from bgjobs_core.kube.objects import Object
    from bgjobs_local.project import Project
    from bgjobs_operator.interfaces.resources import Listed

DEFAULT: Final = "default"
IMAGE: Final = "this-machine"  # jobs run in your environment, whatever image they name


_KINDS: Final[dict[str, type[BaseModel]]] = {"BackgroundJobQueue": QueueSpec, "BackgroundJobSchedule": ScheduleSpec}


class Found(NamedTuple):
    """Objects by namespace and name."""

    queues: dict[tuple[str, str], Object]
    schedules: dict[tuple[str, str], Object]


@dataclass
class LocalResources:
    """Gives the operator's loops queues and schedules as objects, and takes their status.

    Implements `bgjobs_operator.interfaces.resources.ResourcesApi`, and `bgjobs_core.actions.queue_pause.QueueObjects`:
    people pause and resume queues as long as this process runs, or until the file says something else of the queue.

    Attributes:
        namespace: the namespace of objects that name none.
        project: its classes are approved by the default queue.
        manifests: files with BackgroundJobQueues and BackgroundJobSchedules.
        max_concurrent: how many jobs of the default queue run at once.
        complain: called with a message for every problem of an object or a file.
        earlier: namespaces of earlier runs; they get a default queue too, so that their jobs can end.
        remembered: what outlives the process of schedules.
    """

    namespace: str
    project: Project
    manifests: tuple[Path, ...]
    max_concurrent: int
    complain: Callable[[str], None]
    earlier: frozenset[str] = frozenset()
    remembered: LocalSchedules = field(default_factory=LocalSchedules)
    _status: dict[tuple[str, str], Object] = field(default_factory=dict[tuple[str, str], "Object"])
    _last: Found = field(default_factory=lambda: Found({}, {}))
    _in_files: dict[tuple[str, str], Object] = field(default_factory=dict[tuple[str, str], "Object"])
    _said: str = ""
    # Queues that people have paused or resumed: what the file said of them then, and who has paused it; None: nobody.
    _held: dict[tuple[str, str], tuple[Object, Held | None]] = field(
        default_factory=dict[tuple[str, str], "tuple[Object, Held | None]"]
    )
    _limits: dict[tuple[str, str], TimedLimits | None] = field(
        default_factory=dict[tuple[str, str], "TimedLimits | None"]
    )
    _specs: dict[tuple[str, str], Object] = field(default_factory=dict[tuple[str, str], "Object"])

    async def is_paused(self, queue: QueueRecord) -> bool:
        """See `QueueObjects.is_paused`."""
        found = self.readable().queues.get((queue.namespace, queue.name), {})
        return part(found, "spec").get("paused") is True

    async def pause(self, queue: QueueRecord, held: Held) -> bool:
        """See `QueueObjects.pause`."""
        return self._hold(queue, held)

    async def resume(self, queue: QueueRecord) -> bool:
        """See `QueueObjects.resume`."""
        return self._hold(queue, None)

    async def limit(self, queue: QueueRecord, limits: TimedLimits | None) -> bool:
        """See `QueueObjects.limit`; they hold as long as this process runs at most."""
        where = queue.namespace, queue.name
        if where not in self.readable().queues:
            return False
        self._limits[where] = limits
        return True

    def _hold(self, queue: QueueRecord, held: Held | None) -> bool:
        where = queue.namespace, queue.name
        if where not in self.readable().queues:
            return False
        self._held[where] = self._specs[where], held
        now = "open" if held is None else "paused"
        self.complain(
            f"queue {queue.key} is {now} as long as bgjobs dev runs; when that is started again, its file rules"
        )
        return True

    def queues(self) -> dict[tuple[str, str], Object]:
        """Read all queues anew, as objects by namespace and name.

        Raises:
            ManifestError: if a file cannot be used.
        """
        return self.read().queues

    def read(self) -> Found:
        """Read all objects anew.

        Raises:
            ManifestError: if a file cannot be used.
        """
        found: dict[tuple[str, str], Object] = {}
        schedules: dict[tuple[str, str], Object] = {}
        for path in self.manifests:
            for document in _documents(path):
                metadata = part(document, "metadata")
                namespace = str(metadata.get("namespace") or self.namespace)
                name = str(metadata["name"])
                if document["kind"] == "BackgroundJobSchedule":
                    schedules[namespace, name] = part(document, "spec")
                    continue
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
        self._in_files = schedules
        return Found(found, self.remembered.objects(schedules))

    def namespaces(self) -> tuple[str, ...]:
        """Return the namespaces that have queues, sorted.

        Raises:
            ManifestError: if a file cannot be used.
        """
        return tuple(sorted({namespace for namespace, _ in self.queues()}))

    async def get(self, plural: str, namespace: str, name: str) -> Object | None:
        """See `ResourcesApi.get`."""
        return self._of(plural).get((namespace, name))

    async def pages(self, plural: str, namespace: str) -> AsyncGenerator[Object, None]:
        """See `ResourcesApi.pages`; local mode has no BackgroundJobRequests."""
        for (where, _), obj in self._of(plural).items():
            if where == namespace:
                yield obj

    async def requests(self, namespace: str) -> AsyncGenerator[Sequence[Listed], None]:  # noqa: ARG002 - as above
        """See `ResourcesApi.requests`."""
        for nothing in ():
            yield nothing

    async def apply_status(self, plural: str, namespace: str, name: str, uid: str, status: dict[str, Any]) -> bool:  # noqa: ARG002 - as the interface has it
        """See `ResourcesApi.apply_status`."""
        key = namespace, name
        if plural == SCHEDULES:
            before = set(troubles(self.remembered.status(key)))
            self.remembered.keep_status(key, status)
        else:
            before = set[str]()
            self._status[key] = status
        for trouble in troubles(status):
            if trouble not in before:
                self.complain(f"{'schedule' if plural == SCHEDULES else 'queue'} {namespace}/{name}: {trouble}")
        return True

    async def suspend(
        self,
        plural: str,
        namespace: str,
        name: str,
        uid: str,  # noqa: ARG002 - as above
        *,
        suspend: bool,
        by: str,
    ) -> Object | None:
        """See `ResourcesApi.suspend`; it holds until the file says something else than it says now."""
        key = namespace, name
        found = self._in_files.get(key)
        if found is None:
            return None
        self.remembered.suspend(key, found, by, suspend=suspend)
        return self._of(plural).get(key)

    def _of(self, plural: str) -> dict[tuple[str, str], Object]:
        found = self.readable()
        return {QUEUES: found.queues, SCHEDULES: found.schedules}.get(plural, {})

    async def event(self, plural: str, metadata: Object, reason: str, message: str) -> None:
        """See `ResourcesApi.event`; it does nothing, because there are no requests here."""

    async def delete(self, plural: str, namespace: str, name: str, uid: str) -> None:
        """See `ResourcesApi.delete`; it does nothing, because the loops delete only requests."""

    def readable(self) -> Found:
        """Return all objects; while a file cannot be used, those that were read last."""
        try:
            self._last = self.read()
        except ManifestError as error:
            if str(error) != self._said:
                self.complain(f"{error}; until that is mended, everything stays as it was")
            self._said = str(error)
        else:
            self._said = ""
        return self._last

    def _object(self, namespace: str, name: str, spec: Object) -> Object:
        where = namespace, name
        self._specs[where] = spec
        before, held = self._held.get(where, (None, None))
        annotations = dict[str, str]()
        if before == spec:
            spec = {**spec, "paused": held is not None}
            annotations = held.annotations() if held is not None else annotations
        if (limits := self._limits.get(where)) is not None:
            annotations[LIMITS] = limits.text()
        generation = hash(repr(spec))  # it changes with the spec, as in Kubernetes
        return {
            "metadata": {
                "namespace": namespace,
                "name": name,
                "uid": f"{namespace}/{name}",
                "generation": generation,
                "annotations": annotations,
            },
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
        if kind not in _KINDS:
            raise ManifestError(
                f"{path}: has {f'an object of the kind {kind}' if kind else 'an object without a kind'}, but only "
                "BackgroundJobQueue and BackgroundJobSchedule can be used here; without a cluster, ask for jobs by "
                "`bgjobs run` or run_background_job()"
            )
        name = part(document, "metadata").get("name")
        if not name:
            raise ManifestError(f"{path}: a {kind} has no metadata.name; give it one")
        try:
            _KINDS[kind].model_validate(part(document, "spec"))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(["spec", *(str(one) for one in first["loc"])])
            raise ManifestError(f"{path}: {kind} {name}: {where}: {first['msg']}") from error
    return documents
