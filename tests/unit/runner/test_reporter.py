"""What a beat sends and how often, without a network."""

from __future__ import annotations

import zlib
from base64 import b64decode
from typing import TYPE_CHECKING, Any, cast

import pytest

from bgjobs.errors import UnreachableError
from bgjobs.runner.output import LogBuffer
from bgjobs.runner.reporter import Reporter

if TYPE_CHECKING:
    from collections.abc import Callable

    from bgjobs.runner.api import RunnerApi

LINE = b"1 o %s\n" % (b"x" * 993)


class Api:
    """Takes every chunk, after doing something."""

    def __init__(self, log: LogBuffer) -> None:
        self.log = log
        self.bodies: list[dict[str, Any]] = []
        self.does: Callable[[], object] = lambda: None
        self.action = "continue"

    def call(self, verb: str, body: dict[str, Any], timeout: float | None = None) -> dict[str, Any]:
        assert (verb, timeout) == ("beat", None)
        self.does()
        self.bodies.append(body)
        chunk = body.get("chunk")
        end = chunk["offset"] + len(zlib.decompress(b64decode(chunk["data"]))) if chunk else 0
        return {"action": self.action, "beat_seconds": 10, "next_offset": end}


@pytest.fixture
def log() -> LogBuffer:
    return LogBuffer()


@pytest.fixture
def api(log: LogBuffer) -> Api:
    return Api(log)


@pytest.fixture
def orders() -> list[str]:
    return []


@pytest.fixture
def reporter(api: Api, log: LogBuffer, orders: list[str]) -> Reporter:
    return Reporter(cast("RunnerApi", api), 1, log, 10, lambda: orders.append("order"))


def test_a_beat_without_news_is_a_sign_of_life(reporter: Reporter, api: Api) -> None:
    reporter.catch_up()

    assert api.bodies == [{"attempt": 1}]


def test_what_is_there_goes_in_as_many_beats_as_it_takes(reporter: Reporter, api: Api, log: LogBuffer) -> None:
    log.append(LINE * 700)

    reporter.catch_up()

    assert len(api.bodies) == 3
    assert not reporter.behind


def test_a_chatty_job_does_not_keep_the_api_busy(reporter: Reporter, api: Api, log: LogBuffer) -> None:
    log.append(LINE)
    api.does = lambda: log.append(LINE)

    reporter.catch_up()

    assert len(api.bodies) == 1
    assert reporter.behind


def test_progress_that_could_not_be_sent_is_sent_next_time_unless_there_is_newer(reporter: Reporter, api: Api) -> None:
    def fail() -> None:
        raise UnreachableError("away")

    api.does = fail
    reporter.progress({"done": 1})
    with pytest.raises(UnreachableError):
        reporter.catch_up()
    assert reporter.behind

    def newer() -> None:
        reporter.progress({"done": 2})
        fail()

    api.does = newer
    with pytest.raises(UnreachableError):
        reporter.catch_up()
    api.does = lambda: None
    reporter.catch_up()

    assert [body["progress"] for body in api.bodies] == [{"done": 2}]
    assert not reporter.behind


def test_an_order_is_told_once(reporter: Reporter, api: Api, orders: list[str]) -> None:
    api.action = "stop"
    reporter.catch_up()
    reporter.catch_up()

    assert (reporter.order, orders) == ("stop", ["order"])
    api.action = "go_away"
    reporter.catch_up()
    assert (reporter.order, orders) == ("go_away", ["order", "order"])


def test_a_checkpoint_is_sent_when_it_has_changed(reporter: Reporter, api: Api) -> None:
    for text in ('{"row":1}', '{"row":1}', '{"row":2}', "null"):
        reporter.checkpoint(text)
        reporter.catch_up()
        reporter.catch_up()

    assert [body["checkpoint"] for body in api.bodies if "checkpoint" in body] == [{"row": 1}, {"row": 2}, None]
    assert not reporter.behind


def test_of_checkpoints_only_the_latest_is_sent_however_the_beats_go(reporter: Reporter, api: Api) -> None:
    def fail() -> None:
        raise UnreachableError("away")

    reporter.checkpoint('{"row":1}')
    api.does = fail
    with pytest.raises(UnreachableError):
        reporter.catch_up()
    assert (reporter.behind, reporter.unsaved) == (True, '{"row":1}')
    reporter.checkpoint('{"row":2}')
    api.does = lambda: reporter.checkpoint('{"row":1}')  # while the beat is under way, the job goes back
    reporter.catch_up()
    assert reporter.unsaved == '{"row":1}'
    api.does = lambda: None
    reporter.catch_up()

    assert [body["checkpoint"] for body in api.bodies if "checkpoint" in body] == [{"row": 2}, {"row": 1}]
    assert reporter.unsaved is None
