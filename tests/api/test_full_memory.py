"""A real runner and a real API on a Redis that is full: the order to stop arrives, and the log is sent later."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bgjobs.vocabulary import Outcome, State
from bgjobs_core.jobs import logs
from bgjobs_core.redis import connection
from tests.api.live import LiveApi
from tests.api.real_pod import RealPod
from tests.api.world import service_account
from tests.store.builders import a_job
from tests.store.servers import REAL, Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CODE = """
import signal
from bgjobs import current_job

class Report:
    def build(self):
        current_job().progress(1, 2)
        print("waits")
        signal.pause()
"""


@pytest.fixture(params=REAL)
def api(request: pytest.FixtureRequest) -> Iterator[LiveApi]:
    server = Server(request.param)
    server.start()
    live = LiveApi(connection.connect(server.url))
    yield live
    live.close()
    server.remove()


def test_a_job_is_stopped_while_redis_is_full_and_its_log_comes_when_there_is_room(
    api: LiveApi, tmp_path: Path
) -> None:
    api.put_queue(approved_classes=["jobs_of_a_test.*"])
    job = a_job().but(cls="jobs_of_a_test.Report").with_parameters("[]").build()
    api.run(api.store.enqueue(job))
    api.launch(job.id, "kube-uid")
    pod = RealPod(job.id, tmp_path)
    api.authenticator.tokens["token"] = service_account("shop", "default", pod.name, pod.uid)
    api.run(api.client.config_set("maxmemory", 1))
    with pod.start(api.url, "token", CODE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "waits\n"
        api.run(api.store.stop(job_id=job.id, verdict=Outcome.CANCELLED, by="ada", note=""))
        said: list[str] = []
        while not any("told to stop" in line for line in said):
            said.append(process.stderr.readline())
            assert said[-1], said
        assert api.run(api.store.log_chunks(job.id, 1)) == []
        api.run(api.client.config_set("maxmemory", 0))
        said.append(process.stderr.read())

    assert process.returncode == 75
    assert "the store of bgjobs is full" in "".join(said)
    assert logs.text(api.run(api.store.log_chunks(job.id, 1))).startswith("waits\n")
    record = api.run(api.store.full_job(job.id))
    assert record is not None
    assert record.progress == b'{"done":1.0,"total":2.0}'
    assert record.state == State.STOPPING
    [attempt] = api.run(api.store.attempts(record))
    assert attempt.outcome == Outcome.CANCELLED
