"""The API as the runner sees it, with scripted replies; every body must be one that the real API takes."""

from __future__ import annotations

import json
import threading
import zlib
from base64 import b64decode
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, cast

from bgjobs.protocol import MAX_CHUNK_BYTES, PROTOCOL_HEADER
from bgjobs.runner_wire import (
    BeatReply,
    BeatRequest,
    FinishReply,
    FinishRequest,
    StackReply,
    StackRequest,
    StartReply,
    StartRequest,
)

if TYPE_CHECKING:
    from collections.abc import Callable

DROP = "drop"  # in place of a reply: close the connection without one

_REQUESTS = {"start": StartRequest, "beat": BeatRequest, "finish": FinishRequest, "stack": StackRequest}
_REPLIES = {"start": StartReply, "beat": BeatReply, "finish": FinishReply, "stack": StackReply}

Reply = dict[str, Any] | int | str


def problem(status: int, code: str) -> dict[str, Any]:
    """A refusal in the form in which the API sends it."""
    return {"title": "No", "status": status, "detail": f"scripted {code}", "code": code}


class FakeApi:
    """Answers `start`, `beat`, `finish` and `stack`; the last scripted reply of each is repeated.

    A reply is the JSON object, or an HTTP status, or DROP. An object with `status` is a problem document of the API.
    """

    def __init__(self) -> None:
        self.start: deque[Reply] = deque()
        self.beat: deque[Reply] = deque([{"action": "continue"}])
        self.finish: deque[Reply] = deque([{"action": "recorded"}])
        self.stack: deque[Reply] = deque([{"action": "recorded"}])
        self.beat_seconds = 0.1
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.headers: list[dict[str, str]] = []
        self.connections = 0
        self.checks_replies = True
        self.beats_after = 0  # calls of finish: until then, each beat is answered with 503
        self.gaps: list[tuple[int, int]] = []
        self.on: dict[str, Callable[[], None]] = {}
        self._records = bytearray()
        self._next_offset = 0
        self._attempt: Any = 0
        self._changed = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def bodies(self, verb: str) -> list[dict[str, Any]]:
        return [body for what, body in self.requests if what == verb]

    def wait_for(self, condition: Callable[[FakeApi], object], timeout: float = 15) -> None:
        with self._changed:
            if not self._changed.wait_for(lambda: condition(self), timeout):
                raise AssertionError(f"it did not come: {self.requests}, log {self.log[:2000]}")

    @property
    def records(self) -> bytes:
        return bytes(self._records)

    @property
    def log(self) -> str:
        """The text of the log as a page shows it."""
        text: list[str] = []
        for line in self.records.decode().split("\n")[:-1]:
            moment, stream, rest = line.split(" ", 2)
            assert moment.isdecimal()
            assert stream in "oeOE"
            text.append(rest if stream.isupper() else f"{rest}\n")
        return "".join(text)

    def lines(self, stream: str) -> list[str]:
        """The texts of one stream's records."""
        cut = [line.split(" ", 2) for line in self.records.decode().split("\n")[:-1]]
        return [text for _, letter, text in cut if letter == stream]

    @property
    def progress(self) -> list[dict[str, Any]]:
        return [body["progress"] for body in self.bodies("beat") if body.get("progress")]

    def _take(self, chunk: dict[str, Any]) -> None:
        data = zlib.decompress(b64decode(chunk["data"], validate=True))
        assert len(data) <= MAX_CHUNK_BYTES
        assert data.endswith(b"\n")
        offset = chunk["offset"]
        if offset > self._next_offset:
            self.gaps.append((self._next_offset, offset))
            self._next_offset = offset
        new = data[self._next_offset - offset :]
        self._records += new
        self._next_offset += len(new)

    def _answer(self, verb: str, body: dict[str, Any]) -> Reply:
        with self._changed:
            self.requests.append((verb, body))
            script = cast("deque[Reply]", getattr(self, verb))
            reply = script.popleft() if len(script) > 1 else script[0]
            if verb == "beat" and len(self.bodies("finish")) < self.beats_after:
                reply = 503
            if verb == "beat" and isinstance(reply, dict):
                if body["attempt"] != self._attempt:  # each has a log of its own
                    self._attempt, self._next_offset = body["attempt"], 0
                if body.get("chunk") and reply.get("kept") is not False:
                    self._take(body["chunk"])
                if "action" in reply:
                    reply = {"beat_seconds": self.beat_seconds, "next_offset": self._next_offset, **reply}
            self._changed.notify_all()
        return reply

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                api.connections += 1

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                verb = self.path.rpartition("/")[2]
                _REQUESTS[verb].model_validate(body)
                assert self.headers[PROTOCOL_HEADER] == "1"
                api.headers.append(dict(self.headers))
                if verb in api.on:
                    api.on[verb]()
                reply = api._answer(verb, body)
                if reply == DROP:
                    self.close_connection = True
                    return
                status = reply if isinstance(reply, int) else cast("dict[str, Any]", reply).get("status", 200)
                if status == 200 and api.checks_replies:
                    _REPLIES[verb].model_validate(reply)
                data = json.dumps({"detail": f"scripted {status}"} if isinstance(reply, int) else reply).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
                pass

        return Handler
