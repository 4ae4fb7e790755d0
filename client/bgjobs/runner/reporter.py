"""Tells the API how the attempt goes, on a thread of its own, so that neither waits for the other."""

from __future__ import annotations

import threading
import zlib
from binascii import b2a_base64
from typing import TYPE_CHECKING, Any

from bgjobs.errors import BgjobsError
from bgjobs.protocol import GO_AWAY, STOP
from bgjobs.runner.mirror import say

if TYPE_CHECKING:
    from collections.abc import Callable

    from bgjobs.runner.api import RunnerApi
    from bgjobs.runner.output import Chunk, LogBuffer


class Reporter:
    """The beat of one attempt. What could not be sent is sent by the next one.

    Attributes:
        order: the last order of the API, `stop` or `go_away`; None until there is one.
    """

    def __init__(
        self, api: RunnerApi, attempt: int, log: LogBuffer, beat_seconds: float, on_order: Callable[[], None]
    ) -> None:
        self.order: str | None = None
        self._api = api
        self._attempt = attempt
        self._log = log
        self._beat_seconds = beat_seconds
        self._on_order = on_order
        self._progress: dict[str, Any] | None = None
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="beat", daemon=True)

    def start(self) -> None:
        """Begin to beat."""
        self._thread.start()

    def end(self, timeout: float) -> bool:
        """Stop to beat; whether the thread has ended, so that its connection is free."""
        self._ended.set()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def use(self, api: RunnerApi) -> None:
        """Beat over this connection from now on."""
        self._api = api

    def progress(self, progress: dict[str, Any]) -> None:
        """Say this with the next beat, in place of what was to be said."""
        with self._lock:
            self._progress = progress

    @property
    def behind(self) -> bool:
        """Whether the API lacks log or progress."""
        return self._progress is not None or self._log.start < self._log.end

    def beat(self, timeout: float | None = None) -> bool:
        """Send one chunk and the progress; whether the API is any further for it.

        Raises:
            BgjobsError: if it could not be sent.
        """
        chunk = self._log.take()
        with self._lock:
            progress, self._progress = self._progress, None
        try:
            reply = self._api.call("beat", _body(self._attempt, chunk, progress), timeout)
        except BgjobsError:
            with self._lock:
                self._progress = self._progress or progress
            raise
        self._beat_seconds = max(0.1, _number(reply.get("beat_seconds"), self._beat_seconds))
        order = reply.get("action")
        if order in (STOP, GO_AWAY) and order != self.order:
            self.order = order
            self._on_order()
        further = chunk is not None and self._log.received(int(_number(reply.get("next_offset"), 0)))
        return further or (progress is not None and chunk is None)

    def catch_up(self) -> None:
        """Beat until the API has what is there now; what a chatty job prints meanwhile can wait.

        Raises:
            BgjobsError: as `beat`.
        """
        until = self._log.end
        while self.beat() and self._log.start < until and not self._ended.is_set():
            pass

    def _run(self) -> None:
        complained = False
        while not self._ended.wait(self._beat_seconds):
            try:
                self.catch_up()
                complained = False
            except BgjobsError as error:
                if not complained:
                    say(f"{error}; it is tried again with the next beat")
                complained = True
            if self.order == GO_AWAY:
                return


def _body(attempt: int, chunk: Chunk | None, progress: dict[str, Any] | None) -> dict[str, Any]:
    body: dict[str, Any] = {"attempt": attempt}
    if chunk is not None:
        data = b2a_base64(zlib.compress(chunk.records), newline=False).decode("ascii")
        body["chunk"] = {"offset": chunk.offset, "data": data}
    if progress is not None:
        body["progress"] = progress
    return body


def _number(value: object, default: float) -> float:
    return value if isinstance(value, (int, float)) else default
