"""Which server and which token."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from bgjobs import ConfigurationError, JobClient
from bgjobs.connection.retry import backoff_seconds, random_jitter, retry_after_seconds
from bgjobs.connection.server import TokenFile, parse_url
from bgjobs.connection.settings import find_server, find_token

if TYPE_CHECKING:
    from pathlib import Path

REMOTE = parse_url("https://jobs.example")


@pytest.mark.parametrize(
    ("url", "shown", "is_local"),
    [
        ("http://localhost:8000", "http://localhost:8000", True),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000", True),
        ("http://[::1]:8000", "http://[::1]:8000", True),
        ("https://localhost", "https://localhost:443", False),
        ("http://bgjobs-api.bgjobs.svc", "http://bgjobs-api.bgjobs.svc:80", False),
        (" https://jobs.example/base/ ", "https://jobs.example:443/base", False),
        ("http://localhost.example", "http://localhost.example:80", False),
    ],
)
def test_urls(url: str, shown: str, is_local: bool) -> None:
    address = parse_url(url)

    assert (address.url, address.is_local) == (shown, is_local)


@pytest.mark.parametrize(
    "url",
    [
        "http://bgjobs-api.bgjobs.svc",
        "http://bgjobs-api.bgjobs.svc:0",
        "http://bgjobs-api.bgjobs.svc:8000/a/B_c~1.x/",
        "https://jobs.example//",
        "https://jobs.example:65535/a//b",
    ],
)
def test_a_plain_url_is_read_as_urllib_reads_it(url: str) -> None:
    plain = parse_url(url)

    assert plain == parse_url(f" {url}")  # which is not so plain


@pytest.mark.parametrize(
    "url",
    [
        "http://h:",
        "http://H.example",
        "http://a..b:080",
        "http://h/ä",
        "http://h/%20",
        "http://h/a;b",
        "http://user@h",
        "http://h?x",
        "http://h#x",
        f"http://h:{'9' * 5000}",
        "http://h:٣",
    ],
)
def test_any_other_url_is_left_to_urllib(url: str) -> None:
    def read(text: str) -> object:
        try:
            return parse_url(text)
        except ConfigurationError as error:
            return str(error).replace(repr(text), repr(text.strip()))

    assert read(url) == read(f" {url}")


@pytest.mark.parametrize(
    "url",
    [
        "jobs.example",
        "ftp://jobs.example",
        "http://",
        "http://a:b",
        "http://h:99999",
        "https://h?x=1",
        "https://u:p@h",
        "http://[x",
    ],
)
def test_no_urls(url: str) -> None:
    with pytest.raises(ConfigurationError):
        parse_url(url)


def test_the_argument_wins_over_the_environment() -> None:
    environ = {"BGJOBS_URL": "http://localhost:1"}

    assert find_server("http://localhost:2", environ).port == 2
    assert find_server(None, environ).port == 1


@pytest.mark.parametrize("environ", [{}, {"BGJOBS_URL": ""}])
def test_without_a_server_the_message_says_what_to_set(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="BGJOBS_URL=http"):
        find_server(None, environ)


def test_where_a_token_comes_from(tmp_path: Path) -> None:
    named, usual, none = tmp_path / "named", tmp_path / "usual", str(tmp_path / "none")
    named.write_text("from a named file\n", encoding="ascii")
    usual.write_text("from the usual file\n", encoding="ascii")
    environ = {"BGJOBS_TOKEN": "from a variable", "BGJOBS_TOKEN_FILE": str(named)}

    assert find_token("given", REMOTE, environ, str(usual))() == "given"
    assert find_token(None, REMOTE, environ, str(usual))() == "from a variable"
    del environ["BGJOBS_TOKEN"]
    assert find_token(None, REMOTE, environ, str(usual))() == "from a named file"
    assert find_token(None, REMOTE, {}, str(usual))() == "from the usual file"
    assert find_token(None, parse_url("http://localhost"), {}, none)() is None
    with pytest.raises(ConfigurationError, match="set BGJOBS_TOKEN, or BGJOBS_TOKEN_FILE"):
        find_token(None, REMOTE, {}, none)


@pytest.mark.parametrize("token", ["two\nlines", "ümlaut"])
def test_a_token_that_cannot_be_sent(token: str) -> None:
    with pytest.raises(ConfigurationError, match="no token can have"):
        find_token(token, REMOTE, {})


def test_a_client_needs_a_server_at_once() -> None:
    with pytest.raises(ConfigurationError):
        JobClient(environ={})


def test_a_token_file_is_read_again_after_a_minute(tmp_path: Path) -> None:
    now = 0.0
    path = tmp_path / "token"
    path.write_text("one", encoding="ascii")
    file = TokenFile(str(path), clock=lambda: now)
    assert file.read() == "one"

    path.write_text("two", encoding="ascii")
    assert file.read() == "one"
    now = 61.0
    assert file.read() == "two"
    path.write_text("three", encoding="ascii")
    assert file.read(fresh=True) == "three"


@pytest.mark.parametrize("content", [None, b"", b"\xff"], ids=["gone", "empty", "no text"])
def test_a_token_stays_good_while_its_file_is_replaced(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "token"
    path.write_text("one", encoding="ascii")
    file = TokenFile(str(path), max_age_seconds=-1)
    assert file.read() == "one"

    path.unlink()
    if content is not None:
        path.write_bytes(content)

    assert file.read() == "one"
    with pytest.raises(ConfigurationError, match="token"):
        TokenFile(str(path)).read()


def test_backoff_doubles_up_to_a_limit() -> None:
    assert [backoff_seconds(failures, 1.0) for failures in (1, 2, 3, 6, 7, 1000)] == [0.25, 0.5, 1.0, 8.0, 8.0, 8.0]
    assert backoff_seconds(3, 0.0) == 0.5
    assert 0 <= random_jitter() <= 1


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7), (None, None), ("soon", None), ("-1", None), ("Wed, 21 Oct", None)]
)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(header) == seconds


def test_a_local_server_of_this_folder_is_found_while_it_runs(tmp_path: Path) -> None:
    inner = tmp_path / "src" / "shop"
    inner.mkdir(parents=True)
    (tmp_path / ".bgjobs").mkdir()
    file = tmp_path / ".bgjobs/server.json"
    file.touch(0o600)
    file.write_text(json.dumps({"url": "http://127.0.0.1:8701", "pid": os.getpid(), "namespace": "shop"}))
    assert find_server(None, {}, inner).url == "http://127.0.0.1:8701"
    assert find_server(None, {"BGJOBS_URL": "http://other"}, inner).host == "other"
    file.write_text(json.dumps({"url": "http://127.0.0.1:8701", "pid": 2**22 + 1, "namespace": "shop"}))
    with pytest.raises(ConfigurationError, match="bgjobs dev"):
        find_server(None, {}, inner)


def test_the_token_of_a_local_server_is_in_its_file(tmp_path: Path) -> None:
    (tmp_path / ".bgjobs").mkdir()
    file = tmp_path / ".bgjobs/server.json"
    file.touch(0o600)
    said = {"url": "http://127.0.0.1:8701", "pid": os.getpid(), "namespace": "shop", "token": "of-the-file"}
    file.write_text(json.dumps(said))
    none = str(tmp_path / "none")

    def token(url: str, environ: dict[str, str]) -> str | None:
        return find_token(None, parse_url(url), environ, none, tmp_path)()

    ours = said["url"]
    elsewhere = {"BGJOBS_TOKEN": "of-a-cluster", "BGJOBS_URL": "https://jobs.example"}
    assert token(str(ours), {}) == "of-the-file"
    assert token(str(ours), elsewhere) == "of-the-file"
    assert token(str(ours), {"BGJOBS_TOKEN": "of-a-cluster"}) == "of-the-file"
    # As the job of a local server, which has a token of its own.
    assert token(str(ours), {"BGJOBS_TOKEN": "of-the-pod", "BGJOBS_URL": str(ours)}) == "of-the-pod"
    assert token(str(ours), {"BGJOBS_URL": str(ours)}) == "of-the-file"
    # Behind these may be somebody else's.
    for url in ("http://127.0.0.1:8702", "http://localhost:8701", "http://[::1]:8701"):
        assert token(url, {}) is None
    assert find_token("given", parse_url(str(ours)), {}, none, tmp_path)() == "given"
    assert find_token(lambda: "made", parse_url(str(ours)), elsewhere, none, tmp_path)() == "made"

    file.chmod(0o604)
    with pytest.raises(ConfigurationError, match="remove the file"):
        find_server(None, {}, tmp_path)
    assert token(str(ours), {}) is None
