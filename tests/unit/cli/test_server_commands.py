"""`queues`, `token` and `doctor`, and which server and token a command takes."""

from __future__ import annotations

import json
import os
from importlib import metadata
from typing import TYPE_CHECKING

import httpx2

from bgjobs.connection.local_link import GOOD_SECONDS, read_code
from tests.unit.cli.fakes import JOBS, NOW, URL, problem, queue

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.fakes import FakeApi, Terminal


def test_queues(terminal: Terminal, api: FakeApi) -> None:
    api.on("GET", "/api/v1/queues", {"items": [queue(), queue(name="night", paused=True, image=None, queued=7)]})

    ran = terminal.run("queues", "-n", "shop")

    assert ran.text.splitlines() == [
        "NAMESPACE   NAME      PAUSED   RUNNING   MAX   WAITING   IMAGE    CLASSES",
        "shop        default   no       1         10    0         shop:1   shop.jobs.*",
        "shop        night     yes      1         10    7         -        shop.jobs.*",
    ]
    assert api.queries() == [{"namespace": "shop"}]
    assert terminal.run("queues", "-o", "name").text == "default\nnight\n"


def test_no_queues(terminal: Terminal, api: FakeApi) -> None:
    api.on("GET", "/api/v1/queues", {"items": []})

    ran = terminal.run("queues")

    assert (ran.text, ran.err) == ("", "no queues\n")


def test_token(terminal: Terminal) -> None:
    ran = terminal.run("token")
    assert (ran.code, ran.text) == (4, "")
    assert f"no token for {URL}: this command finds that of a `bgjobs dev` in its folder" in ran.err

    terminal.environ["BGJOBS_TOKEN"] = "secret"
    assert terminal.run("token").text == "secret\n"


def test_a_server_elsewhere_needs_a_token(terminal: Terminal, api: FakeApi) -> None:
    ran = terminal.run("list", "--url", "http://bgjobs-api.bgjobs")
    assert ran.code == 4
    assert "BGJOBS_TOKEN" in ran.err

    terminal.environ["BGJOBS_TOKEN"] = "secret"
    api.on("GET", JOBS, {"items": []})
    assert terminal.run("list", "--url", "http://bgjobs-api.bgjobs").code == 0
    assert api.requests[0].headers["Authorization"] == "Bearer secret"


def server_file(terminal: Terminal) -> Path:
    """Of a `bgjobs dev` that runs."""
    file = terminal.folder / ".bgjobs/server.json"
    file.parent.mkdir(exist_ok=True)
    file.touch(0o600)
    said = {"url": "http://127.0.0.1:8700", "pid": os.getpid(), "namespace": "local", "token": "of-the-file"}
    file.write_text(json.dumps(said))
    return file


def test_a_local_server_gets_its_own_token(terminal: Terminal, api: FakeApi) -> None:
    server_file(terminal)
    terminal.environ = {"PATH": "", "BGJOBS_TOKEN": "secret"}
    api.on("GET", JOBS, {"items": []})

    assert terminal.run("list").code == 0
    assert api.requests[0].url.port == 8700
    assert api.queries() == [{"namespace": "local", "limit": "50"}]
    assert api.requests[0].headers["Authorization"] == "Bearer of-the-file"
    assert terminal.run("token").text == "of-the-file\n"
    assert terminal.run("token", "--url", "http://127.0.0.1:8700").text == "of-the-file\n"
    # Another server of this machine is not shown it.
    assert terminal.run("list", "--url", "http://127.0.0.1:8701").code == 0
    assert api.requests[-1].headers["Authorization"] == "Bearer secret"


def test_a_link_to_a_local_server(terminal: Terminal) -> None:
    server_file(terminal)
    terminal.environ = {"PATH": ""}
    ran = terminal.run("link")
    assert (ran.code, ran.err) == (0, "")
    found = read_code(ran.text.removeprefix("http://127.0.0.1:8700/local/sign-in?code=").strip(), "of-the-file")
    assert found is not None
    assert found.until == int(NOW) + GOOD_SECONDS
    ran = terminal.run("link", "--url", URL)
    assert (ran.code, ran.text) == (2, "")
    assert "links are for `bgjobs dev`" in ran.err


def test_a_file_that_others_may_read_is_refused(terminal: Terminal, api: FakeApi) -> None:
    server_file(terminal).chmod(0o640)
    terminal.environ = {"PATH": ""}
    ran = terminal.run("list")
    assert ran.code == 6
    assert "can be read or changed by other users of this machine (mode 640)" in ran.err
    assert "remove the file and start `bgjobs dev` again" in ran.err
    assert api.requests == []


def test_no_server(terminal: Terminal) -> None:
    terminal.environ = {"PATH": ""}

    ran = terminal.run("list")

    assert ran.code == 6
    assert ran.err.startswith("bgjobs: no server: start one here with `bgjobs dev`")
    assert ran.err.count("\n") == 1


def test_doctor(terminal: Terminal, api: FakeApi) -> None:
    # Ten minutes behind the command's clock.
    date = {"Date": "Tue, 24 Nov 2026 09:50:00 GMT"}
    evicts = {"code": "redis_may_lose_writes", "detail": "Redis has appendfsync everysec", "remedy": "redis-cli x"}
    api.on("GET", "/healthz", httpx2.Response(200, json={"status": "ok"}, headers=date))
    api.on("GET", "/readyz", {"version": metadata.version("bgjobs"), "problems": {}, "warnings": [evicts]})
    api.on("GET", JOBS, {"items": []})
    api.on("POST", JOBS, problem(422, "there is no queue", code="queue_not_found"))
    api.on("GET", "/api/v1/queues", {"items": [queue(), queue(name="night", paused=True)]})

    ran = terminal.run("doctor", "-n", "shop")

    assert ran.code == 0
    lines = ran.text.splitlines()
    assert [line[:6].strip() for line in lines] == [
        "ok", "ok", "ok", "ok", "warn", "", "warn", "", "ok", "ok", "warn", "",
    ]  # fmt: skip
    assert f"{URL} (by BGJOBS_URL)" in lines[0]
    assert lines[4:6] == ["warn  Redis has appendfsync everysec", "      redis-cli x"]
    assert "this machine's clock is 600 s ahead of the server's" in lines[6]
    assert api.bodies()[0]["queue"] == "no-such-queue-of-bgjobs-doctor"

    found = json.loads(terminal.run("doctor", "-n", "shop", "-o", "json").text)
    assert [one["code"] for one in found if one["level"] == "warn"] == [
        "redis_may_lose_writes",
        "clock",
        "queue_paused",
    ]
    assert found[4]["remedy"] == "redis-cli x"
    assert "level: warn" in terminal.run("doctor", "-o", "yaml").text
    assert terminal.run("doctor", "-o", "name").code == 2


def test_doctor_finds_a_fault(terminal: Terminal, api: FakeApi) -> None:
    terminal.environ = {"PATH": ""}
    ran = terminal.run("doctor")
    assert ran.code == 1
    assert ran.text.startswith("FAIL  server: none\n      no server: start one here")

    terminal.environ = {"PATH": "", "BGJOBS_URL": URL}
    api.on("GET", "/healthz", httpx2.ConnectError("refused"))
    ran = terminal.run("doctor")
    assert ran.code == 1
    assert "FAIL  it does not answer: ConnectError: refused" in ran.text
