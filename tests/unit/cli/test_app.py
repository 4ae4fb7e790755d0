"""The command as a whole: plug-ins, completion, terminals, and a Python without typer."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import typer

from bgjobs.cli import __main__ as start
from bgjobs.cli import app
from bgjobs.cli.exits import MEANINGS
from bgjobs.cli.showing import text
from tests.unit.cli.fake_kubectl import HttpApi
from tests.unit.cli.fakes import JOB_ID, JOBS, OTHER_ID, job, queue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit.cli.fakes import FakeApi, Terminal

ROOT = Path(__file__).parents[3]


def hello(name: str = "you") -> None:
    """Say hello."""
    typer.echo(f"hello {name}")


def code_five() -> int:
    return 5


def test_a_plug_in(terminal: Terminal) -> None:
    terminal.more = app.plugins([EntryPoint("hello", "tests.unit.cli.test_app:hello", app.GROUP)])

    assert "hello     Say hello." in terminal.run("--help").text
    assert terminal.run("hello", "--name", "ann").text == "hello ann\n"


def test_a_plug_in_chooses_its_exit_code(terminal: Terminal) -> None:
    terminal.more = {"five": code_five}

    assert terminal.run("five").code == 5


def test_a_plug_in_that_cannot_be_loaded(terminal: Terminal) -> None:
    terminal.more = app.plugins([EntryPoint("dev", "no_such_module:main", app.GROUP)])

    assert terminal.run("--help").code == 0
    ran = terminal.run("dev")
    assert ran.code == 2
    assert ran.err.startswith("bgjobs: the command dev cannot be loaded: ModuleNotFoundError")


def test_dev_is_a_plug_in(terminal: Terminal) -> None:
    ran = terminal.run("dev")
    assert (ran.code, ran.err) == (2, "bgjobs dev needs more packages; install them by: pip install 'bgjobs[dev]'\n")

    terminal.more = {"dev": hello, "list": hello}
    assert terminal.run("dev").text == "hello you\n"
    assert "hello" not in terminal.run("list", "--help").text


def test_without_typer(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def nothing(_: str) -> None:
        return None

    monkeypatch.setattr(start, "find_spec", nothing)

    for main in (start.main, start.kubectl_main):
        with pytest.raises(SystemExit, match="2"):
            main()
        assert (
            capsys.readouterr().err == "this command needs more packages; install them by: pip install 'bgjobs[cli]'\n"
        )


@pytest.mark.parametrize(("main", "name"), [(start.main, "bgjobs"), (start.kubectl_main, "kubectl bgjobs")])
def test_the_name_of_the_command(
    main: object, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert callable(main)
    monkeypatch.setattr(sys, "argv", ["x", "run", "--help"])

    with pytest.raises(SystemExit, match="0"):
        main()

    assert capsys.readouterr().out.startswith(f"Usage: {name} run [OPTIONS]")


def test_help_loads_neither_http_nor_models() -> None:
    program = (
        "import sys; from bgjobs.cli.__main__ import start; code = start(['run', '--help'], 'bgjobs', kubectl=False); "
        "sys.exit(code or [name for name in ('httpx2', 'bgjobs.wire', 'rich', 'yaml') if name in sys.modules] or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


def test_every_exit_code_is_in_the_help(terminal: Terminal) -> None:
    page = terminal.run("--help").text
    assert all(f"{code:<4}{meaning}" in page for code, meaning in MEANINGS)


@pytest.fixture
def http_api() -> Iterator[HttpApi]:
    def answer(path: str) -> object:
        return {"items": [queue(name="night")] if "queues" in path else [job(), job(id=OTHER_ID)]}

    made = HttpApi(answer)
    yield made
    made.stop()


def complete(words: str, environ: dict[str, str]) -> list[str]:
    """What the shell would offer for the last word."""
    done = subprocess.run(
        [sys.executable, "-c", "from bgjobs.cli.__main__ import start; start([], 'bgjobs', kubectl=False)"],
        env={"_BGJOBS_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" ")), **environ},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


def test_completion(http_api: HttpApi) -> None:
    environ = {"BGJOBS_URL": f"http://127.0.0.1:{http_api.port}", "PATH": ""}

    assert complete("bgjobs re", environ) == ["result", "resume", "rerun", "replay"]
    assert complete("bgjobs list --state su", environ) == ["succeeded", "suspended"]
    assert complete("bgjobs show ", environ) == ["last", JOB_ID, OTHER_ID]
    assert complete("bgjobs run --queue ", environ) == ["night"]


def test_completion_without_a_server() -> None:
    assert complete("bgjobs show ", {"PATH": ""}) == ["last"]
    assert complete("bgjobs run --queue ", {"PATH": "", "BGJOBS_URL": "http://127.0.0.1:1"}) == []


@pytest.fixture
def tty(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal.is_tty = True
    monkeypatch.setenv("COLUMNS", "110")


@pytest.mark.usefixtures("tty")
def test_colours_and_width_of_a_terminal(terminal: Terminal, api: FakeApi) -> None:
    api.on("GET", JOBS, {"items": [job(state="failed", reason="x" * 200)]})

    row = terminal.run("list").text.splitlines()[1]
    assert "\x1b[31mfailed\x1b[0m" in row
    assert row.endswith("x…")

    terminal.environ["NO_COLOR"] = "1"
    row = terminal.run("list").text.splitlines()[1]
    assert "\x1b" not in row
    assert len(row) == 110


@pytest.mark.usefixtures("tty")
def test_a_line_that_changes(terminal: Terminal, api: FakeApi) -> None:
    api.on("GET", f"{JOBS}/{JOB_ID}", job(state="launched", progress={"done": 1, "total": 4}), job(state="succeeded"))
    api.on("GET", f"{JOBS}/{OTHER_ID}", job(id=OTHER_ID, state="succeeded"))

    ran = terminal.run("wait", JOB_ID, OTHER_ID)

    assert ran.code == 0
    assert "\r\x1b[K1 of 2 ended; 001122334455 pending [#####---------------] 25% 1/4" in ran.err
    assert ran.err.endswith(f"\r\x1b[Kjob {JOB_ID} succeeded\njob {OTHER_ID} succeeded\n")


def test_text_of_others_does_not_steer_the_terminal() -> None:
    assert text.clean("a\x1b[2J\n\tb\r\x07") == "a [2J b"
    assert text.clean_lines("a\n\tb\x1b \nc") == "a\n    b\nc"
    assert text.columns(["A", "B"], [["1\n", "\x1b2"]]) == ["A   B", "1   2"]


def test_a_reader_that_goes_away(http_api: HttpApi) -> None:
    """As `bgjobs list | true`."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "bgjobs.cli", "--url", f"http://127.0.0.1:{http_api.port}", "list"],
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)

    assert (done.returncode, done.stderr) == (0, b"")


def test_the_page_in_the_docs_is_there() -> None:
    page = (ROOT / "docs/command.md").read_text()
    assert all(f"## `bgjobs {name}" in page for name in [*app.COMMANDS, *app.GROUPS])
