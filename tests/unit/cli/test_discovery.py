"""Which server: the decision as a table, and the file of a local server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bgjobs.cli.exits import NoServerError, UsageError
from bgjobs.cli.reaching.discovery import ByFile, ByKubectl, ByUrl, Choice, Facts, decide
from bgjobs.connection import local_server
from bgjobs.connection.local_server import LocalServer

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


def test_whether_a_process_lives() -> None:
    import os  # noqa: PLC0415 - for this alone

    assert local_server.process_lives(os.getpid())
    assert not local_server.process_lives(2**22 + 1)
