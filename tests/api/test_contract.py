"""The real client and the real runner against the real API: they were written apart from each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bgjobs.client.async_job_client import AsyncJobClient
from bgjobs.client.job_client import JobClient
from bgjobs.errors import ConflictError, ForbiddenError, InvalidJobError, JobFailedError, NotFoundError
from bgjobs.vocabulary import Outcome, State
from tests.api.live import LiveApi
from tests.api.real_pod import RealPod
from tests.api.world import service_account

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

CODE = """
import os
from bgjobs import current_job

class Greeter:
    def greet(self, name, day=None):
        print(f"hello {name}")
        current_job().progress(1, 2, "half")
        print("line\\u2028separator")
        return {"greeted": name, "day": day, "big": 2**63 - 1}

    def fail(self):
        raise ValueError("no good")

    def copy(self, rows, breaks_at):
        job = current_job()
        first = (job.checkpointed or {"row": 0})["row"]
        for row in range(first, rows):
            if (row, job.attempt) == (breaks_at, 1):
                os._exit(1)
            job.checkpoint({"row": row + 1})
        return {"from": first, "to": rows}
"""


@pytest.fixture(scope="module")
def api() -> Iterator[LiveApi]:
    """One server for all tests of this file."""
    live = LiveApi()
    live.put_queue(approved_classes=["jobs_of_a_test.*"])
    live.authenticator.tokens["program"] = service_account("shop", "web")
    yield live
    live.close()


@pytest.fixture
def client(api: LiveApi, monkeypatch: pytest.MonkeyPatch) -> Iterator[JobClient]:
    """As a program in the namespace shop has it."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with JobClient(api.url, "program", retry_seconds=0) as made:
        yield made


def run_pod(api: LiveApi, job_id: str, folder: Path, suffix: str = "abcde") -> subprocess.CompletedProcess[str]:
    """Run the supervisor as in a pod, until it ends."""
    pod = RealPod(job_id, folder, suffix)
    token = f"pod-{pod.name}"
    api.authenticator.tokens[token] = service_account("shop", "default", pod.name, pod.uid)
    return pod.run(api.url, token, CODE)


def test_a_job_from_call_to_result(api: LiveApi, client: JobClient, tmp_path: Path) -> None:
    handle = client.enqueue("jobs_of_a_test.Greeter", "greet", {"name": "zoë", "day": None}, priority=1)
    assert handle.state == State.QUEUED
    api.launch(handle.id, "kube-uid")
    pod = run_pod(api, handle.id, tmp_path)
    assert pod.returncode == 0, pod.stderr
    assert handle.result(timeout=60) == {"greeted": "zoë", "day": None, "big": 2**63 - 1}
    assert handle.job.progress is not None
    assert (handle.job.progress.done, handle.job.progress.message) == (1, "half")
    assert handle.logs() == "hello zoë\nline\u2028separator\n"
    assert "".join(handle.logs(follow=True)) == handle.logs()
    (attempt,) = client.attempts(handle.id)
    assert (attempt.outcome, attempt.exit_code) == (Outcome.SUCCEEDED, 0)
    assert [job.id for job in client.list(state="succeeded", class_="jobs_of_a_test.Greeter").items] == [handle.id]


def test_an_error_closes_the_attempt_with_its_traceback(api: LiveApi, client: JobClient, tmp_path: Path) -> None:
    handle = client.enqueue("jobs_of_a_test.Greeter", "fail")
    api.launch(handle.id, "kube-uid")
    assert run_pod(api, handle.id, tmp_path).returncode == 1
    (attempt,) = client.attempts(handle.id)
    assert attempt.outcome == Outcome.ERROR
    assert attempt.error is not None
    assert (attempt.error.type, attempt.error.message) == ("ValueError", "no good")
    assert "jobs_of_a_test.py" in (attempt.error.traceback or "")
    api.run(
        api.store.observe_end(
            job_id=handle.id, kube_uid="kube-uid", what="failed", outcome=Outcome.ERROR, reason="BackoffLimitExceeded"
        )
    )
    with pytest.raises(JobFailedError, match="ValueError: no good"):
        handle.result(timeout=60)


def test_the_next_pod_goes_on_where_the_last_one_was(api: LiveApi, client: JobClient, tmp_path: Path) -> None:
    handle = client.enqueue("jobs_of_a_test.Greeter", "copy", [100_000, 41_000])
    api.launch(handle.id, "kube-uid")
    assert run_pod(api, handle.id, tmp_path).returncode == 1
    job = handle.refresh()
    assert (job.has_checkpoint, job.checkpoint) == (True, {"row": 41_000})
    pod = run_pod(api, handle.id, tmp_path, "fghij")
    assert pod.returncode == 0, pod.stderr
    assert handle.result(timeout=60) == {"from": 41_000, "to": 100_000}
    assert (handle.refresh().has_checkpoint, handle.job.checkpoint) == (False, None)


def test_a_stray_pod_runs_nothing(api: LiveApi, client: JobClient, tmp_path: Path) -> None:
    handle = client.enqueue("jobs_of_a_test.Greeter", "greet", ["a"])
    api.launch(handle.id, "another-kube-uid")
    pod = run_pod(api, handle.id, tmp_path)
    assert pod.returncode == 64
    assert "hello" not in pod.stdout
    assert handle.refresh().attempt == 0


def test_a_method_that_is_not_there_is_rejected(api: LiveApi, client: JobClient, tmp_path: Path) -> None:
    handle = client.enqueue("jobs_of_a_test.Greeter", "nothing")
    api.launch(handle.id, "kube-uid")
    assert run_pod(api, handle.id, tmp_path).returncode == 64
    assert (handle.refresh().state, handle.job.outcome) == (State.FAILED, Outcome.REJECTED)


def test_refusals_are_the_clients_own_exceptions(api: LiveApi, client: JobClient) -> None:
    with pytest.raises(InvalidJobError, match="approvedClasses") as caught:
        client.enqueue("os.Thing", "system")
    assert caught.value.field == "class"
    with pytest.raises(NotFoundError):
        client.get("0192f0c1-2a3b-7c4d-8e5f-001122334455")
    handle = client.enqueue("jobs_of_a_test.Greeter", "greet", ["a"], delay=60)
    with pytest.raises(ConflictError):
        client.enqueue("jobs_of_a_test.Greeter", "greet", ["b"], id=handle.id)
    with pytest.raises(ConflictError):
        client.result(handle.id)
    assert handle.cancel("not needed").state == State.CANCELLED
    with JobClient(api.url, "nobody", retry_seconds=0) as stranger, pytest.raises(ForbiddenError):
        stranger.get(handle.id)


def test_asking_again_with_the_same_id_is_asking_once(client: JobClient) -> None:
    first = client.enqueue("jobs_of_a_test.Greeter", "greet", ["a"], delay=60)
    assert client.enqueue("jobs_of_a_test.Greeter", "greet", ["a"], delay=60, id=first.id).id == first.id


async def test_queues_with_their_load(api: LiveApi, client: JobClient) -> None:
    client.enqueue("jobs_of_a_test.Greeter", "greet", ["Ada"], delay=3600)
    [queue] = client.queues("shop")
    assert (queue.name, queue.approved_classes, queue.paused) == ("default", ["jobs_of_a_test.*"], False)
    async with AsyncJobClient(api.url, "program", retry_seconds=0) as asynchronous:
        assert [one.name for one in await asynchronous.queues("shop")] == ["default"]
    assert client.queues("mail") == []
