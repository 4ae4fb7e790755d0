"""`--all` of cancel, pause, suspend, resume, run-now and rerun, and `bgjobs bulk`."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from bgjobs.bulk import Bulk
from tests.unit.cli.fakes import JOB_ID, OTHER_ID, problem

if TYPE_CHECKING:
    from tests.unit.cli.fakes import FakeApi, Ran, Terminal

PREVIEW, START = "/api/v1/bulk/preview", "/api/v1/bulk"
PATH = f"/api/v1/bulk/shop/{OTHER_ID}"


def preview(total: int = 12, **changes: Any) -> dict[str, Any]:
    """What would be done, as the API shows it."""
    shown: dict[str, Any] = {
        "token": "signed", "namespace": "shop", "verb": "cancel", "as_of": "2026-11-24T10:00:00Z",
        "counts": {"queued": total}, "total": total, "is_exact": True, "skipped": {},
        "expires_at": "2026-11-24T10:05:00Z",
    }  # fmt: skip
    return shown | changes


def bulk(state: str = "running", **changes: Any) -> dict[str, Any]:
    """A bulk as the API shows it."""
    shown: dict[str, Any] = {
        "id": OTHER_ID, "namespace": "shop", "verb": "cancel", "state": state, "filter": {"queue": "mail"},
        "excepted": 0, "by": "ada", "note": None, "as_of": "2026-11-24T09:58:00Z",
        "started_at": "2026-11-24T09:58:10Z", "latest_at": "2026-11-24T09:59:00Z",
        "ended_at": None if state == "running" else "2026-11-24T09:59:00Z", "stopped_by": None, "total": 12,
        "is_exact": True, "done": 0, "failed": 0, "failures": {}, "skipped": {}, "left": 12, "waits": None,
    }  # fmt: skip
    return shown | changes


class Keyboard(io.StringIO):
    """Somebody who types."""

    def isatty(self) -> bool:
        return True


def answer(terminal: Terminal, monkeypatch: pytest.MonkeyPatch, typed: str, *words: str) -> Ran:
    """Run the command, and answer its question."""
    monkeypatch.setattr("sys.stdin", Keyboard(f"{typed}\n"))
    return terminal.run(*words)


@pytest.fixture
def good(api: FakeApi) -> FakeApi:
    """An API that does it."""
    api.on("POST", PREVIEW, preview())
    api.on("POST", START, bulk())
    api.on("GET", PATH, bulk(), bulk(done=10, left=2), bulk(done=10, left=2), bulk("done", done=12, left=0))
    return api


def test_it_counts_and_asks_and_waits(terminal: Terminal, good: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("cancel", "--all", "--queue", "mail", "--state", "queued", "--note", "wrong", "-n", "shop", "-l", "a=b")
    ran = answer(terminal, monkeypatch, "y", *words)
    assert (ran.code, ran.text) == (0, f"{OTHER_ID}\n")
    assert ran.err == (
        "jobs of namespace shop that match: 12 queued\n"
        "Cancel 12 jobs? [y/N] "
        "cancel: 0 of 12 done\ncancel: 10 of 12 done\ncancel: 12 of 12 done\n"
    )
    assert good.bodies() == [
        {
            "namespace": "shop",
            "verb": "cancel",
            "filter": {"state": "queued", "queue": "mail", "label": "a=b"},
            "except": [],
            "note": "wrong",
        },
        {"token": "signed"},
    ]


@pytest.mark.parametrize("typed", ["", "n", "no", "12"])
def test_nothing_is_done_unless_somebody_says_yes(
    terminal: Terminal, good: FakeApi, monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    ran = answer(terminal, monkeypatch, typed, "cancel", "--all")
    assert (ran.code, ran.text) == (1, "")
    assert ran.err.endswith("nothing was done\n")
    assert [one.url.path for one in good.requests] == [PREVIEW]


@pytest.mark.parametrize(("typed", "begins"), [("1216", True), ("1,216", True), ("y", False), ("1215", False)])
def test_of_many_the_number_is_typed(
    terminal: Terminal, api: FakeApi, monkeypatch: pytest.MonkeyPatch, typed: str, begins: bool
) -> None:
    api.on("POST", PREVIEW, preview(1216))
    api.on("POST", START, bulk())
    api.on("GET", PATH, bulk("done", done=1216))
    ran = answer(terminal, monkeypatch, typed, "pause", "--all")
    assert "Pause 1,216 jobs? Type 1216 to go on: " in ran.err
    assert (len(api.requests) > 1) is begins


def test_where_nobody_can_be_asked(terminal: Terminal, good: FakeApi) -> None:
    ran = terminal.run("cancel", "--all", "-q")
    assert (ran.code, ran.text) == (2, "")
    assert ran.err == "bgjobs: Cancel 12 jobs? Nobody can be asked here; say --yes if that is meant\n"
    assert [one.url.path for one in good.requests] == [PREVIEW]
    assert terminal.run("cancel", "--all", "--yes").code == 0


@pytest.mark.parametrize(
    ("words", "verb"),
    [("cancel", "cancel"), ("pause", "pause"), ("suspend", "suspend"), ("resume", "resume"), ("run-now", "run_now"),
     ("rerun", "rerun")],
)  # fmt: skip
def test_each_verb(terminal: Terminal, good: FakeApi, words: str, verb: str) -> None:
    ran = terminal.run(words, "--all", "--yes", "--class", "shop.jobs.Mail", "--queue", "mail", "--except", JOB_ID)
    assert ran.code == 0, ran.err
    sent = good.bodies()[0]
    assert (sent["verb"], sent["filter"]) == (verb, {"queue": "mail", "class": "shop.jobs.Mail"})
    assert sent["except"] == [JOB_ID]


def test_nothing_matches(terminal: Terminal, api: FakeApi) -> None:
    api.on("POST", PREVIEW, preview(0, counts={"failed": 2}, skipped={"ended": 2}))
    ran = terminal.run("cancel", "--all")
    assert (ran.code, ran.text) == (0, "")
    assert ran.err == (
        "jobs of namespace shop that match: 2 failed\nleft as they are: 2 have ended\nNo job here can be cancelled.\n"
    )


@pytest.mark.parametrize(("typed", "begins"), [("all", True), ("y", False), ("0", False), ("7", False)])
@pytest.mark.parametrize("total", [0, 7, 10_000])
def test_of_more_than_were_counted_a_word_is_typed(
    terminal: Terminal, good: FakeApi, monkeypatch: pytest.MonkeyPatch, total: int, typed: str, begins: bool
) -> None:
    good.answers.clear()
    good.on("POST", PREVIEW, preview(total, is_exact=False))
    good.on("POST", START, bulk())
    good.on("GET", PATH, bulk("done", is_exact=False))
    ran = answer(terminal, monkeypatch, typed, "cancel", "--all", "--label", "a=b")
    assert "there may be more" in ran.err
    assert f"Cancel all jobs that match, at least {total:,}? Type all to go on: " in ran.err
    assert (len(good.requests) > 1) is begins
    assert ran.code == (0 if begins else 1)


@pytest.mark.parametrize(
    ("verb", "total", "said"),
    [
        ("rerun", 12, "Run 12 jobs again? [y/N] "),
        ("rerun", 1, "Run 1 job again? [y/N] "),
        ("run-now", 2, "Run 2 jobs now? [y/N] "),
        ("run-now", 0, "No job here can be run now.\n"),
        ("rerun", 0, "No job here can be run again.\n"),
    ],
)
def test_whole_sentences(
    terminal: Terminal, api: FakeApi, monkeypatch: pytest.MonkeyPatch, verb: str, total: int, said: str
) -> None:
    api.on("POST", PREVIEW, preview(total, skipped={"ended": 1, "already": 2}))
    err = answer(terminal, monkeypatch, "n", verb, "--all").err
    assert said in err
    assert "left as they are: 1 has ended, 2 are already paused, suspended, queued or being stopped\n" in err


def test_begun_and_left_alone(terminal: Terminal, good: FakeApi) -> None:
    ran = terminal.run("cancel", "--all", "--yes", "--no-wait", "-o", "json")
    assert (ran.code, json.loads(ran.text)["id"]) == (0, OTHER_ID)
    assert f"`bgjobs bulk show {OTHER_ID} -n shop`" in ran.err
    assert terminal.slept == []
    assert len(good.requests) == 3


@pytest.mark.parametrize(
    ("ended", "said"),
    [
        (bulk("stopped", done=3, stopped_by="bo"), f"bgjobs: bulk {OTHER_ID} was stopped by bo: 3 of 12 done"),
        (
            bulk("done", done=3, failed=9, failures={"not_approved": 9}),
            f"bgjobs: it failed for 9 jobs; see `bgjobs bulk show {OTHER_ID} -n shop`",
        ),
    ],
)
def test_it_does_not_end_well(terminal: Terminal, api: FakeApi, ended: dict[str, Any], said: str) -> None:
    api.on("POST", PREVIEW, preview())
    api.on("POST", START, bulk())
    api.on("GET", PATH, ended)
    ran = terminal.run("cancel", "--all", "--yes")
    assert ran.code == 1
    assert said in ran.err


def test_ctrl_c_stops_it(terminal: Terminal, good: FakeApi) -> None:
    good.on("POST", f"{PATH}/stop", bulk("stopped", done=3))

    def interrupt() -> None:
        raise KeyboardInterrupt

    terminal.on_sleep = interrupt
    ran = terminal.run("cancel", "--all", "--yes")
    assert ran.code == 130
    assert f"bulk {OTHER_ID} is stopped: 3 of 12 done; what is done stays done\n" in ran.err


def test_ctrl_c_while_it_begins(terminal: Terminal, api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    api.on("POST", PREVIEW, preview())

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("bgjobs.client.bulk_calls.BulkCalls.start_bulk", interrupt)
    ran = terminal.run("cancel", "--all", "--yes")
    assert (ran.code, ran.text) == (130, "")
    assert ran.err.endswith("it may have begun; see `bgjobs bulk list -n shop`\n")


def test_ctrl_c_comes_too_late(terminal: Terminal, good: FakeApi) -> None:
    good.on("POST", f"{PATH}/stop", problem(409, "it is done", code="bulk_ended"))
    terminal.on_sleep = lambda: (_ for _ in ()).throw(KeyboardInterrupt)
    ran = terminal.run("cancel", "--all", "--yes")
    assert (ran.code, "what is done stays done" in ran.err) == (130, True)


def test_it_waits_for_room(terminal: Terminal, api: FakeApi) -> None:
    api.on("POST", PREVIEW, preview())
    api.on("POST", START, bulk())
    api.on("GET", PATH, bulk(waits="Redis is nearly full"), bulk("done", done=12))
    assert "cancel: 0 of 12 done; Redis is nearly full\n" in terminal.run("cancel", "--all", "--yes").err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["cancel"], "which jobs? Give their ids, or --all with filters"),
        (["rerun"], "which jobs?"),
        (["cancel", JOB_ID, "--all"], "either the ids of jobs, or --all"),
        (["pause", JOB_ID, "--state", "queued", "--class", "a.B"], "--state, --class can only be used together with"),
        (["resume", JOB_ID, "--yes"], "--yes can only be used together with --all"),
        (["rerun", "--all", "--set", "a=1", "--wait"], "--set, --wait cannot be used together with --all"),
        (["cancel", "--all", "--state", "sleeping"], "there is no state 'sleeping'"),
        (["cancel", "--all", "--outcome", "odd"], "there is no outcome 'odd'"),
        (["cancel", "--all", "--except", "last"], "--except takes the whole id of a job"),
        (["cancel", "--all", "--since", "yesterday"], "--since is how long ago"),
        (["cancel", "--all", "--batch", "mine"], "batch: must be the id"),
        (["cancel", "--all", "--note", "x" * 401], "note"),
        (["bulk", "show", "last"], "the whole id"),
        (["bulk", "list", "--url", "http://127.0.0.1:8000"], "say in which namespace"),
    ],
)
def test_wrong_usage_is_one_line_and_sends_nothing(
    terminal: Terminal, api: FakeApi, words: list[str], said: str
) -> None:
    ran = terminal.run(*words)
    assert (ran.code, len(ran.err.splitlines())) == (2, 1), ran.err
    assert said in ran.err
    assert api.requests == []


def test_what_the_api_refuses(terminal: Terminal, api: FakeApi) -> None:
    api.on("POST", PREVIEW, problem(403, "you may not cancel jobs here", code="forbidden"))
    assert terminal.run("cancel", "--all", "--yes").code == 4
    api.answers.clear()
    api.on("POST", PREVIEW, preview())
    api.on("POST", START, problem(409, "namespace shop has 20 bulks that are not over", code="too_many_bulks"))
    ran = terminal.run("cancel", "--all", "--yes")
    assert (ran.code, "20 bulks" in ran.err) == (5, True)


def test_list_show_and_stop(terminal: Terminal, api: FakeApi) -> None:
    found = bulk(done=3, skipped={"started": 2}, failed=1, failures={"not_approved": 1}, left=6, note="wrong")
    api.on("GET", "/api/v1/bulk/shop", {"items": [found]})
    api.on("GET", PATH, found)
    api.on("POST", f"{PATH}/stop", bulk("stopped", done=3, stopped_by="ada"))

    table = terminal.run("bulk", "list", "-n", "shop").text
    assert table.splitlines()[1].split() == [
        OTHER_ID,
        "cancel",
        "running",
        "3",
        "2",
        "1",
        "6",
        "ada",
        "110s",
        "queue:mail",
    ]
    page = terminal.run("bulk", "show", OTHER_ID.upper(), "-n", "shop").text
    assert (
        "progress:   3 of 12 done, 2 skipped, 1 failed\nskipped:    2 have started\nfailures:   1 not_approved\n"
        in page
    )
    ran = terminal.run("bulk", "stop", OTHER_ID, "-n", "shop")
    assert (ran.text, ran.err) == (f"{OTHER_ID}\n", f"bulk {OTHER_ID} is stopped: 3 of 12 done\n")
    api.answers.clear()
    api.on("GET", "/api/v1/bulk/shop", {"items": []})
    assert terminal.run("bulk", "list", "-n", "shop").err == "no bulks in namespace shop\n"


def test_what_a_newer_server_says_can_be_shown(terminal: Terminal, api: FakeApi) -> None:
    found = bulk("waiting", verb="archive", skipped={"frozen": 1}, more=1)
    assert Bulk.model_validate(found).is_over
    api.on("GET", PATH, found)
    text = terminal.run("bulk", "show", OTHER_ID, "-n", "shop").text
    assert "verb:       archive\nstate:      waiting\n" in text
    assert "skipped:    1 frozen\n" in text


def test_help_teaches(terminal: Terminal) -> None:
    assert "--all" in terminal.run("rerun", "--help").text
    for verb in ("list", "show", "stop"):
        assert "Examples:" in terminal.run("bulk", verb, "--help").text
