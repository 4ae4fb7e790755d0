"""Which server: the decision as a table, and the file of a local server."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from bgjobs.cli.exits import NoServerError, UsageError
from bgjobs.cli.reaching.discovery import ByFile, ByKubectl, ByUrl, Choice, Facts, decide
from bgjobs.connection import local_server
from bgjobs.connection.local_server import LocalServer
from bgjobs.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

ALIVE = LocalServer("/src/.bgjobs/server.json", "http://127.0.0.1:8700", 123, "default", alive=True)
DEAD = LocalServer("/src/.bgjobs/server.json", "http://127.0.0.1:8700", 123, "default", alive=False)
BROKEN = LocalServer("/src/.bgjobs/server.json")
CURRENT = "kubectl's current context"
DEAD_NOTE = "/src/.bgjobs/server.json is ignored, because its server (process 123) is not running any more"
BROKEN_NOTE = "/src/.bgjobs/server.json is not a file of `bgjobs dev`, so it is ignored"


@pytest.mark.parametrize(
    ("facts", "choice"),
    [
        (Facts(url="http://a", environ_url="http://b", has_kubectl=True, local=ALIVE), ByUrl("http://a", "--url")),
        (Facts(environ_url="http://b", has_kubectl=True, local=ALIVE), ByUrl("http://b", "BGJOBS_URL")),
        (Facts(has_kubectl=True, local=ALIVE), ByFile("http://127.0.0.1:8700", "default", ALIVE.path)),
        (Facts(has_kubectl=True, local=DEAD), ByKubectl(None, CURRENT, DEAD_NOTE)),
        (Facts(has_kubectl=True, local=BROKEN), ByKubectl(None, CURRENT, BROKEN_NOTE)),
        (Facts(has_kubectl=True), ByKubectl(None, CURRENT)),
        (
            Facts(context="kind", environ_url="http://b", has_kubectl=True, local=ALIVE),
            ByKubectl("kind", "kubectl's context kind", asked_for=True),
        ),
        (
            Facts(kubectl_only=True, environ_url="http://b", has_kubectl=True, local=ALIVE),
            ByKubectl(None, CURRENT, asked_for=True),
        ),
        (Facts(url="http://a", kubectl_only=True, has_kubectl=True), ByUrl("http://a", "--url")),
    ],
)
def test_the_server(facts: Facts, choice: Choice) -> None:
    assert decide(facts) == choice


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (Facts(), r"`bgjobs dev`, or name one by BGJOBS_URL or --url, or choose a kubectl"),
        (Facts(local=DEAD), r"process 123"),
        (Facts(kubectl_only=True, environ_url="http://b"), "kubectl is not on PATH"),
        (Facts(context="kind"), "kubectl is not on PATH"),
    ],
)
def test_no_server(facts: Facts, words: str) -> None:
    with pytest.raises(NoServerError, match=words):
        decide(facts)


def test_two_servers() -> None:
    with pytest.raises(UsageError, match="two different servers"):
        decide(Facts(url="http://a", context="kind", has_kubectl=True))


def write(folder: Path, content: Any) -> Path:
    path = folder / ".bgjobs" / "server.json"
    path.parent.mkdir(parents=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    path.chmod(0o600)
    return path


GOOD: dict[str, Any] = {"url": "http://127.0.0.1:8700", "pid": 123, "namespace": "team"}


def test_the_nearest_file_counts(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    assert local_server.find(inner) is None

    path = write(tmp_path, GOOD)
    assert local_server.find(inner, lambda _: True) == LocalServer(str(path), GOOD["url"], 123, "team", alive=True)

    nearer = write(tmp_path / "a", GOOD | {"pid": 7})
    assert local_server.find(inner, lambda pid: pid != 7) == LocalServer(str(nearer), GOOD["url"], 7, "team")


@pytest.mark.parametrize(
    "content",
    ["{", "[]", {}, GOOD | {"pid": "1"}, GOOD | {"pid": 0}, GOOD | {"pid": True}, GOOD | {"url": "not a url"},
     GOOD | {"url": "http://evil.example"}, GOOD | {"url": 5}],
)  # fmt: skip
def test_a_file_that_cannot_be_used(tmp_path: Path, content: Any) -> None:
    path = write(tmp_path, content)

    assert local_server.find(tmp_path, lambda _: True) == LocalServer(str(path))


@pytest.mark.parametrize("mode", [0o601, 0o602, 0o604, 0o610, 0o620, 0o640, 0o666])
def test_a_file_that_others_may_read_or_write_is_refused(tmp_path: Path, mode: int) -> None:
    path = write(tmp_path, GOOD)
    path.chmod(mode)
    found = local_server.find(tmp_path, lambda _: True)
    assert found is not None
    assert (found.url, found.token) == (None, None)
    assert f"(mode {mode:o})" in found.refused
    with pytest.raises(NoServerError, match="remove the file and start `bgjobs dev` again"):
        decide(Facts(has_kubectl=True, local=found))


def test_a_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, GOOD)
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    found = local_server.find(tmp_path, lambda _: True)
    assert found is not None
    assert "belongs to another user" in found.refused
    with pytest.raises(NoServerError, match="name a server by BGJOBS_URL"):
        decide(Facts(has_kubectl=True, local=found))


def test_a_link_or_a_pipe_in_place_of_the_file_is_not_read(tmp_path: Path) -> None:
    other = write(tmp_path / "other", GOOD)
    (tmp_path / ".bgjobs").mkdir()
    (tmp_path / ".bgjobs/server.json").symlink_to(other)
    assert local_server.find(tmp_path) is None
    (tmp_path / ".bgjobs/server.json").unlink()
    os.mkfifo(tmp_path / ".bgjobs/server.json", 0o600)
    found = local_server.find(tmp_path)
    assert found is not None
    assert found.refused


def test_the_token_is_read_and_not_shown(tmp_path: Path) -> None:
    write(tmp_path, GOOD | {"token": "secret"})
    found = local_server.find(tmp_path, lambda _: True)
    assert found is not None
    assert found.token == "secret"
    assert "secret" not in repr(found)


def test_a_token_is_read_again_when_the_file_is_another_one(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD | {"token": "first"})
    found = local_server.find(tmp_path, lambda _: True)
    assert found is not None
    token = local_server.ServerToken(found)
    assert token() == "first"
    path.write_text(json.dumps(GOOD | {"token": "another one"}))
    assert token() == "another one"
    path.write_text(json.dumps(GOOD | {"token": "of another server", "url": "http://127.0.0.1:8701"}))
    assert token() == "another one"
    path.unlink()
    assert token() == "another one"
    path.write_text(json.dumps(GOOD | {"token": "open to all"}))
    path.chmod(0o644)
    with pytest.raises(ConfigurationError, match="mode 644"):
        token()


def test_whether_a_process_lives() -> None:
    assert local_server.process_lives(os.getpid())
    assert not local_server.process_lives(2**22 + 1)
