"""`kubectl bgjobs` against the cluster of the current context, with nothing else set up for it."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from installation import SHOP, SYSTEM, kubectl
from tests.cluster import terminal

if TYPE_CHECKING:
    from pathlib import Path

    from bgjobs import JobClient


class Kubectl(Protocol):
    """Runs `kubectl bgjobs`; gives what it has printed, and asserts its exit code."""

    def __call__(self, *arguments: str, code: int = 0) -> str: ...


@pytest.fixture
def kubectl_bgjobs(address: str, tmp_path: Path) -> Kubectl:
    """As somebody has it who has a kubeconfig, kubectl, and the command installed."""
    assert address
    environment = terminal.environment(tmp_path)

    def run(*arguments: str, code: int = 0) -> str:
        done = subprocess.run(
            ["kubectl", "bgjobs", "-n", SHOP, *arguments],
            capture_output=True,
            text=True,
            env=environment,
            check=False,
            timeout=300,
        )
        assert done.returncode == code, done.stderr
        return done.stdout if code == 0 else done.stderr

    return run


def test_a_job_by_kubectl_alone(kubectl_bgjobs: Kubectl, client: JobClient) -> None:
    job_id = kubectl_bgjobs("run", "shop.jobs.Invoices", "render", "[2026, 11]", "--wait").strip()
    assert client.get(job_id).created_by == f"system:serviceaccount:{SHOP}:bgjobs-cli"
    shown: dict[str, Any] = json.loads(kubectl_bgjobs("show", job_id[-8:], "-o", "json"))
    assert (shown["id"], shown["state"]) == (job_id, "succeeded")
    assert kubectl_bgjobs("logs", "last").startswith("invoice DE-2026-11-0001 rendered\n")
    assert job_id in kubectl_bgjobs("list", "--state", "succeeded", "-o", "name").split()
    assert "default" in kubectl_bgjobs("queues")

    again = kubectl_bgjobs("rerun", job_id, "--wait").strip()
    assert client.get(again).rerun_of == job_id


def test_what_fails_is_its_exit_code(kubectl_bgjobs: Kubectl) -> None:
    kubectl_bgjobs("run", "shop.jobs.Payments", "charge", "[42]", "--max-retries", "0", "--wait", code=1)
    assert "approved" in kubectl_bgjobs("run", "os.path", "join", code=2)
    assert "no job" in kubectl_bgjobs("show", "01a20f56-bbe6-7448-a0f3-fc2cf1fe7383", code=3)


def test_a_running_job_is_cancelled(kubectl_bgjobs: Kubectl, client: JobClient) -> None:
    job_id = kubectl_bgjobs("run", "shop.jobs.Orders", "hold", "[600]").strip()
    kubectl_bgjobs("cancel", job_id, "--note", "no longer wanted")
    job = client.handle(job_id).wait(timeout=180)
    assert (job.state, job.note) == ("cancelled", "no longer wanted")


def test_somebody_with_edit_alone_is_let_in_by_the_line_that_is_printed(address: str, tmp_path: Path) -> None:
    assert address
    for namespace, name in ((SHOP, "dora-edits"), (SYSTEM, "bgjobs-command")):
        kubectl("delete", "rolebinding", name, "-n", namespace, "--ignore-not-found")
    kubectl("create", "rolebinding", "dora-edits", "-n", SHOP, "--clusterrole=edit", "--user=dora")
    environment = terminal.environment(tmp_path, kubectl_flags="--as=dora")

    def run(command: str) -> subprocess.CompletedProcess[str]:
        words = shlex.split(command)
        return subprocess.run(words, capture_output=True, text=True, env=environment, check=False)

    refused = run(f"bgjobs list -n {SHOP}")
    assert refused.returncode == 4, refused.stderr
    (line,) = re.findall(r"; an administrator can allow it with:\n  (kubectl .*)\n", refused.stderr)
    kubectl(*shlex.split(line)[1:])

    assert run(f"bgjobs list -n {SHOP}").returncode == 0
    assert run(f"bgjobs doctor -n {SHOP}").returncode == 0
    asked = run(f"bgjobs run shop.jobs.Invoices render '[2026, 11]' -n {SHOP} --wait")
    assert asked.returncode == 0, asked.stderr
    elsewhere = run(f"bgjobs list -n {SYSTEM}")
    assert elsewhere.returncode != 0, "edit in one namespace is no right in another"
    kubectl("delete", "rolebinding", "dora-edits", "-n", SHOP)
    kubectl("delete", "rolebinding", "bgjobs-command", "-n", SYSTEM)
