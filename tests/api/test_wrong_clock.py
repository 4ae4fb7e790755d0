"""A replica of the API whose clock is wrong stands beside a right one, behind one address: no job is harmed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

import pytest

from bgjobs.vocabulary import Outcome, State
from bgjobs_api.identity.issuer_keys import KeyRing
from bgjobs_api.identity.service_accounts import ServiceAccountTokens, fetch_keys
from bgjobs_core.jobs import logs
from bgjobs_core.redis import connection
from tests.api.live import LiveApi
from tests.api.real_pod import RealPod
from tests.api.tokens import Cluster, claims, new_key, sign
from tests.api.turns import TakingTurns
from tests.api.world import NOW, FakeClock
from tests.store.builders import a_job
from tests.store.servers import Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bgjobs_core.kube.door import Kube
    from tests.api.world import Pod, World

KEY = new_key("cluster-1")
CODE = """
class Report:
    def build(self, rows):
        for row in range(rows):
            print(f"row {row}")
        return {"rows": rows}
"""


@pytest.fixture
def valkey() -> Iterator[str]:
    server = Server("valkey")
    server.start()
    yield server.url
    server.remove()


def replica(redis: str, seconds_off: float) -> LiveApi:
    """An API with the cluster's keys and a clock that is so many seconds ahead."""
    verifier = ServiceAccountTokens(KeyRing(lambda: fetch_keys(cast("Kube", Cluster([KEY])))))
    return LiveApi(connection.connect(redis), verifier, FakeClock(1000 + seconds_off))


def token_of(pod: RealPod) -> str:
    """Issued just now, for ten minutes."""
    bound = {
        "namespace": "shop",
        "pod": {"name": pod.name, "uid": pod.uid},
        "serviceaccount": {"name": "default", "uid": "sa"},
    }
    now = int(NOW) + 1000
    subject = "system:serviceaccount:shop:default"
    return sign(KEY, claims(sub=subject, iat=now, nbf=now, exp=now + 600, **{"kubernetes.io": bound}))


@pytest.mark.parametrize("seconds_off", [-120, -600, 700], ids=str)
def test_all_of_a_job_arrives(valkey: str, tmp_path: Path, seconds_off: float) -> None:
    wrong, right = replica(valkey, seconds_off), replica(valkey, 0)
    turns = TakingTurns([wrong.url, wrong.url, wrong.url, right.url])
    try:
        right.put_queue(approved_classes=["jobs_of_a_test.*"])
        job = a_job().but(cls="jobs_of_a_test.Report").with_parameters("[3000]").build()
        right.run(right.store.enqueue(job))
        right.launch(job.id, "kube-uid")
        pod = RealPod(job.id, tmp_path)

        ended = pod.run(turns.url, token_of(pod), CODE)

        assert ended.returncode == 0, ended.stderr
        refused_first = [401, 401, 401, 200]
        assert {verb: statuses[:4] for verb, statuses in turns.answered.items()} == dict.fromkeys(
            ("start", "beat", "finish"), refused_first
        )
        record = right.run(right.store.job(job.id))
        assert record is not None
        assert (record.state, record.outcome, record.attempt) == (State.SUCCEEDED, Outcome.SUCCEEDED, 1)
        assert json.loads(right.run(right.store.result(job.id))) == {"rows": 3000}
        chunks = right.run(right.store.log_chunks(job.id, 1))
        assert logs.text(chunks).splitlines() == [f"row {n}" for n in range(3000)]
    finally:
        turns.close()
        wrong.close()
        right.close()


@pytest.mark.parametrize("seconds_off", [-600.0, 600.0], ids=str)
async def test_what_is_stored_and_shown_has_the_time_of_redis(world: World, seconds_off: float) -> None:
    """A delay is neither shorter nor longer, and a wrong replica answers what a right one does."""
    right = await shown(world, await world.enqueued(delay_seconds=3600), await world.running())
    world.clock.now += seconds_off
    before = await world.store.now_ms()
    late = await world.there(await world.enqueued(delay_seconds=3600))
    pod = await world.running()
    after = await world.store.now_ms()

    assert before <= late.created_at <= after
    assert late.not_before == late.created_at + 3_600_000
    [attempt] = await world.store.attempts(await world.there(pod.job_id))
    assert before <= (attempt.started_at or 0) <= after
    wrong = await shown(world, late.id, pod)
    assert set(right) == set(wrong)
    world.clock.now -= seconds_off
    assert wrong == await shown(world, late.id, pod)


async def shown(world: World, waiting: str, pod: Pod) -> dict[str, bytes]:
    """All that the API says about two jobs, by paths in which the ids are left out."""
    paths = ["/api/v1/jobs", "/api/v1/queues"]
    for job_id in (waiting, pod.job_id):
        paths += [f"/api/v1/jobs/{job_id}", f"/api/v1/jobs/{job_id}/attempts", f"/api/v1/jobs/{job_id}/log"]
    answers = [await world.get(path) for path in paths]
    assert {answer.status_code for answer in answers} == {200}
    return {
        path.replace(waiting, "waiting").replace(pod.job_id, "running"): answer.content
        for path, answer in zip(paths, answers, strict=True)
    }
