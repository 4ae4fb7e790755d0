"""The fixture, in a pytest of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import bgjobs

SHOP = Path(__file__).parents[3] / "examples" / "shop"

JOBS = """
class Mail:
    def send(self, to):
        print(f"mail to {to}")
        if to == "nobody":
            raise LookupError("no such person")
        return {"sent": to}
"""

TESTS = """
import pytest
from bgjobs import JobFailedError, run_background_job
from the_app import Mail

@pytest.mark.parametrize("to", ["ann", "bob"])
def test_one_job_each(background_jobs, to, capsys):
    assert len(background_jobs) == 0
    run_background_job(Mail, "send", [to])
    assert [job.result for job in background_jobs] == [{"sent": to}]
    assert capsys.readouterr().out == f"mail to {to}\\n"

@pytest.mark.background_jobs(raise_errors=False)
def test_failed(background_jobs):
    with pytest.raises(JobFailedError):
        run_background_job(Mail, "send", ["nobody"], max_retries=0).result()

@pytest.mark.background_jobs(run=False)
def test_recorded(background_jobs):
    run_background_job(Mail, "send", ["ann"])
    background_jobs.assert_enqueued(Mail, "send", ["ann"])
    assert background_jobs.last.state == "queued"

def test_shown(background_jobs):
    run_background_job(Mail, "send", ["nobody"])

def test_without():
    run_background_job(Mail, "send", ["ann"])
"""


def run_pytest(folder: Path, *arguments: str) -> str:
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join([str(Path(bgjobs.__file__).parent.parent), str(SHOP), str(folder)]),
        # By its name alone, and with nothing of what else is installed here.
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "bgjobs.testing.plugin",
        "-p",
        "no:cacheprovider",
        "--strict-markers",
    ]
    done = subprocess.run(
        [*command, "-W", "error", *arguments, str(folder)],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("spread", [[], ["-p", "xdist", "-n", "2"]], ids=["one process", "xdist"])
def test_the_fixture_at_work(tmp_path: Path, spread: list[str]) -> None:
    (tmp_path / "the_app.py").write_text(JOBS, encoding="utf-8")
    (tmp_path / "test_it.py").write_text(TESTS, encoding="utf-8")

    said = run_pytest(tmp_path, *spread)

    assert "2 failed, 4 passed" in said
    assert "LookupError: no such person" in said
    assert "test_without - bgjobs.errors.ConfigurationError: no server" in said
    # The way from the test to the job's code is short: what is ours is left out.
    assert "testing/memory.py" not in said


def test_a_run_that_has_no_use_for_it_pays_little() -> None:
    code = "import sys, bgjobs.testing.plugin; print(*sorted({'httpx2', 'pydantic'} & set(sys.modules)))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "\n"
