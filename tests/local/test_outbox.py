"""The outbox of docs/frameworks.md: the row and the job, or neither, whenever the program is killed.

The program is a process of its own with a database in a file; it says when it has come to a place, and stays there
until it is killed with `kill -9`. The server is a real one.
"""

from __future__ import annotations

import importlib
import signal
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker

from bgjobs import JobClient, NotFoundError, with_options
from tests.local.dev_server import environment
from tests.unit.testing.pages import write_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.local.dev_server import Dev

# The program of somebody who has copied the page; it stops where its second argument says.
PROGRAM = """
import sys, threading
from sqlalchemy import create_engine, event
from sqlalchemy.orm import sessionmaker
from bgjobs import JobClient
from web import outbox, with_outbox

def stop(*_):
    print("here", flush=True)
    threading.Event().wait()

engine = create_engine(sys.argv[1])
outbox.Base.metadata.create_all(engine)
sessions, client = sessionmaker(engine), JobClient()
match sys.argv[2]:
    case "before the commit":
        event.listen(sessions, "before_commit", stop)
    case "between commit and call":
        outbox.send = stop
    case "after the call":
        before = client.send
        def send(request):
            before(request)
            stop()  # the server has it, and the note is still there
        client.send = send
    case "sweep":
        print(outbox.sweep(sessions, client))
        sys.exit()
with_outbox.close_month(sessions, client, 2026, 11)
print("done", flush=True)
"""


class Program:
    """It, its database, and its server."""

    def __init__(self, folder: Path, dev: Dev) -> None:
        self.folder = folder
        self.dev = dev
        self.file = folder / "shop.sqlite"
        write_files("frameworks.md", folder, "web/")
        (folder / "program.py").write_text(PROGRAM, encoding="utf-8")

    def start(self, what: str) -> subprocess.Popen[str]:
        path = {"PYTHONPATH": f"{self.folder}:{self.dev.project}"}
        server = {"BGJOBS_URL": self.dev.url, "BGJOBS_TOKEN": self.dev.token}
        words = [sys.executable, self.folder / "program.py", f"sqlite:///{self.file}", what]
        return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment() | path | server)

    def killed_at(self, place: str) -> None:
        with self.start(place) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "here\n"
            process.kill()
            assert process.wait() == -signal.SIGKILL

    def sweep(self) -> int:
        """How many notes are left, as it says."""
        with self.start("sweep") as process:
            said, _ = process.communicate()
        assert process.returncode == 0
        return int(said)

    def rows(self, table: str) -> list[dict[str, Any]]:
        with sqlite3.connect(self.file) as connection:
            connection.row_factory = sqlite3.Row
            found = [dict(row) for row in connection.execute(f"SELECT * FROM {table}")]  # noqa: S608 - ours
        connection.close()
        return found

    def jobs(self) -> list[str]:
        """Ids of all jobs of the server."""
        return [job.id for job in self.dev.client.list(limit=200).items]


@pytest.fixture
def program(tmp_path: Path, dev: Dev) -> Program:
    return Program(tmp_path, dev)


def test_killed_before_the_commit(program: Program) -> None:
    before = program.jobs()

    program.killed_at("before the commit")

    assert program.rows("months") == program.rows("outgoing_jobs") == []
    assert program.sweep() == 0
    assert program.jobs() == before


@pytest.mark.parametrize("place", ["between commit and call", "after the call"])
def test_killed_after_the_commit(program: Program, place: str) -> None:
    before = program.jobs()

    program.killed_at(place)

    (month,), (note,) = program.rows("months"), program.rows("outgoing_jobs")
    assert month["job_id"] == note["id"]
    if place == "between commit and call":
        with pytest.raises(NotFoundError):
            program.dev.client.get(month["job_id"])
    else:
        assert program.dev.client.get(month["job_id"]).id == month["job_id"]

    # Several at once, and then one more.
    sweeps = [program.start("sweep") for _ in range(2)]
    assert {one.communicate()[0] for one in sweeps} == {"0\n"}
    assert program.sweep() == 0

    assert program.rows("outgoing_jobs") == []
    assert [one for one in program.jobs() if one not in before] == [month["job_id"]]
    assert program.dev.client.handle(month["job_id"]).result(60)["invoices"] == 5
    assert len(program.dev.client.attempts(month["job_id"])) == 1


def test_nobody_kills_it(program: Program) -> None:
    with program.start("") as process:
        assert process.communicate()[0] == "done\n"

    (month,) = program.rows("months")
    assert program.rows("outgoing_jobs") == []
    assert program.dev.client.handle(month["job_id"]).result(60)["invoices"] == 5


@pytest.fixture
def here(program: Program, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The module of the page, in this process."""
    monkeypatch.setattr(sys, "path", [str(program.folder), str(program.dev.project), *sys.path])
    yield importlib.import_module("web.outbox")
    for name in [one for one in sys.modules if one.partition(".")[0] in {"web", "shop"}]:
        del sys.modules[name]


def test_what_the_server_does_not_take_holds_up_nothing_else(program: Program, here: Any) -> None:
    """Such a note says why, and the others are sent."""
    render = importlib.import_module("shop.jobs").Invoices.render
    engine = create_engine(f"sqlite:///{program.file}")
    here.Base.metadata.create_all(engine)
    sessions = sessionmaker(engine)
    with sessions.begin() as session:
        refused = here.write(session, render, 2026, 11, options=with_options(queue="missing"))
        taken = here.write(session, render, 2026, 11, options=with_options(delay=3600, labels={"team": "billing"}))

    away = JobClient("http://127.0.0.1:1", "", call_seconds=0.2)
    assert here.sweep(sessions, away) == 2
    assert here.sweep(sessions, program.dev.client) == 1

    (note,) = program.rows("outgoing_jobs")
    assert note["id"] == refused
    assert "missing" in note["problem"]
    job = program.dev.client.get(taken)
    assert (job.state, job.delay_seconds, job.labels) == ("scheduled", 3600, {"team": "billing"})
    program.dev.client.cancel(taken)
    engine.dispose()
