"""A day of the operator among tenants who ask for as much as they may: its memory does not grow with that.

The operator is a process, on a real Valkey with the chart's limit of memory, before a stand-in of the Kubernetes API.
`BGJOBS_HOSTILE_SCALE=50` plays 500 requests a namespace, 2.5 GiB: most of them find no room in Redis then, and wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import ssl
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

from bgjobs_core.redis import connection
from tests.hostile.day_server import SAID, namespaces
from tests.store.certificates import Authority
from tests.store.servers import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SCALE: Final = int(os.environ.get("BGJOBS_HOSTILE_SCALE", "1"))
NAMESPACES: Final = 20
REQUESTS: Final = 10 * SCALE  # in each of them
IN_LINE: Final = 200  # of a namespace at a time, where there is no room for their jobs
MOST_BYTES: Final = 200 * 1024 * 1024
MAXMEMORY: Final = 256_000_000
PATIENCE_SECONDS: Final = 300 + 120 * SCALE
MIB: Final = 1024 * 1024


def until(what: str, holds: Callable[[], bool], alive: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        alive()
        assert time.monotonic() < deadline, f"not so after {PATIENCE_SECONDS} s: {what}"
        time.sleep(0.2)


class Surroundings:
    """The processes of a day.

    Attributes:
        operator: the operator's process.
    """

    def __init__(self, folder: Path, ending: contextlib.ExitStack) -> None:
        self._folder = folder
        self._ending = ending
        redis = Server("valkey")
        redis.start()
        ending.callback(redis.remove)
        asyncio.run(limited(redis.url))
        authority = Authority("day")
        ca, _ = authority.itself.write(folder, "ca")
        authority.sign("127.0.0.1", "127.0.0.1").write(folder, "server")
        self._tls = ssl.create_default_context(cafile=ca)
        stand_in = self._begin("tests.hostile.day_server", str(folder), str(NAMESPACES), str(REQUESTS))
        until("the stand-in listens", (folder / "port").exists, lambda: self._alive(stand_in))
        self._url = f"https://127.0.0.1:{(folder / 'port').read_text()}"
        self.operator = self._begin("bgjobs_operator", **environment(folder, self._url, str(ca), redis.url))

    def _begin(self, module: str, *arguments: str, **environ: str) -> subprocess.Popen[bytes]:
        log = self._ending.enter_context((self._folder / f"{module}.log").open("wb"))
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments], env={**os.environ, **environ}, stdout=log, stderr=log
        )

        def end() -> None:
            process.kill()
            process.wait()

        self._ending.callback(end)
        return process

    def _alive(self, process: subprocess.Popen[bytes]) -> None:
        assert process.poll() is None, "\n".join(file.read_text()[-3000:] for file in self._folder.glob("*.log"))

    def look(self) -> None:
        """Fails the test if the operator has ended."""
        self._alive(self.operator)

    def said(self) -> dict[str, Any]:
        """What the stand-in has seen."""
        with urllib.request.urlopen(f"{self._url}{SAID}", context=self._tls) as answer:  # noqa: S310 - of ours
            return json.loads(answer.read())

    def peak(self) -> int:
        """The most memory that the operator has had so far, in bytes."""
        lines = Path(f"/proc/{self.operator.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


async def limited(url: str) -> None:
    """Give Redis the limit that it has in the chart."""
    client = connection.connect(url)
    await client.config_set("maxmemory", MAXMEMORY)
    await client.aclose()


def environment(folder: Path, url: str, ca: str, redis_url: str) -> dict[str, str]:
    config = folder / "kubeconfig"
    config.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1", "kind": "Config", "current-context": "day",
                "contexts": [{"name": "day", "context": {"cluster": "day", "user": "day"}}],
                "clusters": [{"name": "day", "cluster": {"server": url, "certificate-authority": ca}}],
                "users": [{"name": "day", "user": {"token": "day"}}],
            }
        )
    )  # fmt: skip
    return {
        "KUBECONFIG": str(config), "BGJOBS_REDIS_URL": redis_url,
        "BGJOBS_JOB_NAMESPACES": ",".join(namespaces(NAMESPACES)),
        "BGJOBS_HEALTH_HOST": "127.0.0.1", "BGJOBS_HEALTH_PORT": "0", "BGJOBS_LOG_LEVEL": "warning",
    }  # fmt: skip


@pytest.fixture
def day(tmp_path: Path) -> Iterator[Surroundings]:
    with contextlib.ExitStack() as ending:
        yield Surroundings(tmp_path, ending)


def test_many_large_requests_take_no_more_memory_than_a_few(day: Surroundings) -> None:
    all_of_them = NAMESPACES * REQUESTS
    began = time.monotonic()
    told = min(all_of_them, NAMESPACES * IN_LINE)
    until("each request that is looked at says how it stands", lambda: day.said()["told"] >= told, day.look)
    until("each namespace was read as a whole", lambda: len(day.said()["lists"]) == NAMESPACES, day.look)
    # The next minute's look at everything, when all of it is known.
    before = sum(day.said()["lists"].values())
    until("all is read again", lambda: sum(day.said()["lists"].values()) >= before + NAMESPACES, day.look)
    peak = day.peak()
    seconds = time.monotonic() - began
    print(f"\n{all_of_them} requests in {NAMESPACES} namespaces: {peak / MIB:.0f} MiB, in {seconds:.0f} s")
    assert peak <= MOST_BYTES
