"""`run_background_job`, in real processes against a real socket."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import bgjobs
from bgjobs import InvalidJobError, run_background_job
from bgjobs.client import helper

from .api import Api

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPT = """
import os
from bgjobs import run_background_job
first = run_background_job("shop.jobs.Mail", "send", ["parent"], 1, 60, queue="mail")
pid = os.fork()
if pid == 0:
    run_background_job("shop.jobs.Mail", "send", ["child"])
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
run_background_job("shop.jobs.Mail", "send", ["parent again"])
print(first.state)
"""


@pytest.fixture
def api() -> Iterator[Api]:
    made = Api()
    yield made
    made.close()


def test_a_program_and_its_fork_have_a_connection_each(api: Api) -> None:
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path(bgjobs.__file__).parent.parent),
        "BGJOBS_URL": api.url,
    }

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT], env=environ, check=False, capture_output=True, text=True
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "queued\n", "")
    (parent, first), (child, second), (again, third) = api.bodies
    assert parent == again != child
    assert [body["parameters"] for body in (first, second, third)] == [["parent"], ["child"], ["parent again"]]
    assert (first["priority"], first["delay_seconds"], first["queue"]) == (1, 60, "mail")


def test_threads_share_one_client(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BGJOBS_URL", api.url)
    # A laptop's proxy does not matter to a local server.
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    clients: set[int] = set()
    barrier = threading.Barrier(8)

    def ask(number: int) -> None:
        barrier.wait()
        run_background_job("shop.jobs.Mail", "send", [number])
        clients.add(id(helper.default_client()))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    helper.close_default_client()

    assert sorted(body["parameters"][0] for _, body in api.bodies) == list(range(8))
    assert len(clients) == 1


def test_a_wrong_option_is_refused_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BGJOBS_URL", "http://127.0.0.1:1")
    options: dict[str, Any] = {"retries": 3}

    with pytest.raises(InvalidJobError, match="there is no option 'retries'; did you mean max_retries") as caught:
        run_background_job("shop.jobs.Mail", "send", **options)

    helper.close_default_client()
    assert caught.value.field == "retries"


def test_the_package_names_what_it_has() -> None:
    assert set(bgjobs.__all__) <= set(dir(bgjobs))
    assert all(getattr(bgjobs, name) for name in bgjobs.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'run_job'"):
        bgjobs.run_job  # noqa: B018 # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnusedExpression]
