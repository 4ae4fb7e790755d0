"""Forms: read when the rights are known, and nothing in them but what the page has put there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from bgjobs_api.http import bodies
from bgjobs_api.http.problems import invalid

if TYPE_CHECKING:
    from fastapi import Request

MAX_BYTES: Final = 16 * 1024


async def fields(request: Request, *names: str) -> dict[str, str]:
    """The fields of a form; a name that is not among these is an error."""
    raw = await bodies.read(request, MAX_BYTES)
    try:
        pairs = parse_qsl(raw.decode(), keep_blank_values=True, strict_parsing=bool(raw), errors="strict")
    except ValueError as error:
        raise invalid("", "the body is not a form") from error
    for name, _ in pairs:
        if name not in names:
            raise invalid(name, "there is no such field")
    return dict(pairs)
