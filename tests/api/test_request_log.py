"""One line for each request."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import structlog

from bgjobs_api.http import request_log

if TYPE_CHECKING:
    import pytest
    from starlette.types import Receive, Scope, Send


async def test_a_status_is_logged_as_a_number_whatever_it_was_given_as(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = structlog.testing.LogCapture()
    told = structlog.make_filtering_bound_logger(logging.INFO)
    monkeypatch.setattr(request_log, "log", structlog.wrap_logger(None, [lines], wrapper_class=told))

    async def app(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": HTTPStatus.OK, "headers": []})

    async def nothing(*_: object) -> Any:
        """Neither is anything received nor sent."""

    await request_log.RequestLog(app)({"type": "http", "method": "GET", "path": "/jobs"}, nothing, nothing)
    (line,) = lines.entries
    assert (line["event"], repr(line["status"])) == ("request", "200")
