"""The trace that a request belongs to, by the header that programs with tracing send by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgjobs import trace

if TYPE_CHECKING:
    from starlette.requests import Request

HEADER = "traceparent"


def traceparent(request: Request) -> str | None:
    """What the header says; None without one, and with one that is not well formed, as W3C Trace Context asks."""
    found = request.headers.get(HEADER)
    return found if found is not None and trace.objection(found) is None else None
