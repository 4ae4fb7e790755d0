"""Jobs and queues of ours, as a busy installation has them: 20 queues, 200 classes, payloads of 100 bytes."""

from __future__ import annotations

import itertools
import os
from binascii import b2a_base64
from typing import TYPE_CHECKING, Final

from bgjobs.ids import new_job_id
from bgjobs.job_spec import CompleteSpec, JobSpec
from bgjobs_core.jobs.record import AskedJob, NewJob
from bgjobs_core.resources.models import QueueSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bgjobs_core.store.store import Store

NAMESPACE: Final = "shop"
IMAGE: Final = "shop:1"
QUEUE: Final = "queue"
METHOD: Final = "build"
_CHUNK: Final = 4000  # of 200 classes, so that a batch of the store has 20 that are alike


def payload(size: int) -> str:
    """A text which, in a list as JSON, has this many bytes. It is random, since some peers compress what they store."""
    length = size - len('[""]')
    return b2a_base64(os.urandom(length), newline=False)[:length].decode("ascii")


def queue_name(number: int, prefix: str = QUEUE) -> str:
    """Of one of the queues."""
    return f"{prefix}-{number:02d}"


def class_name(number: int) -> str:
    """Of one of the classes, all of which every queue approves."""
    return f"shop.jobs.Report{number:03d}"


def a_queue(max_concurrent: int = 100_000, *, paused: bool = False) -> QueueSpec:
    """The settings of a queue."""
    return QueueSpec(max_concurrent=max_concurrent, paused=paused, approved_classes=["shop.jobs.*"], image=IMAGE)


class Factory:
    """Makes jobs; each class belongs to one of the queues.

    Args:
        queues: how many queues there are.
        classes: how many classes.
        payload_bytes: size of the parameters of each job, as JSON.
        records_seconds: how long a job is kept once it has ended.
        prefix: how the names of the queues begin.
        queue: the name of the only queue; "": they have names by their numbers.
        queue_uid: the UID that each queue has on a cluster; "": there is no cluster.
    """

    def __init__(
        self,
        queues: int,
        classes: int,
        payload_bytes: int,
        records_seconds: int = 3600,
        prefix: str = QUEUE,
        queue: str = "",
        queue_uid: str = "",
    ) -> None:
        names = [queue or queue_name(number, prefix) for number in range(queues)]
        self.queue_keys = [f"{NAMESPACE}/{name}" for name in names]
        self._payload_bytes = payload_bytes
        self._records_seconds = records_seconds
        self._queue_uid = queue_uid
        # Checked once: what is measured is the store, and not what pydantic takes for a spec.
        self._specs = itertools.cycle(
            [
                (
                    JobSpec(queue=names[number % queues], cls=class_name(number), method=METHOD),
                    CompleteSpec(
                        queue=names[number % queues], cls=class_name(number), method=METHOD, max_retries=3,
                        timeout_seconds=60.0, image=IMAGE,
                    ),
                )
                for number in range(max(queues, classes))
            ]
        )  # fmt: skip

    def job(self, delay_seconds: float = 0.0) -> NewJob:
        """The next job."""
        spec, complete = next(self._specs)
        if delay_seconds:
            spec = spec.model_copy(update={"delay_seconds": delay_seconds})
            complete = complete.model_copy(update={"delay_seconds": delay_seconds})
        parameters = f'["{payload(self._payload_bytes)}"]'
        asked = AskedJob(new_job_id(), NAMESPACE, spec, parameters, "ada")
        return NewJob(
            asked, complete, records_seconds=self._records_seconds, logs_seconds=600, queue_uid=self._queue_uid
        )

    def jobs(self, count: int) -> Iterator[NewJob]:
        """So many of them."""
        return (self.job() for _ in range(count))


async def put_queues(store: Store, factory: Factory, spec: QueueSpec | None = None) -> None:
    """Write the settings of all queues."""
    for key in factory.queue_keys:
        await store.put_queue(key, spec or a_queue())


async def enqueue_all(store: Store, jobs: Sequence[NewJob]) -> None:
    """Enqueue jobs by the fastest way that the store has."""
    await store.enqueue_many(jobs)


async def fill(
    store: Store, factory: Factory, count: int, tell: Callable[[str], None], *, delay_seconds: float = 0.0
) -> None:
    """Enqueue so many jobs, and say how far it is."""
    for start in range(0, count, _CHUNK):
        tell(f"filling: {start:,} of {count:,} jobs")
        await enqueue_all(store, [factory.job(delay_seconds) for _ in range(min(_CHUNK, count - start))])
