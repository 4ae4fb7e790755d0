"""A kubectl that is a shell script, in front of an HTTP server of this process."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SCRIPT = """\
#!/bin/sh
cd "{folder}"
echo "$*" >> calls
for word in "$@"; do
    if [ -e "fail-$word" ]; then cat "fail-$word" >&2; exit 1; fi
done
case "$*" in
    *"config view"*) cat config ;;
    *"get service -A"*) cat services ;;
    *"get service -n"*) cat services-of-one ;;
    *"get deployments.apps"*) cat installation ;;
    *"create token"*) echo "token $(grep -c 'create token' calls)" ;;
    *port-forward*)
        echo $$ > pid
        echo "Forwarding from 127.0.0.1:{port} -> 8080"
        exec tail -f /dev/null
        ;;
esac
"""


@dataclass
class FakeKubectl:
    """What it says is in files of its folder.

    Attributes:
        folder: to be put on PATH.
        port: that it claims to forward.
    """

    folder: Path
    port: int = 1

    def __post_init__(self) -> None:
        script = self.folder / "kubectl"
        script.write_text(SCRIPT.format(folder=self.folder, port=self.port))
        script.chmod(0o755)
        self.says("config", {"contexts": [{"name": "kind", "context": {"namespace": "shop"}}]})
        self.services("bgjobs/bgjobs-api")
        self.says("services-of-one", {"items": []})
        self.says("installation", {"items": []})

    @property
    def program(self) -> str:
        return str(self.folder / "kubectl")

    @property
    def environ(self) -> dict[str, str]:
        return {"PATH": f"{self.folder}:/usr/bin:/bin"}

    @property
    def calls(self) -> list[str]:
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.exists() else []

    @property
    def pid(self) -> int:
        """Of the last one that forwards."""
        return int((self.folder / "pid").read_text())

    def says(self, file: str, value: Any) -> None:
        (self.folder / file).write_text(json.dumps(value))

    def services(self, *names: str, file: str = "services") -> None:
        """Those of these namespaces and names, as the chart makes them; one with a `!` has our labels alone."""
        items: list[dict[str, Any]] = []
        for namespace, _, name in (one.partition("/") for one in names):
            labels = {f"app.kubernetes.io/{key}": value for key, value in (
                ("name", "bgjobs"), ("instance", "bgjobs"), ("component", "api"),
            )}  # fmt: skip
            selector = {"app": "mine"} if name.endswith("!") else labels
            metadata = {"namespace": namespace, "name": name.rstrip("!"), "labels": labels}
            items.append({"metadata": metadata, "spec": {"selector": selector}})
        self.says(file, {"items": items})

    def fails(self, word: str, words: str) -> None:
        """Any call that has this word fails and says these."""
        (self.folder / f"fail-{word}").write_text(words)


@dataclass
class HttpApi:
    """A real server; the answer to each request is JSON of `answer(path)`."""

    answer: Callable[[str], Any]
    requests: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    asked: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                api.requests.append((self.path, self.headers.get("Authorization", "")))
                content = json.dumps(api.answer(self.path)).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
                api.asked.set()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the standard library's name
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
