"""Each command against an API that answers as the real one does."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
import yaml

from tests.unit.cli.fakes import JOB_ID, JOBS, OTHER_ID, URL, job, log_part, problem, queue

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.fakes import FakeApi, Terminal

ONE = f"{JOBS}/{JOB_ID}"
ERROR = {"type": "ValueError", "message": "no such month", "traceback": "Traceback:\n  File x\nValueError: no\x1b[2J"}


def test_run_prints_the_id(terminal: Terminal, api: FakeApi) -> None:
    api.on("POST", JOBS, job())

    ran = terminal.run(
        "run", "shop.jobs.Mail", "send", "[1]", "--queue", "fast", "-n", "shop", "--priority", "high", "--delay", "5m",
        "--max-retries", "0", "--timeout", "1h", "--image", "shop:2", "--id", JOB_ID,
    )  # fmt: skip

    assert (ran.code, ran.text) == (0, f"{JOB_ID}\n")
    assert "shop.jobs.Mail.send is queued in queue default" in ran.err
    assert api.bodies() == [
        {"id": JOB_ID, "namespace": "shop", "queue": "fast", "class": "shop.jobs.Mail", "method": "send",
         "parameters": [1], "priority": 1, "delay_seconds": 300.0, "max_retries": 0, "timeout_seconds": 3600.0,
         "image": "shop:2"}
    ]  # fmt: skip


def test_run_with_rules_for_exceptions(terminal: Terminal, api: FakeApi) -> None:
    rules: dict[str, Any] = {"retry_on": ["ConnectionError", "requests.exceptions.Timeout"], "abort_on": ["KeyError"]}
    waits = {"backoff_seconds": 1.0, "backoff_cap_seconds": 60.0}
    api.on("POST", JOBS, job(**rules, **waits))
    words = [part for name in rules["retry_on"] for part in ("--retry-on", name)]

    ran = terminal.run(
        "run", "shop.jobs.Mail.send", *words, "--abort-on", "KeyError", "--backoff", "1s", "--backoff-cap", "1m"
    )

    assert ran.code == 0
    assert (rules | waits).items() <= api.bodies()[0].items()

    for wrong, said in (
        (["--retry-on", "Timeout"], "Python has no exception 'Timeout'"),
        (["--abort-on", "no name"], "takes classes of exceptions or their names"),
        (["--backoff", "2d"], "from 0 to 86,400"),
    ):
        ran = terminal.run("run", "shop.jobs.Mail.send", *wrong)
        assert ran.code == 2
        assert said in ran.err


def test_run_with_labels(terminal: Terminal, api: FakeApi) -> None:
    labels = {"team": "billing", "example.com/run": "june"}
    api.on("POST", JOBS, job(labels=labels))
    api.on("GET", ONE, job(labels=labels))
    api.on("GET", f"{ONE}/attempts", {"items": []})

    terminal.run("run", "shop.jobs.Mail.send", "--label", "team=billing", "-l", "example.com/run=june")

    assert api.bodies()[0]["labels"] == labels
    assert "team=billing, example.com/run=june" in terminal.run("show", JOB_ID).text


def test_run_in_one_word_and_quietly(terminal: Terminal, api: FakeApi) -> None:
    api.on("POST", JOBS, job())

    ran = terminal.run("--quiet", "-n", "a", "run", "shop.jobs.Mail.send", "-p", "year=2026", "-n", "b")

    assert (ran.code, ran.text, ran.err) == (0, f"{JOB_ID}\n", "")
    assert api.bodies()[0]["parameters"] == {"year": 2026}
    assert api.bodies()[0]["namespace"] == "b"


def test_run_reads_standard_input(terminal: Terminal, api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO('\ufeff{"month": "März"}'.encode()), "ascii"))
    api.on("POST", JOBS, job())

    assert terminal.run("run", "shop.jobs.Mail.send", "--parameters-file", "-").code == 0
    assert api.bodies()[0]["parameters"] == {"month": "März"}


@pytest.mark.parametrize("option", ["--parameters-file", "--each"])
def test_a_file_of_an_editor_of_windows(terminal: Terminal, api: FakeApi, tmp_path: Path, option: str) -> None:
    file = tmp_path / "parameters.json"
    file.write_bytes(b'\xef\xbb\xbf{"month": 11}\r\n')
    api.on("POST", JOBS, job())
    api.on("POST", f"{JOBS}:batch", problem(500))

    terminal.run("run", "shop.jobs.Mail.send", option, str(file))

    (body, *_) = api.bodies()
    assert body.get("jobs", [body])[0]["parameters"] == {"month": 11}


def test_run_and_wait(terminal: Terminal, api: FakeApi) -> None:
    api.on("POST", JOBS, job())
    api.on("GET", ONE, job(state="launched", phase="running", attempt=1), job(state="succeeded", attempt=1))

    ran = terminal.run("run", "shop.jobs.Mail.send", "--wait")

    assert (ran.code, ran.text) == (0, f"{JOB_ID}\n")
    assert "running, attempt 1/4" in ran.err
    assert f"job {JOB_ID} succeeded" in ran.err


def test_run_and_wait_for_a_failure(terminal: Terminal, api: FakeApi) -> None:
    api.on("POST", JOBS, job())
    api.on("GET", ONE, job(state="failed", outcome="error", error=ERROR))

    ran = terminal.run("run", "shop.jobs.Mail.send", "--wait", "--quiet")

    assert ran.code == 1
    assert ran.err == (f"bgjobs: job {JOB_ID} failed (error): ValueError: no such month; see `bgjobs show {JOB_ID}`\n")


def test_run_and_follow(terminal: Terminal, api: FakeApi) -> None:
    api.on("POST", JOBS, job())
    api.on("GET", ONE, job(state="queued", reason="the queue is full"), job(state="launched", attempt=1),
           job(state="launched", attempt=1), job(state="cancelled", attempt=1, outcome="cancelled"))  # fmt: skip
    api.on("GET", f"{ONE}/attempts/1/log", log_part(b"one\n", complete=False), log_part(b"\xff\n", complete=True))

    ran = terminal.run("run", "shop.jobs.Mail.send", "-f")

    assert (ran.code, ran.out) == (1, f"{JOB_ID}\n".encode() + b"one\n\xff\n")


def test_a_wait_that_takes_too_long(terminal: Terminal, api: FakeApi) -> None:
    api.on("POST", JOBS, job())
    api.on("GET", ONE, job(state="launched"))

    ran = terminal.run("run", "shop.jobs.Mail.send", "--wait", "--wait-timeout", "3s")

    assert ran.code == 7
    assert f"wait longer by `bgjobs wait {JOB_ID}`" in ran.err
    assert sum(terminal.slept) == pytest.approx(3)


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "shop.jobs.Mail.send", "--wait-timeout", "3"),
        ("run", "shop.jobs.Mail.send", "-f", "--wait-timeout", "3"),
        ("rerun", JOB_ID, OTHER_ID, "-f"),
        ("rerun", JOB_ID, "--set", "12"),
        ("rerun", JOB_ID, "--set", "1=2", "--set", "1=3"),
        ("rerun", JOB_ID, "--set", "1=2", "--parameters", "[1]"),
        ("rerun", JOB_ID, "--parameters", "1"),
        ("rerun", JOB_ID, "--priority", "urgent"),
        ("rerun", JOB_ID, "--queue", "My Queue"),
        ("list", "--state", "sleeping"),
        ("list", "-o", "xml"),
        ("run", "Mail"),
        ("show",),
        ("frob",),
        ("list", "--context", "x", "--url", URL),
        ("--url", "ftp://x", "list"),
        ("show", "abc"),
        ("run", "shop.jobs.Mail.send", "--id", "5"),
        ("run", "shop.jobs.Mail.send", "--delay", "soon"),
        ("run", "shop.jobs.Mail.send", "--label", "team"),
        ("run", "shop.jobs.Mail.send", "--label", "team=a", "--label", "team=b"),
        ("run", "shop.jobs.Mail.send", "--label", "my team=a"),
    ],
)
def test_wrong_usage(terminal: Terminal, arguments: tuple[str, ...]) -> None:
    ran = terminal.run(*arguments)

    assert (ran.code, ran.out) == (2, b"")
    assert ran.err.startswith("bgjobs: ")
    assert ran.err.count("\n") == 1
    assert terminal.api.requests == []


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        (problem(422, "shop.jobs.X is not in approvedClasses"), 2, "`bgjobs queues` shows what may be run"),
        (problem(413, "too large"), 2, "too large"),
        (problem(404, "there is no job"), 3, "`bgjobs list` shows"),
        (problem(401, "the token has expired"), 4, "get a new token"),
        (problem(403, "ann cannot create backgroundjobrequests"), 4, "ann cannot create"),
        (problem(409, "the id is taken"), 5, "`bgjobs show ID`"),
        (
            problem(507, "Redis is nearly full", remedy="raise it"),
            6,
            "bgjobs: Redis is nearly full; raise it; `bgjobs d",
        ),
        (problem(500, "oops"), 6, "`bgjobs doctor`"),
        (httpx2.Response(200, text="<html>a proxy\nspeaks</html>"), 6, "`bgjobs doctor`"),
        (httpx2.ConnectError("refused"), 6, "could not be reached"),
    ],
)
def test_exit_codes_of_errors(
    terminal: Terminal, api: FakeApi, answer: httpx2.Response | Exception, code: int, words: str
) -> None:
    api.on("POST", JOBS, answer)

    ran = terminal.run("run", "shop.jobs.X.y")

    assert ran.code == code
    assert words in ran.err
    assert ran.err.startswith("bgjobs: ")
    assert ran.err.count("\n") == 1


def test_what_allows_it_has_a_line_of_its_own(terminal: Terminal, api: FakeApi) -> None:
    api.on("GET", JOBS, problem(403, "ann cannot list jobs", remedy="kubectl create rolebinding ann"))

    ran = terminal.run("list")

    assert ran.code == 4
    assert ran.err == (
        "bgjobs: ann cannot list jobs; an administrator can allow it with:\n  kubectl create rolebinding ann\n"
    )


def test_ctrl_c(terminal: Terminal, api: FakeApi) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    api.on("GET", ONE, job())
    terminal.on_sleep = interrupt

    ran = terminal.run("wait", JOB_ID)

    assert ran.code == 130
    assert "Traceback" not in ran.err


def test_a_mistake_of_ours_is_one_line(terminal: Terminal) -> None:
    def broken() -> None:
        raise KeyError("x")

    terminal.more = {"broken": broken}

    ran = terminal.run("broken")

    said = "bgjobs: this is a bug in bgjobs: KeyError: 'x'; set BGJOBS_DEBUG=1 to see where\n"
    assert (ran.code, ran.err) == (70, said)


def test_list(terminal: Terminal, api: FakeApi) -> None:
    failed = job(id=OTHER_ID, state="failed", attempt=4, error=ERROR, queue="fast")
    api.on("GET", JOBS, {"items": [job(state="launched", phase="retrying", attempt=2), failed], "next_cursor": None})

    ran = terminal.run("list", "-n", "shop", "--queue", "fast", "--class", "shop.jobs.Mail", "--state", "failed")

    assert ran.text.splitlines() == [
        "ID                                     STATE      CLASS.METHOD          QUEUE     ATTEMPT   AGE   REASON",
        f"{JOB_ID}   retrying   shop.jobs.Mail.send   default   2/4       3m",
        f"{OTHER_ID}   failed     shop.jobs.Mail.send   fast      4/4       3m    ValueError: no such month",
    ]
    assert api.queries() == [
        {"namespace": "shop", "state": "failed", "queue": "fast", "class": "shop.jobs.Mail", "limit": "50"}
    ]


def test_list_by_phase(terminal: Terminal, api: FakeApi) -> None:
    items = [job(state="launched", phase="pending"), job(id=OTHER_ID, state="launched", phase="running")]
    api.on("GET", JOBS, {"items": items})

    assert terminal.run("list", "--state", "running", "-o", "name").text == f"{OTHER_ID}\n"
    assert api.queries()[0]["state"] == "launched"


def test_list_goes_on_over_short_pages(terminal: Terminal, api: FakeApi) -> None:
    pages: list[dict[str, Any]] = [
        {"items": [job()], "next_cursor": "a"},
        {"items": [], "next_cursor": "b"},
        {"items": [job(id=OTHER_ID)], "next_cursor": "c"},
        {"items": [job()], "next_cursor": None},
    ]
    api.on("GET", JOBS, *pages)
    ran = terminal.run("list", "--limit", "2", "-o", "name")
    assert ran.text == f"{JOB_ID}\n{OTHER_ID}\n"
    assert "--limit or --all shows more" in ran.err
    assert [one.get("cursor") for one in api.queries()] == [None, "a", "b"]

    api.answers.clear()
    api.on("GET", JOBS, *pages)
    ran = terminal.run("list", "--all", "-o", "name")
    assert (ran.text.count("\n"), ran.err) == (3, "")


def test_an_empty_list(terminal: Terminal, api: FakeApi) -> None:
    api.on("GET", JOBS, {"items": []})

    ran = terminal.run("list", "--state", "failed", "-n", "shop")
    assert (ran.code, ran.text, ran.err) == (0, "", "no jobs in namespace shop that match\n")
    assert json.loads(terminal.run("list", "-o", "json").text) == []


@pytest.mark.parametrize(("form", "read"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_forms_for_programs(terminal: Terminal, api: FakeApi, form: str, read: Any) -> None:
    shown = job(parameters=["ü", 2**60, 0.1, None], error=ERROR, state="failed")
    api.on("GET", JOBS, {"items": [shown]})
    api.on("GET", ONE, shown)
    api.on("POST", JOBS, shown)
    api.on("POST", f"{ONE}/cancel", shown)
    api.on("POST", f"{ONE}/rerun", shown)
    api.on("GET", "/api/v1/queues", {"items": [queue()]})

    assert read(terminal.run("list", "-o", form).text) == [shown]
    assert read(terminal.run("show", JOB_ID, "-o", form).text) == shown
    assert read(terminal.run("run", "shop.jobs.Mail.send", "-o", form).text) == shown
    assert read(terminal.run("cancel", JOB_ID, "-o", form).text) == shown
    assert read(terminal.run("rerun", JOB_ID, "-o", form).text) == shown
    assert read(terminal.run("queues", "-o", form).text) == [queue()]


def test_tables_of_one(terminal: Terminal, api: FakeApi) -> None:
    api.on("POST", JOBS, job())
    api.on("POST", f"{ONE}/cancel", job(state="cancelled"))
    api.on("POST", f"{ONE}/rerun", job())

    for arguments in (("run", "shop.jobs.Mail.send"), ("cancel", JOB_ID), ("rerun", JOB_ID)):
        lines = terminal.run(*arguments, "-o", "table").text.splitlines()
        assert (len(lines), lines[0].split()[0]) == (2, "ID")


def test_show(terminal: Terminal, api: FakeApi) -> None:
    attempt = {
        "number": 1, "pod_name": "bgjob-1", "started_at": "2026-11-24T09:58:00Z", "ended_at": "2026-11-24T09:58:05Z",
        "outcome": "error", "error": ERROR, "exit_code": 1, "log_bytes": 12,
    }  # fmt: skip
    shown = job(
        state="succeeded", outcome="succeeded", attempt=2, has_result=True, parameters={"year": 2026}, note="why\x07",
        progress={"done": 3, "total": 12, "message": "rendering"}, started_at="2026-11-24T09:58:00Z",
        finished_at="2026-11-24T09:59:00Z", kube_job="bgjob-x", rerun_of=OTHER_ID, priority=1,
    )  # fmt: skip
    api.on("GET", ONE, shown)
    running = attempt | {"number": 2, "ended_at": None, "outcome": None, "error": None, "exit_code": None}
    api.on("GET", f"{ONE}/attempts", {"items": [attempt, running]})
    api.on("GET", f"{ONE}/result", {"value": {"invoices": 5}})

    lines = terminal.run("show", JOB_ID).text.splitlines()

    assert f"id:         {JOB_ID}" in lines
    assert "state:      succeeded" in lines
    assert "call:       shop.jobs.Mail.send" in lines
    assert 'parameters: {"year": 2026}' in lines
    assert "queue:      default (priority high)" in lines
    assert "progress:   [#####---------------] 25% 3/12 rendering" in lines
    assert "finished:   2026-11-24 09:59:00Z after 60s" in lines
    assert "note:       why" in lines
    assert 'result:     {"invoices": 5}' in lines
    assert "attempt 1: error after 5s, exit code 1, pod bgjob-1, started 2026-11-24 09:58:00Z, log of 12 bytes" in lines
    assert "  ValueError: no such month" in lines
    assert "      File x" in lines
    assert "    ValueError: no [2J" in lines
    assert any(line.startswith("attempt 2: running, pod") for line in lines)


def test_show_without_the_right_to_see_the_result(terminal: Terminal, api: FakeApi) -> None:
    api.on("GET", ONE, job(state="failed", has_result=True, error=ERROR))
    api.on("GET", f"{ONE}/attempts", {"items": []})
    api.on("GET", f"{ONE}/result", problem(403, "ann cannot get backgroundjobrequests/result"))

    ran = terminal.run("show", JOB_ID)

    assert ran.code == 0
    assert "result:     not shown: ann cannot get backgroundjobrequests/result" in ran.text
    assert "error: ValueError: no such month" in ran.text


def test_a_part_of_an_id(terminal: Terminal, api: FakeApi) -> None:
    api.on("GET", JOBS, {"items": [job(id=OTHER_ID)], "next_cursor": "x"}, {"items": [job()]})
    api.on("GET", ONE, job())

    assert terminal.run("show", "1122334455", "-o", "name").text == f"{JOB_ID}\n"
    assert api.queries() == [{"limit": "200"}, {"limit": "200", "cursor": "x"}, {}]

    ran = terminal.run("show", "ffffffff")
    assert (ran.code, ran.err.count("\n")) == (3, 1)


def test_an_ambiguous_part_names_the_candidates(terminal: Terminal, api: FakeApi) -> None:
    api.on("GET", JOBS, {"items": [job(), job(id=OTHER_ID)]})

    ran = terminal.run("cancel", "0192f0c1")

    assert ran.code == 2
    assert JOB_ID in ran.err
    assert OTHER_ID in ran.err


def test_cancel(terminal: Terminal, api: FakeApi) -> None:
    api.on("POST", f"{ONE}/cancel", job(state="stopping"))
    api.on("POST", f"{JOBS}/{OTHER_ID}/cancel", problem(409, "the job has ended already: it is failed"))

    ran = terminal.run("cancel", JOB_ID, "--note", "wrong month")
    assert (ran.code, ran.text, ran.err) == (0, f"{JOB_ID}\n", f"job {JOB_ID} is stopping\n")
    assert api.bodies() == [{"note": "wrong month"}]

    ran = terminal.run("cancel", OTHER_ID)
    assert ran.code == 5
    assert "it is failed" in ran.err


def test_rerun(terminal: Terminal, api: FakeApi) -> None:
    api.on("POST", f"{JOBS}/{OTHER_ID}/rerun", httpx2.Response(201, json=job(rerun_of=OTHER_ID)))
    api.on("GET", ONE, job(state="succeeded"))

    ran = terminal.run("rerun", OTHER_ID, "--wait")

    assert (ran.code, ran.text) == (0, f"{JOB_ID}\n")
    assert list(api.bodies()[0]) == ["id"]


def test_logs_are_printed_byte_for_byte(terminal: Terminal, api: FakeApi) -> None:
    api.on("GET", ONE, job(state="failed", attempt=2))
    api.on("GET", f"{ONE}/log", log_part(b"\xe2\x82", complete=False), log_part(b"\xac\x1b[31m\xff", complete=True))

    ran = terminal.run("logs", JOB_ID)

    assert (ran.code, ran.out, ran.err) == (0, "€".encode() + b"\x1b[31m\xff", "")


def test_the_log_of_one_attempt(terminal: Terminal, api: FakeApi) -> None:
    api.on("GET", f"{ONE}/attempts/1/log", log_part(b"first\n", complete=True))

    assert terminal.run("logs", JOB_ID, "--attempt", "1").out == b"first\n"


def test_no_log_yet(terminal: Terminal, api: FakeApi) -> None:
    api.on("GET", ONE, job(reason="the queue is full"))
    api.on("GET", f"{ONE}/log", log_part(b"", complete=False))

    ran = terminal.run("logs", JOB_ID)

    assert (ran.out, ran.err) == (b"", "no attempt has started: the job is queued (the queue is full)\n")


def test_logs_follow_over_attempts(terminal: Terminal, api: FakeApi) -> None:
    launched = job(state="launched", phase="running", attempt=1)
    again = job(state="launched", phase="running", attempt=2)
    api.on("GET", ONE, job(), job(), launched, job(state="launched", phase="retrying", attempt=1), again,
           job(state="succeeded", attempt=2))  # fmt: skip
    api.on("GET", f"{ONE}/attempts/1/log", log_part(b"one\n", complete=False), log_part(b"", complete=False),
           log_part(b"two\n", complete=True))  # fmt: skip
    api.on("GET", f"{ONE}/attempts/2/log", log_part(b"three\n", complete=True))

    ran = terminal.run("logs", JOB_ID, "-f")

    assert (ran.code, ran.out) == (0, b"one\ntwo\nthree\n")
    assert ran.err.splitlines() == [
        "queued",
        "retrying, attempt 1/4",
        "--- attempt 2 of 4 ---",
        f"job {JOB_ID} is succeeded",
    ]


def test_logs_follow_one_attempt(terminal: Terminal, api: FakeApi) -> None:
    api.on("GET", ONE, job(state="launched", attempt=2))
    api.on("GET", f"{ONE}/attempts/1/log", log_part(b"one\n", complete=True))

    assert terminal.run("logs", JOB_ID, "-f", "--attempt", "1", "-q").out == b"one\n"


def test_help_and_version(terminal: Terminal) -> None:
    assert terminal.run("--version").text.startswith("bgjobs ")
    assert terminal.run().text == terminal.run("--help").text
    page = terminal.run("--help").text
    assert "7   the time to wait has passed" in page
    assert "    bgjobs rerun last -f\n" in terminal.run("rerun", "-h").text


def test_the_result_of_a_job(terminal: Terminal, api: FakeApi) -> None:
    api.on("GET", f"{ONE}/result", {"value": {"é": [1, None]}})
    ran = terminal.run("result", JOB_ID)
    assert (ran.code, json.loads(ran.out)) == (0, {"é": [1, None]})
