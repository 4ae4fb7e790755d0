"""What programs and the command see of real jobs: typed calls, keys, results of every kind, a full queue."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx2
import pytest

from bgjobs.ids import key_job_id
from tests.local.dev_server import NAMESPACE, environment

if TYPE_CHECKING:
    from tests.local.dev_server import Dev

PROGRAM = """
import asyncio, copy, pickle
from bgjobs import ConflictError, aenqueue, enqueue, with_options
from shop.jobs import Invoices

print(enqueue(Invoices.render, 2026, 11, country="at").result(timeout=120)["folder"])
print(asyncio.run(aenqueue(Invoices.render, 2026, month=12)).state)

november = with_options(key="invoices-2026-11", priority=1, timeout=60)
first = november.enqueue(Invoices.render, 2026, 11)
again = pickle.loads(pickle.dumps(november.enqueue(Invoices.render, 2026, 11)))
print(first.id, again.id, copy.deepcopy(again).result(timeout=120)["invoices"])
try:
    november.enqueue(Invoices.render, 2026, 10)
except ConflictError as error:
    print(error.code)
"""


def test_a_program_with_typed_calls_and_a_key(dev: Dev) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM],
        cwd=dev.project, env=environment(), check=False, capture_output=True, text=True,
    )  # fmt: skip

    assert done.stderr == ""
    # The namespace is that of the server, which the program does not know.
    there = key_job_id(NAMESPACE, "invoices-2026-11")
    assert done.stdout.splitlines() == ["invoices/at/2026/11", "queued", f"{there} {there} 5", "id_taken"]


def bgjobs(dev: Dev, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """The command, started in the project's folder."""
    return subprocess.run(
        [sys.executable, "-m", "bgjobs.cli", *words],
        cwd=dev.project, env={**environment(), **environ}, check=False, capture_output=True, text=True,
    )  # fmt: skip


def test_the_result_of_a_job_that_returned_none(dev: Dev) -> None:
    job = dev.client.enqueue("nasty.jobs.Nasty", "deaf", [0]).wait(timeout=120, poll=0.1)

    done = bgjobs(dev, "result", job.id)

    assert (done.returncode, done.stdout, done.stderr) == (0, "null\n", "")


def test_a_result_that_the_terminal_cannot_show(dev: Dev) -> None:
    job = dev.client.enqueue("shop.jobs.Invoices", "render", [2026, 11, "\U0001f389"]).wait(timeout=120, poll=0.1)

    done = bgjobs(dev, "result", job.id, PYTHONIOENCODING="ascii")

    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["folder"] == "invoices/\U0001f389/2026/11"


def test_a_job_in_a_full_queue_says_why_it_waits(dev: Dev) -> None:
    first = dev.client.enqueue("shop.jobs.Orders", "hold", [600], queue="single")
    next(first.logs(follow=True))
    second = dev.client.enqueue("shop.jobs.Orders", "hold", [600], queue="single")
    try:
        words = "The queue single is full: 1 of 1 slots are taken, 1 job waits."
        assert f"reason:     {words}\n" in bgjobs(dev, "show", second.id).stdout
        assert words in bgjobs(dev, "list", "--queue", "single").stdout
    finally:
        second.cancel()
        first.cancel()
    assert first.wait(timeout=120).state == "cancelled"


def test_without_retries_nothing_is_retried(dev: Dev) -> None:
    done = bgjobs(dev, "run", "shop.jobs.Flaky.until_attempt", "[9]", "--max-retries", "0", "--wait")

    assert done.returncode == 1
    assert "retrying" not in done.stderr


def test_a_package_needs_no_file_of_its_own(dev: Dev) -> None:
    assert bgjobs(dev, "run", "acme.billing.jobs.Billing.send", "[7]", "--wait").returncode == 0


def test_a_function_is_a_job(dev: Dev) -> None:
    done = bgjobs(dev, "run", "acme.billing.jobs.remind", "[7]", "--wait", "-o", "json")
    assert done.returncode == 0, done.stderr
    job = json.loads(done.stdout)
    assert (job["class"], job["method"], job["attempt"]) == ("acme.billing.jobs", "remind", 1)
    assert dev.client.result(job["id"]) == "customer 7 has 14 days"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("acme.billing.jobs.remnid", "the module acme.billing.jobs has no function 'remnid'; did you mean remind?"),
        ("acme.biling.jobs.remind", "there is no module acme.biling; did you mean billing?"),
        ("acme.billing.jobs.Biling.send", "acme.billing.jobs has no class Biling; did you mean Billing?"),
    ],
)
def test_a_name_that_leads_nowhere(dev: Dev, call: str, words: str) -> None:
    done = bgjobs(dev, "run", call, "[7]", "--wait")

    assert done.returncode == 1
    assert words in done.stderr
    assert "attempt 2" not in done.stderr


def test_who_is_not_approved_is_told_where_code_was_looked_for(dev: Dev) -> None:
    done = bgjobs(dev, "run", "elsewhere.jobs.Mail.send")

    assert done.returncode != 0
    assert f"the packages that it finds in {dev.project} (there are: acme, nasty, shop)" in done.stderr


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/jobs", "/queues", "/api/v1/jobs"])
def test_head(dev: Dev, path: str) -> None:
    response = httpx2.head(f"{dev.url}{path}", headers=dev.headers, trust_env=False)

    assert (response.status_code, response.content) == (200, b"")
