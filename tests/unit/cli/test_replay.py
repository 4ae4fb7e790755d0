"""The command `replay`: the call of a job that a server has, made here."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.cli.fakes import JOB_ID, JOBS, OTHER_ID, job, problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.unit.cli.fakes import FakeApi, Terminal

ONE = f"{JOBS}/{JOB_ID}"
CODE = """
import bdb
import sys
from bgjobs import Abort, current_job


class Replayed:
    def render(self, year, month=11):
        job = current_job()
        job.progress(1, 2, "half")
        job.checkpoint({"row": 2})
        print("rendering", year, month)
        return [job.id, job.attempt, job.namespace, job.checkpointed, job.parameters, sys.argv]

    async def later(self):
        return "later"

    def fail(self):
        amount = 7
        raise ValueError("no stock")

    def abort(self):
        raise Abort("withdrawn")

    def asks(self):
        return input("how many? ")

    def breaks(self):
        number = 41
        breakpoint()
        return number

    def leaves(self):
        raise bdb.BdbQuit

    def interrupted(self):
        raise KeyboardInterrupt

    def reads(self):
        (parent,) = current_job().parents.values()
        return parent.result()

    def reads_batch(self):
        (batch,) = current_job().parents.batches
        return [batch.counts, batch.result()]
"""


@pytest.fixture(autouse=True)
def app(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    package = terminal.folder / "src" / "replayed_app"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "jobs.py").write_text(CODE)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield
    for name in ("replayed_app", "replayed_app.jobs"):
        sys.modules.pop(name, None)


def there(api: FakeApi, method: str, *parameters: Any, **changes: Any) -> None:
    shown = {"class": "replayed_app.jobs.Replayed", "method": method, "parameters": list(parameters), **changes}
    api.on("GET", ONE, job(**shown))


def test_the_call_is_made_here_and_nothing_is_sent(terminal: Terminal, api: FakeApi) -> None:
    there(api, "render", 2026, attempt=3, state="failed", checkpoint={"row": 1}, has_checkpoint=True)
    before = sys.argv[:]

    ran = terminal.run("replay", JOB_ID)

    assert ran.code == 0, ran.err
    assert ran.text == "rendering 2026 11\n"
    assert f"replayed_app.jobs.Replayed.render of job {JOB_ID} runs here" in ran.err
    assert 'progress: {"done": 1, "total": 2, "message": "half"}' in ran.err
    assert 'checkpoint, which nobody keeps: {"row":2}' in ran.err
    result = f'["{JOB_ID}", 3, "shop", {{"row": 1}}, [2026], ["replayed_app.jobs.Replayed.render"]]'
    assert f"s: {result}" in ran.err
    assert sys.argv == before
    assert {one.method for one in api.requests} == {"GET"}


def test_an_async_method(terminal: Terminal, api: FakeApi) -> None:
    there(api, "later")

    ran = terminal.run("replay", JOB_ID)

    assert (ran.code, '"later"' in ran.err) == (0, True)


@pytest.mark.parametrize(
    ("method", "words"),
    [("fail", "error after 0.0 s: ValueError: no stock"), ("abort", "aborted after 0.0 s: Abort: w")],
)
def test_a_call_that_fails(terminal: Terminal, api: FakeApi, method: str, words: str) -> None:
    there(api, method)

    ran = terminal.run("replay", JOB_ID)

    assert ran.code == 1
    assert words in ran.err
    assert f"in {method}\n" in ran.err
    assert "bgjobs/runner" not in ran.err


def test_with_pdb_the_debugger_opens_where_it_was_raised(
    terminal: Terminal, api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    there(api, "fail")
    monkeypatch.setattr(sys, "stdin", io.StringIO("p amount * 6\nq\n"))

    ran = terminal.run("replay", JOB_ID, "--pdb")

    assert ran.code == 1
    assert "(Pdb) 42" in ran.text


def test_a_breakpoint_works(terminal: Terminal, api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    there(api, "breaks")
    reached: list[int] = []
    monkeypatch.setattr(sys, "breakpointhook", lambda: reached.append(1))  # pytest puts one of its own there

    ran = terminal.run("replay", JOB_ID)

    assert (ran.code, reached) == (0, [1])


def test_who_leaves_the_debugger_breaks_off_the_call(terminal: Terminal, api: FakeApi) -> None:
    there(api, "leaves")

    ran = terminal.run("replay", JOB_ID, "--pdb")

    assert ran.code == 1
    assert ran.err.splitlines()[-1] == "bgjobs: the call was broken off in the debugger"
    assert "terminal" not in ran.err


def test_so_does_a_question(terminal: Terminal, api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    there(api, "asks")
    monkeypatch.setattr(sys, "stdin", io.StringIO("7\n"))

    ran = terminal.run("replay", JOB_ID)

    assert (ran.code, ': "7"' in ran.err) == (0, True)


def test_ctrl_c_ends_it(terminal: Terminal, api: FakeApi) -> None:
    there(api, "interrupted")

    ran = terminal.run("replay", JOB_ID, "--pdb")

    assert (ran.code, "Traceback" in ran.err) == (130, False)


def test_what_its_parents_returned(terminal: Terminal, api: FakeApi) -> None:
    parent = {"id": OTHER_ID, "state": "succeeded", "outcome": "succeeded", "has_result": True}
    there(api, "reads", parents=[parent], needs=1)
    api.on("GET", f"{JOBS}/{OTHER_ID}", job(id=OTHER_ID, state="succeeded", has_result=True))
    api.on("GET", f"{JOBS}/{OTHER_ID}/result", {"value": {"rows": 5}})

    ran = terminal.run("replay", JOB_ID)

    assert ran.code == 0, ran.err
    assert '{"rows": 5}' in ran.err


def test_what_the_jobs_of_a_batch_returned(terminal: Terminal, api: FakeApi) -> None:
    batch = {"id": OTHER_ID, "state": "succeeded", "jobs": {"succeeded": 1}}
    there(api, "reads_batch", parents=[batch], needs=1)
    member = job(state="succeeded", has_result=True)
    api.on("GET", JOBS, {"items": [member | {"id": OTHER_ID}], "next_cursor": None})
    api.on("GET", f"{JOBS}/{OTHER_ID}", job(id=OTHER_ID, state="succeeded", has_result=True))
    api.on("GET", f"{JOBS}/{OTHER_ID}/result", {"value": 5})

    ran = terminal.run("replay", JOB_ID)

    assert ran.code == 0, ran.err
    assert '[{"succeeded": 1}, [5]]' in ran.err


def test_who_may_not_read_a_parent_hears_it_where_the_code_asks(terminal: Terminal, api: FakeApi) -> None:
    parent = {"id": OTHER_ID, "state": "succeeded", "outcome": "succeeded", "has_result": True}
    there(api, "reads", parents=[parent], needs=1)
    api.on("GET", f"{JOBS}/{OTHER_ID}", job(id=OTHER_ID, state="succeeded", has_result=True))
    api.on("GET", f"{JOBS}/{OTHER_ID}/result", problem(403, "you cannot get backgroundjobrequests/result"))

    ran = terminal.run("replay", JOB_ID)

    assert (ran.code, "ForbiddenError: you cannot get backgroundjobrequests/result" in ran.err) == (1, True)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"class": "replayed_app.jobs.Replaced"}, "no class Replaced"),
        ({"class": "nowhere.jobs.Mail"}, "no module nowhere"),
        ({"method": "rendr"}, "rendr"),
        ({"parameters": [1, 2, 3]}, "too many positional arguments"),
    ],
)
def test_code_that_is_not_here_is_one_line(
    terminal: Terminal, api: FakeApi, changes: dict[str, Any], words: str
) -> None:
    shown = {"class": "replayed_app.jobs.Replayed", "method": "render"}
    api.on("GET", ONE, job(**{**shown, **changes}))

    ran = terminal.run("replay", JOB_ID)

    assert ran.code == 2
    line = ran.err.splitlines()[-1]
    assert line.startswith("bgjobs: ")
    assert words in line
    assert line.endswith(f"this command runs the code that lies in {terminal.folder}")


def test_who_may_not_read_it_and_what_is_not_there(terminal: Terminal, api: FakeApi) -> None:
    api.on("GET", ONE, problem(403, "you cannot get backgroundjobrequests"))
    assert terminal.run("replay", JOB_ID).code == 4
    api.answers.clear()
    api.on("GET", ONE, problem(404, "there is no job"))

    ran = terminal.run("replay", JOB_ID)

    assert (ran.code, len(ran.err.splitlines())) == (3, 1)


def test_code_beside_src_is_found_too(terminal: Terminal, api: FakeApi) -> None:
    folder: Path = terminal.folder / "beside_app"
    folder.mkdir()
    (folder / "jobs.py").write_text("def work():\n    return 'beside'\n")
    api.on("GET", ONE, job(**{"class": "beside_app.jobs", "method": "work"}))

    ran = terminal.run("replay", JOB_ID)

    assert (ran.code, '"beside"' in ran.err) == (0, True)
