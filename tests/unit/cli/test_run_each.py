"""`bgjobs run --each`: one job for each line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from bgjobs.ids import is_job_id
from tests.unit.cli.fakes import JOB_ID, JOBS, problem

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.fakes import FakeApi, Terminal

BATCH = f"{JOBS}:batch"
CALL = ("run", "shop.jobs.Mail.send")


@pytest.fixture(autouse=True)
def stored(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """The API stores what it is asked for, unless a test says otherwise."""
    answer = api.handle_request

    def handle(request: httpx2.Request) -> httpx2.Response:
        answered = answer(request)
        if request.url.path != BATCH or answered.status_code != 404:
            return answered
        jobs = json.loads(request.content)["jobs"]
        items = [{"id": one["id"], "state": "queued", "is_new": True} for one in jobs]
        return httpx2.Response(201, json={"items": items})

    monkeypatch.setattr(api, "handle_request", handle)


def file(folder: Path, *lines: Any) -> str:
    path = folder / "each.jsonl"
    path.write_text("".join(f"{one if isinstance(one, str) else json.dumps(one)}\n" for one in lines))
    return str(path)


def asked(api: FakeApi) -> list[dict[str, Any]]:
    return [job for body in api.bodies() for job in body["jobs"]]


def test_a_job_for_each_line(terminal: Terminal, api: FakeApi, tmp_path: Path) -> None:
    lines = [[1], {"year": 2026}, "", ["\u2028"]]
    ran = terminal.run(*CALL, "--each", file(tmp_path, *lines), "--queue", "mail", "-n", "shop", "-l", "team=billing")
    assert ran.code == 0
    ids = ran.text.split()
    assert len(ids) == 3
    assert all(map(is_job_id, ids))
    assert [job["id"] for job in asked(api)] == ids
    assert [job["parameters"] for job in asked(api)] == [[1], {"year": 2026}, ["\u2028"]]
    assert {(job["queue"], job["namespace"], job["labels"]["team"]) for job in asked(api)} == {
        ("mail", "shop", "billing")
    }
    assert "3 jobs are stored" in ran.err


def test_from_standard_input(terminal: Terminal, api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.buffer.read", lambda: b"[1]\r\n[2]", raising=False)
    assert terminal.run("run", "shop.jobs.Mail", "send", "--each", "-").code == 0
    assert [job["parameters"] for job in asked(api)] == [[1], [2]]


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_as_a_document(terminal: Terminal, tmp_path: Path, form: str) -> None:
    ran = terminal.run(*CALL, "--each", file(tmp_path, [1]), "-o", form)
    assert "state" in ran.text
    if form == "json":
        (only,) = json.loads(ran.text)
        assert (only["state"], only["is_new"]) == ("queued", True)


def test_as_a_table(terminal: Terminal, tmp_path: Path) -> None:
    ran = terminal.run(*CALL, "--each", file(tmp_path, [1], [2]), "-o", "table")
    titles, *rows = [line.split()[1:] for line in ran.text.splitlines()]
    assert (titles, rows) == (["STATE", "NEW"], [["queued", "yes"]] * 2)


def test_lines_that_are_wrong_are_named_before_anything_is_sent(
    terminal: Terminal, api: FakeApi, tmp_path: Path
) -> None:
    lines = [[1], "{", "7", '{"a": 1, "a": 2}', "[9223372036854775808]", "nonsense", "[NaN]", "text"]
    ran = terminal.run(*CALL, "--each", file(tmp_path, *lines))
    assert (ran.code, ran.text) == (2, "")
    for number in (2, 3, 4, 5, 6):
        assert f"line {number}: " in ran.err
    assert "and 2 more lines; nothing was sent" in ran.err
    assert not api.requests


@pytest.mark.parametrize(
    "more",
    [
        ("-p", "a=1"),
        ("-a", "1"),
        ("--parameters-file", "x"),
        ("--id", JOB_ID),
        ("--wait",),
        ("--logs",),
        ("--wait", "--wait-timeout", "3"),
        ("[1]",),
    ],
    ids=lambda more: more[0] if len(more) < 3 else more[1],
)
def test_what_is_for_one_job_alone(terminal: Terminal, api: FakeApi, tmp_path: Path, more: tuple[str, ...]) -> None:
    ran = terminal.run(*CALL, *more, "--each", file(tmp_path, [1]))
    assert (ran.code, ran.text) == (2, "")
    assert "--each" in ran.err
    assert not api.requests


@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param(("--each", "missing.jsonl"), "cannot be read", id="no-file"),
        pytest.param(("--each", "/dev/null"), "there is no line", id="empty"),
    ],
)
def test_files_that_do_not_do(terminal: Terminal, given: tuple[str, ...], said: str) -> None:
    ran = terminal.run(*CALL, *given)
    assert ran.code == 2
    assert said in ran.err


def test_what_is_wrong_with_all_of_them_is_said_once(terminal: Terminal, tmp_path: Path) -> None:
    ran = terminal.run(*CALL, "--each", file(tmp_path, [1], [2]), "--label", "my team=a")
    assert ran.code == 2
    assert "line 1" not in ran.err


def test_thousands_go_by_pieces_and_progress_is_told(terminal: Terminal, api: FakeApi, tmp_path: Path) -> None:
    terminal.is_tty = True
    ran = terminal.run(*CALL, "--each", file(tmp_path, *([number] for number in range(10_001))))
    assert ran.code == 0
    assert [len(body["jobs"]) for body in api.bodies()] == [1000] * 10 + [1]
    assert len(ran.text.split()) == 10_001
    assert "3,000 of 10,001 jobs are stored" in ran.err
    *_, done, batch = ran.err.splitlines()
    assert done == "10,001 jobs are stored"
    assert {one["batch"] for one in asked(api)} == {batch.split()[3].rstrip(";")}
    assert [len(body.get("close", [])) for body in api.bodies()] == [0] * 10 + [1]


@pytest.mark.parametrize(("status", "code"), [pytest.param(422, 2, id="refused"), pytest.param(403, 4, id="forbidden")])
def test_a_piece_that_is_refused(terminal: Terminal, api: FakeApi, tmp_path: Path, status: int, code: int) -> None:
    first = problem(404)  # stored, see above
    api.on("POST", BATCH, first, problem(status, "job 17: no", index=17))
    ran = terminal.run(*CALL, "--each", file(tmp_path, *([number] for number in range(2500))))
    assert ran.code == code
    assert len(ran.text.split()) == 1000
    assert "1,000 of 2,500 jobs are stored; none of the others is: job 1,017: no" in ran.err
