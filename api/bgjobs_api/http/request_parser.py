"""Which parser reads the bytes of a request: httptools with a fifth of h11's CPU, or h11 where it has no wheel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bgjobs_api.http.patient_h11 import PatientH11

try:
    from bgjobs_api.http.strict_httptools import StrictProtocol
except ImportError:
    StrictProtocol = None

if TYPE_CHECKING:
    import asyncio

PARSER: Final[type[asyncio.Protocol]] = StrictProtocol or PatientH11
