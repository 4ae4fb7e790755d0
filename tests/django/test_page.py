"""The example of docs/frameworks.md, from the request to the result, and what its job's process does."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from django.test import Client

from tests.django.conftest import finished
from tests.local.dev_server import wait_until

if TYPE_CHECKING:
    from orders.models import Order

    from bgjobs.testing import RecordedJobs
    from tests.local.dev_server import Dev


def test_an_order(anywhere: str, orders: type[Order]) -> None:
    web = Client()
    order = web.post("/buy/ann").json()["order"]
    said: dict[str, Any] = {}

    def confirmed() -> bool:
        said.update(web.get(f"/orders/{order}").json())
        return bool(said["status"] == "SUCCESSFUL")

    wait_until("the order is confirmed", confirmed)
    assert said == {"status": "SUCCESSFUL", "said": "ann, de", "attempts": 1}
    assert orders.objects.get(pk=order).confirmation


def test_a_task_with_its_context(anywhere: str) -> None:
    remind = importlib.import_module("orders.tasks").remind
    result = finished(remind.enqueue("ann"))

    assert result.return_value == "reminder 1 to ann"


def test_the_job_of_it(jobs: RecordedJobs) -> None:
    importlib.import_module("orders.tasks").confirm.enqueue(1, language="de")

    job = jobs.last
    assert (job.cls, job.method, job.parameters) == ("orders.tasks", "confirm", {"*": [1], "language": "de"})


def test_signals_in_the_process_of_the_job(dev: Dev, tasks: Any) -> None:
    """`django.tasks` logs them, into the log of the job; the last word comes once, when all attempts have ended."""
    job = dev.client.handle(tasks.own_error.enqueue().id)
    job.wait(60)
    logs = [job.logs(number) for number in range(1, 4)]

    assert [log.count("state=RUNNING") for log in logs] == [1] * 3
    assert [log.count("state=FAILED") for log in logs] == [0, 0, 1]
    assert "state=SUCCESSFUL" in _log_of(dev, tasks.meaning)


def _log_of(dev: Dev, task: Any) -> str:
    job = dev.client.handle(task.enqueue().id)
    job.wait(60)
    return job.logs()


def test_a_class_of_a_django_project(dev: Dev, orders: type[Order]) -> None:
    """It has models, because the environment names settings."""
    orders.objects.create(customer="bob")

    assert dev.client.enqueue("contract.tasks.Orders", "count").result(60) >= 1
