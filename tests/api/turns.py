"""One address for several replicas of the API, which take turns, as behind a Service."""

from __future__ import annotations

import http.client
import itertools
import threading
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class TakingTurns:
    """Passes each POST on to the next replica; each verb begins with the first one. Close it in the end.

    Attributes:
        answered: the statuses of the answers, for each verb (the last part of the path).
    """

    def __init__(self, urls: Sequence[str]) -> None:
        self.answered: dict[str, list[int]] = defaultdict(list)
        self._turns: dict[str, Iterator[str]] = defaultdict(lambda: itertools.cycle(urls))
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

    def _pass_on(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        verb = path.rpartition("/")[2]
        replica = http.client.HTTPConnection(urlsplit(next(self._turns[verb])).netloc, timeout=60)
        replica.request("POST", path, body, headers)
        response = replica.getresponse()
        answer = response.read()
        replica.close()
        self.answered[verb].append(response.status)
        return response.status, answer

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        turns = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, answer = turns._pass_on(self.path, dict(self.headers), body)
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
                pass

        return Handler
