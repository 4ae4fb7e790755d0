"""The forms of the pages, as browsers send them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from bgjobs_api.http import bodies
from bgjobs_api.http.problems import invalid

if TYPE_CHECKING:
    from fastapi import Request

_MAX_BYTES: Final = 16 * 1024


async def read(request: Request, *names: str) -> dict[str, str]:
    """The fields of a form, to be read when the rights are known.

    Raises:
        ProblemError: 422 for what is no form, and for a name that is not among these.
    """
    raw = await bodies.read(request, _MAX_BYTES)
    try:
        pairs = parse_qsl(raw.decode(), keep_blank_values=True, strict_parsing=bool(raw), errors="strict")
    except ValueError as error:
        raise invalid("", "the body is not a form") from error
    for name, _ in pairs:
        if name not in names:
            raise invalid(name, "there is no such field")
    return dict(pairs)
