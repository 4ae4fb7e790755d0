"""Sends log, progress, checkpoints and stacks to the API on a thread of its own.

Job and API do not wait for each other.
"""

from __future__ import annotations

import json
import threading
import zlib
from binascii import b2a_base64
from contextlib import suppress

from bgjobs.connection.retry import backoff_seconds, random_jitter
from bgjobs.errors import BgjobsError, RefusedError
from bgjobs.light_typing import TYPE_CHECKING
from bgjobs.protocol import GO_AWAY, STOP
from bgjobs.runner.mirror import say

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from bgjobs.runner.api import RunnerApi
    from bgjobs.runner.output import Chunk, LogBuffer


class Reporter:
    """Sends the beats of one attempt: what one beat could not send, the next one sends.

    Args:
        api: the connection to use.
        attempt: the attempt's number, from 1.
        log: where the records to send are.
        beat_seconds: the time between two beats; each reply may change it.
        on_order: called on the reporter's thread when the API has given an order.

    Attributes:
        order: the latest order of the API, `stop` or `go_away`; None until there is one.
        stack_wish: the number of the latest wish of somebody for the stacks of the job; 0 until there is one.
        has_room: whether the API had room for what the latest beat brought. If not, it is sent again.
    """

    def __init__(
        self, api: RunnerApi, attempt: int, log: LogBuffer, beat_seconds: float, on_order: Callable[[], None]
    ) -> None:
        self.order: str | None = None
        self.stack_wish = 0
        self.has_room = True
        self._api = api
        self._attempt = attempt
        self._log = log
        self._beat_seconds = beat_seconds
        self._on_order = on_order
        self._progress: dict[str, Any] | None = None
        self._checkpoint: str | None = None  # the latest one
        self._saved: str | None = None  # the one that the API has
        self._stacks: tuple[int, str] | None = None  # not sent yet: to which wish, and the text
        self._lock = threading.Lock()
        self._is_ended = False
        self._soon = threading.Event()  # it has ended, or there is something to send that somebody waits for
        self._thread = threading.Thread(target=self._run, name="beat", daemon=True)

    def start(self) -> None:
        """Start the thread that sends the beats."""
        self._thread.start()

    def end(self, timeout: float) -> bool:
        """Stop sending beats, and wait so many seconds for the thread.

        Returns:
            Whether the thread has ended. If it has not, a beat is still under way and uses the connection.
        """
        self._is_ended = True
        self._soon.set()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def use(self, api: RunnerApi) -> None:
        """Use this connection from now on."""
        self._api = api

    def progress(self, progress: dict[str, Any]) -> None:
        """Send this progress (the fields of `wire.Progress`) with the next beat, instead of any older one."""
        with self._lock:
            self._progress = progress

    def checkpoint(self, text: str) -> None:
        """Send this checkpoint (JSON) with the next beat, instead of any older one."""
        self._checkpoint = text

    def stacks(self, wish: int, text: str) -> None:
        """Send the stacks of the job's process now, as the answer to this wish."""
        self._stacks = (wish, text)
        self._soon.set()

    @property
    def unsaved(self) -> str | None:
        """The latest checkpoint, if the API does not have it."""
        return None if self._checkpoint == self._saved else self._checkpoint

    @property
    def behind(self) -> bool:
        """Whether there is log, progress or a checkpoint that the API does not have."""
        return self._progress is not None or self.unsaved is not None or self._log.start < self._log.end

    def beat(self, timeout: float | None = None) -> bool:
        """Send the next chunk of the log, the latest progress, and the latest checkpoint if the API does not have it.

        Args:
            timeout: seconds for the request; None takes that of the settings.

        Returns:
            Whether the API has more than before.

        Raises:
            BgjobsError: if it could not be sent; the next beat sends it again.
        """
        chunk = self._log.take()
        with self._lock:
            progress, self._progress = self._progress, None
        checkpoint = self.unsaved
        try:
            reply = self._api.call("beat", _body(self._attempt, chunk, progress, checkpoint), timeout)
        except BgjobsError:
            self._put_back(progress)
            raise
        self._beat_seconds = max(0.1, _number(reply.get("beat_seconds"), self._beat_seconds))
        order = reply.get("action")
        if order in (STOP, GO_AWAY) and order != self.order:
            self.order = order
            self._on_order()
        wish = int(_number(reply.get("stack"), self.stack_wish))
        if wish != self.stack_wish:
            self.stack_wish = wish
            self._on_order()
        # An older server does not say it: it refuses the whole beat.
        self.has_room = reply.get("kept") is not False
        if not self.has_room:
            self._put_back(progress)
        elif checkpoint is not None:
            self._saved = checkpoint
        further = chunk is not None and self._log.received(int(_number(reply.get("next_offset"), 0)))
        return further or (bool(progress or checkpoint) and chunk is None and self.has_room)

    def _put_back(self, progress: dict[str, Any] | None) -> None:
        with self._lock:
            self._progress = self._progress or progress

    def catch_up(self) -> None:
        """Send beats until the API has everything that is there now; what is printed meanwhile waits for the next time.

        Raises:
            BgjobsError: as `beat` raises it.
        """
        until = self._log.end
        while self.beat() and self._log.start < until and not self._is_ended:
            pass

    def _send_stacks(self) -> None:
        """Send the stacks that somebody waits for; what the API refuses, nobody wants any more.

        Raises:
            UnreachableError: if they could not be sent; the next beat tries again.
        """
        answer = self._stacks
        if answer is None:
            return
        with suppress(RefusedError):
            self._api.call("stack", {"attempt": self._attempt, "number": answer[0], "text": answer[1]})
        if self._stacks is answer:
            self._stacks = None

    def _run(self) -> None:
        failures, complained = 0, False
        pause = self._beat_seconds
        while not self._rest(pause):
            try:
                self.catch_up()
                self._send_stacks()
                failures, pause = 0, self._beat_seconds
                problem = None if self.has_room else "the store of bgjobs is full"
            except BgjobsError as error:
                # Soon again: the next try may reach another replica of the API, and an order to stop may wait there.
                failures += 1
                pause = min(self._beat_seconds, backoff_seconds(failures, random_jitter()))
                problem = str(error)
            if problem and not complained:
                say(f"{problem}; log, progress and checkpoint are kept, and sent again with the next beat")
            complained = problem is not None
            if self.order == GO_AWAY:
                return

    def _rest(self, pause: float) -> bool:
        """Wait until the next beat is due; return whether no other one is to be sent."""
        self._soon.wait(pause)
        self._soon.clear()
        return self._is_ended


def _body(attempt: int, chunk: Chunk | None, progress: dict[str, Any] | None, checkpoint: str | None) -> dict[str, Any]:
    body: dict[str, Any] = {"attempt": attempt}
    if chunk is not None:
        data = b2a_base64(zlib.compress(chunk.records), newline=False).decode("ascii")
        body["chunk"] = {"offset": chunk.offset, "data": data}
    if progress is not None:
        body["progress"] = progress
    if checkpoint is not None:
        body["checkpoint"] = json.loads(checkpoint)
    return body


def _number(value: object, default: float) -> float:
    return value if isinstance(value, (int, float)) else default
