"""Reads requests by h11, and does not wait for ever for the rest of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from bgjobs_api.http.patience import LIMITS, Limits, Patience, Stage, after_data

if TYPE_CHECKING:
    import asyncio


class PatientH11(H11Protocol):
    """One connection."""

    limits: ClassVar[Limits] = LIMITS
    _patience: Patience

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] - as uvicorn
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._patience = Patience(self, self.limits)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._patience.end()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read what has come."""
        super().data_received(data)
        after_data(self, self._patience, self._stage(), self.flow.pause_reading)

    def _stage(self) -> Stage:
        if self.conn.their_state is h11.SEND_BODY:
            return "body"
        cycle = cast("Any", self.cycle)  # None until the first request
        is_free = cycle is None or cycle.response_complete
        return "head" if is_free and self.timeout_keep_alive_task is None else ""
