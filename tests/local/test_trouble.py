"""What can go wrong around `bgjobs dev`, and what it makes of it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bgjobs.vocabulary import Outcome, State
from tests.local.dev_server import Dev, environment, of_project, wait_until
from tests.local.test_start_and_end import running, sleepers

if TYPE_CHECKING:
    from pathlib import Path


def dev_fails(*arguments: str | Path, code: int = 2, cwd: Path | None = None) -> str:
    """What `bgjobs dev` says that cannot run, in one line."""
    command = [sys.executable, "-m", "bgjobs.cli", "dev", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), cwd=cwd, timeout=180, check=False)
    assert done.returncode == code, done.stderr
    assert "a bug in bgjobs" not in done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--redis-server", "nobody"], "--redis-server nobody: there is no such program"),
        (["--python", "nobody"], "--python nobody: there is no such program"),
        (["--redis-url", "redis://127.0.0.1:1/0"], "Redis does not answer"),
        (["--max-concurrent", "0"], "--max-concurrent"),
    ],
    ids=["server", "python", "redis", "concurrency"],
)
def test_what_it_cannot_run_with_is_said_in_a_line(tmp_path: Path, options: list[str], words: str) -> None:
    assert words in dev_fails(tmp_path, *options)


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        assert f"port {number} is taken" in dev_fails(tmp_path, "--port", str(number))


def test_a_file_of_queues_that_is_not_good(tmp_path: Path) -> None:
    (tmp_path / "q.yaml").write_text("kind: BackgroundJobQueue\nmetadata: {name: a}\nspec: {maxConcurrent: many}\n")
    assert "q.yaml: BackgroundJobQueue a: spec.maxConcurrent" in dev_fails(tmp_path, "-f", tmp_path / "q.yaml")


def test_data_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "give --data another folder" in dev_fails(tmp_path, "--data", tmp_path / "file" / "data")


def test_ctrl_c_while_it_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        process = subprocess.Popen(
            [sys.executable, "-m", "bgjobs.cli", "dev", tmp_path, "--redis-url", url],
            env=environment(),
            start_new_session=True,
        )
        connection, _ = silent.accept()  # it has got as far as this
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=120) == 0
        connection.close()


def test_a_terminal_that_is_closed(project: Path) -> None:
    ours, theirs = os.openpty()
    dev = Dev.start(project, "--fast-retries", "--max-concurrent", "2", output=theirs)
    os.close(theirs)
    handles = sleepers(dev, 2, 600, max_retries=0)
    wait_until("both run", lambda: running(handles) == 2)
    os.close(ours)  # from now on writing is an error
    assert dev.stop(signal.SIGHUP) == 0
    dev = Dev.start(project, "--fast-retries", "--max-concurrent", "2")
    for handle in handles:
        assert dev.client.handle(handle.id).wait(timeout=120, poll=0.1).state == State.SUCCEEDED
        assert [one.outcome for one in dev.client.attempts(handle.id)] == [Outcome.DISRUPTED, Outcome.SUCCEEDED]
    assert dev.stop() == 0


def test_a_terminal_that_stands_still(project: Path) -> None:
    out, into = os.pipe()
    dev = Dev.start(project, output=into)
    os.close(into)
    job = dev.run("flood", [20])
    assert job.state == State.SUCCEEDED
    assert dev.stop() == 0
    os.close(out)


def test_queues_of_other_namespaces(project: Path) -> None:
    """Jobs of an earlier run end, whatever namespace that had; a new namespace is for the next start."""
    dev = Dev.start(project)
    left = dev.client.enqueue("nasty.jobs.Nasty", "sleep_once", [600], max_retries=5)
    wait_until("it runs", lambda: running([left]) == 1)
    assert dev.stop() == 0
    again = Dev.start(project, "--fast-retries", "-n", "other")
    assert again.client.handle(left.id).wait(timeout=120, poll=0.1).state == State.SUCCEEDED
    with (project / "queues.yaml").open("a") as file:
        file.write("---\nkind: BackgroundJobQueue\nmetadata: {name: q, namespace: third}\nspec: {}\n")
    wait_until("it says so", lambda: "queue third/q is in a namespace that had no queue" in again.output)
    assert again.stop() == 0


def test_a_folder_that_cannot_be_written_for_a_while(project: Path) -> None:
    dev = Dev.start(project, "--fast-retries", "--max-concurrent", "2")
    handle = dev.client.enqueue("nasty.jobs.Nasty", "sleep", [0.5], max_retries=0)
    wait_until("it runs", lambda: running([handle]) == 1)
    folder = project / ".bgjobs/kubejobs"
    away = folder.with_name("away")
    folder.rename(away)
    folder.touch()  # a file: nothing can be written in it, even by root
    waiting = dev.client.enqueue("nasty.jobs.Nasty", "sleep", [0], max_retries=0)
    wait_until("it says so", lambda: "cannot be written" in dev.output)
    assert handle.wait(timeout=120, poll=0.1).state == State.SUCCEEDED
    folder.unlink()
    away.rename(folder)
    assert waiting.wait(timeout=120, poll=0.1).state == State.SUCCEEDED
    assert dev.stop() == 0


def test_a_variable_that_cannot_be_one_fails_its_job_alone(project: Path) -> None:
    with (project / "queues.yaml").open("a") as file:
        file.write(
            "---\nkind: BackgroundJobQueue\nmetadata: {name: odd}\n"
            'spec: {approvedClasses: ["nasty.*"], pod: {env: [{name: "A=B", value: c}]}}\n'
        )
    dev = Dev.start(project)
    job = dev.run("binary", queue="odd")
    assert (job.state, job.outcome) == (State.FAILED, Outcome.REJECTED)
    assert "'A=B' cannot be a variable" in (job.reason or "")
    assert dev.run("binary").state == State.SUCCEEDED
    assert dev.stop() == 0


@pytest.mark.parametrize("name", ["c# tools", "what?", "50%25 off", "größe 'und' \"mehr\""])
def test_folders_of_any_name(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    output = tmp_path / "output"
    with output.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "bgjobs.cli", "dev", "--hello"],
            cwd=folder,
            env=environment(),
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    wait_until("the example has run", lambda: "succeeded" in output.read_text() or process.poll() is not None)
    assert process.poll() is None, output.read_text()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=120) == 0


def test_files_of_the_project_do_not_stand_in_for_the_runners(project: Path) -> None:
    source = project / "src"
    source.mkdir()
    for name in ("http", "json", "ssl", "bgjobs"):
        (source / f"{name}.py").write_text("raise ImportError('of the project')\n")
    dev = Dev.start(project, "--fast-retries")
    wait_until("it warns", lambda: "json in" in dev.output and "hides Python's own module" in dev.output)
    job = dev.run("binary", max_retries=0)
    # The job's own process gets what the folder holds, and says so; the supervisor has told of it.
    assert (job.state, job.attempt) == (State.FAILED, 1)
    assert "of the project" in dev.client.logs(job.id)
    assert dev.stop() == 0


def test_an_interpreter_by_a_relative_path(project: Path) -> None:
    (project / "bin").mkdir()
    link = project / "bin/python"
    link.symlink_to(sys.executable)
    environ = {**environment(), "PYTHONPATH": os.pathsep.join(sys.path)}
    output = project / "relative.txt"
    with output.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "bgjobs.cli", "dev", "project", "--hello", "--python", "project/bin/python"],
            cwd=project.parent,
            env=environ,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    wait_until("the example has run", lambda: "succeeded" in output.read_text())
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=120) == 0


def test_nobody_else_can_read_the_data(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o755)
    project = tmp_path / "project"
    project.mkdir()
    (project / "mask.py").write_text(
        "import os\n\n\nclass Mask:\n    def run(self):\n        old = os.umask(0o77)\n        return old\n"
    )
    shutil.copy(os.path.join(os.path.dirname(__file__), "app/queues.yaml"), project)  # noqa: PTH118, PTH120
    before = os.umask(0o022)
    try:
        dev = Dev.start(project, "--data", str(data))
    finally:
        os.umask(before)
    assert dev.client.enqueue("mask.Mask", "run").result(timeout=120) == 0o022
    assert dev.stop() == 0
    open_to_others = [path for path in data.rglob("*") if path.stat().st_mode & 0o077 and not path.is_socket()]
    assert open_to_others == []
    wait_until("nothing is left", lambda: not of_project(project))
