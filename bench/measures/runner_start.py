"""What a job pays before its first line: the processor time of the runner's two processes.

Measured: a supervisor as the container of a job starts it, with an API beside it that answers at once, and its child,
whose first line of job code reads the processor time of both. Nothing else has run then: the API has been asked, and
the call was sent. Beside them, in turns: a Python that does nothing, and one that imports `json`, `socket` and
`threading`, without which no process can be asked for a result by its network.

By arithmetic: each of the two is a Python, which takes 10 to 15 ms of a core that is as slow as this one. `json` takes
10 ms, because it loads `re` and `enum`; sockets and threads take 5 ms in the supervisor, `traceback` 3 ms in the
child. Some twenty small modules of our own are 5 to 8 ms in each, the other process and one call of the API some more.
So each of the two should take about twice as much as a Python with these modules. Outside of a pod, as here, each loads
`ctypes` as well, 2 ms.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.benchmark import Benchmark
from bench.errors import BenchError
from bench.machine import ROOT
from bench.results import OURS, Result, Verdict, figure
from bench.turns import take_turns
from bgjobs.ids import new_job_id
from bgjobs.runner.settings import ENV_JOB_PATH, ENV_TERMINATION_FILE

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.terminal import Progress
    from bench.turns import Measures

SUPERVISOR: Final = "processor until the first line: the supervisor"
CHILD: Final = "processor until the first line: the job's process"
BOTH: Final = "processor until the first line: both"
_NOTHING: Final = "python -c pass"
_LOADED: Final = "python with json, sockets and threads"
_MODULE: Final = "bench.subjects.first_line"
_BEAT_SECONDS: Final = 60
_MOST_MS: Final = 60.0
_MOST_TIMES: Final = 3.0


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Attributes:
        rounds: how many jobs are run.
    """

    rounds: int = 30


class _Api:
    """Tells each runner to run the job, and remembers what its method has returned."""

    def __init__(self) -> None:
        self.returned: list[dict[str, float]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self) -> _Api:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer(self, verb: str, body: dict[str, Any]) -> dict[str, Any]:
        """What the API says."""
        if verb == "start":
            return {
                "action": "run", "attempt": 1, "max_retries": 0, "class": _MODULE, "method": "look", "parameters": [],
                "approved_classes": [_MODULE], "timeout_seconds": 60, "beat_seconds": _BEAT_SECONDS, "checkpoint": None,
                "retries_in_pod": True,
            }  # fmt: skip
        if verb == "beat":
            return {"action": "continue", "beat_seconds": _BEAT_SECONDS, "next_offset": sys.maxsize}
        if body.get("result") is not None:
            self.returned.append(body["result"])
        return {"action": "recorded"}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                data = json.dumps(api.answer(self.path.rpartition("/")[2], body)).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
                pass

        return Handler


def _job(api: _Api, folder: Path) -> Measures:
    (folder / "token").write_text("a token", encoding="ascii")
    environment = {
        **os.environ,
        "BGJOBS_URL": api.url,
        "BGJOBS_TOKEN_FILE": str(folder / "token"),
        "BGJOBS_NAMESPACE": "bench",
        "BGJOBS_JOB_ID": new_job_id(),
        "BGJOBS_KUBE_UID": "kube",
        "BGJOBS_POD_UID": "pod",
        "BGJOBS_POD_NAME": "pod",
        ENV_TERMINATION_FILE: str(folder / "termination"),
        ENV_JOB_PATH: str(ROOT),
    }
    before = len(api.returned)
    done = subprocess.run([sys.executable, "-m", "bgjobs.runner"], env=environment, cwd=folder, check=False)
    if done.returncode != 0 or len(api.returned) != before + 1:
        raise BenchError(f"the job did not succeed (exit code {done.returncode}); what it says is above")
    said = api.returned[-1]
    return {SUPERVISOR: said["supervisor"], CHILD: said["child"], BOTH: said["supervisor"] + said["child"]}


def _bare(arguments: list[str], folder: Path) -> Measures:
    with subprocess.Popen([sys.executable, *arguments], cwd=folder) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = used.ru_utime + used.ru_stime
    return {SUPERVISOR: seconds, CHILD: seconds, BOTH: 2 * seconds}


async def _turn(measure: Callable[[], Measures]) -> Measures:
    return await asyncio.to_thread(measure)


async def measure(sizes: Sizes, progress: Progress) -> Result:
    """See the module."""
    with tempfile.TemporaryDirectory() as name, _Api() as api:
        folder = Path(name)
        sides = {
            OURS: partial(_turn, partial(_job, api, folder)),
            _NOTHING: partial(_turn, partial(_bare, ["-c", "pass"], folder)),
            _LOADED: partial(_turn, partial(_bare, ["-c", "import json, socket, threading"], folder)),
        }
        samples = await take_turns(sides, sizes.rounds, progress)
    figures = {
        (what, side): figure(what, side, "ms", [1000 * one for one in samples.of(side, what)], {"p90": 0.9})
        for what in (SUPERVISOR, CHILD, BOTH)
        for side in sides
    }
    verdicts = (
        Verdict(what=SUPERVISOR, value=figures[SUPERVISOR, OURS].median, goal=_MOST_MS, unit="ms"),
        *(
            Verdict(
                what=f"{what}, beside {_LOADED}",
                value=figures[what, OURS].median / figures[what, _LOADED].median,
                goal=_MOST_TIMES,
                unit="x",
            )
            for what in (SUPERVISOR, CHILD)
        ),
    )
    return Result(name="", sizes={}, figures=tuple(figures.values()), verdicts=verdicts)


BENCHMARK: Final = Benchmark(
    "runner-start",
    "the processor time of the runner before a job's first line, beside a Python that loads what both need",
    Sizes(),
    Sizes(rounds=1),
    measure,
    (SUPERVISOR, CHILD),
)
