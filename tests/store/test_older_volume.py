"""The files of Redis are put back as they were: what waits in them may have run since, and is not launched."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from bgjobs.vocabulary import Outcome
from bgjobs_core.redis import connection
from bgjobs_core.store.store import Store
from bgjobs_operator.loops.rollback import Memory, Rollback
from tests.store.builders import QUEUE_KEY, a_job, a_queue
from tests.store.servers import REAL, Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EPOCH = "epoch-1"
TEN_MINUTES_MS = 600_000


@pytest.fixture
def server(backend: str) -> Iterator[Server]:
    """A server of this test alone."""
    own = Server(backend)
    own.start()
    yield own
    own.remove()


async def _run(store: Store, job_id: str) -> None:
    """The job's whole way; its KubeJob is gone afterwards."""
    assert (await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=1)).ids == (job_id,)
    await store.bind(job_id=job_id, kube_uid="kube-1")
    await store.start(job_id=job_id, kube_uid="kube-1", pod_uid="pod-1", pod_name="")
    await store.finish(
        job_id=job_id, pod_uid="pod-1", attempt=1, outcome=Outcome.SUCCEEDED, failure="", result="7", exit_code=0
    )


@pytest.mark.parametrize("backend", REAL, indirect=True)
@pytest.mark.parametrize("with_copy", [True, False], ids=["a copy", "nothing"])
async def test_files_that_are_put_back_launch_nothing_until_released(
    server: Server, tmp_path: Path, with_copy: bool
) -> None:
    store = Store(connection.connect(server.url))
    await store.lead(EPOCH)
    await store.put_queue(QUEUE_KEY, a_queue())
    job = a_job().build()
    await store.enqueue(job)
    server.kill()
    server.socket.unlink(missing_ok=True)
    shutil.copytree(server.home, tmp_path / "copy")
    server.start()
    await _run(store, job.id)
    mark = await store.mark()
    # Nobody has led since ten minutes ago, so Kubernetes may have forgotten the KubeJob.
    memory = Memory(mark.store_id, ((mark.seq, mark.now - TEN_MINUTES_MS),))

    server.kill()
    shutil.rmtree(server.home)
    server.home.mkdir()
    if with_copy:
        shutil.copytree(tmp_path / "copy", server.home, dirs_exist_ok=True)
    server.start()
    rollback = Rollback(store, EPOCH, memory)
    claim = await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=1, floor=memory.floor(mark.now))
    assert claim.did == ("older" if with_copy else "not_leader")
    await store.lead(EPOCH)
    await rollback.turn()
    await store.put_queue(QUEUE_KEY, a_queue())

    assert (await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=1)).did == "held"
    await store.release()
    await rollback.turn()
    released = await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=1, floor=rollback.floor())
    assert released.ids == ((job.id,) if with_copy else ())
    await store.close()
