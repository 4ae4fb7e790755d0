"""Jobs that do something, or hang, while somebody wants to see what they do. They end when there is a file `go`."""

from __future__ import annotations

import asyncio
import faulthandler
import hashlib
import itertools
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import NoReturn

FOLDER = Path(os.environ.get("TEST_FOLDER", "."))


def ready() -> None:
    print("ready")


def may_end() -> bool:
    return (FOLDER / "go").exists()


def until_told() -> None:
    while not may_end():
        time.sleep(0.02)


def _nothing(_number: int, _frame: object) -> None:
    pass


class Shown:
    def sleeps(self) -> str:
        password = "hidden"
        ready()
        until_told()
        return password[:0] + "done"

    def has_threads(self) -> str:
        end = threading.Event()
        threads = [threading.Thread(target=end.wait, name=f"worker {number}") for number in range(3)]
        threads += [threading.Thread(target=self._of_its_own, name="\x1b[31mred", daemon=True)]
        for one in threads:
            one.start()
        ready()
        until_told()
        end.set()
        for one in threads:
            one.join()
        return "done"

    def _of_its_own(self) -> None:
        until_told()

    def joins(self) -> str:
        """The main thread waits for another one, which works."""
        thread = threading.Thread(target=self._works)
        thread.start()
        ready()
        thread.join()
        return "done"

    def _works(self) -> None:
        while not may_end():
            sum(range(10_000))

    def is_in_c_code(self) -> None:
        """For ever, with the interpreter's lock, and without a look at signals."""
        thread = threading.Thread(target=until_told, daemon=True)
        thread.start()
        ready()
        sum(itertools.repeat(0))

    def is_in_c_code_beside_a_busy_thread(self) -> None:
        """For very long, without the interpreter's lock, which the other thread never has to give away."""
        threading.Thread(target=self._works, daemon=True).start()
        ready()
        hashlib.pbkdf2_hmac("sha256", b"", b"", 2_000_000_000)

    def matches(self) -> None:
        """For ever, too; but a regular expression looks at signals from time to time."""
        ready()
        re.match(r"(a+)+$", "a" * 64 + "b")

    async def has_tasks(self) -> str:
        end = asyncio.Event()

        async def inner() -> None:
            await end.wait()

        async def outer() -> None:
            await inner()

        async def another() -> None:
            await asyncio.to_thread(until_told)

        tasks = [asyncio.create_task(outer(), name=f"fetch {number}") for number in range(1000)]
        tasks.append(asyncio.create_task(another(), name="\x1b]0;title\x07"))
        await asyncio.sleep(0)
        ready()
        await tasks[-1]
        end.set()
        await asyncio.gather(*tasks)
        return "done"

    async def has_a_blocked_loop(self) -> str:
        async def waits() -> None:
            await asyncio.sleep(0)

        task = asyncio.create_task(waits(), name="held up")
        await asyncio.sleep(0)
        task = asyncio.create_task(waits(), name="held up")
        ready()
        until_told()
        await task
        return "done"

    def has_a_loop_in_a_thread(self) -> str:
        async def waits() -> None:
            while not may_end():  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.02)

        async def main() -> None:
            task = asyncio.create_task(waits(), name="in a thread")
            await asyncio.sleep(0)
            ready()
            await task

        thread = threading.Thread(target=asyncio.run, args=(main(),))
        thread.start()
        until_told()
        thread.join()
        return "done"

    def is_deep(self, levels: int) -> str:
        sys.setrecursionlimit(levels + 100)
        return self._deeper(levels)

    def _deeper(self, levels: int) -> str:
        if levels:
            return self._deeper(levels - 1)
        ready()
        until_told()
        return "done"

    def has_many_threads(self, number: int) -> str:
        end = threading.Event()
        threads = [threading.Thread(target=end.wait) for _ in range(number)]
        for one in threads:
            one.start()
        done = self.sleeps()
        end.set()
        return done

    def blocks_all_signals(self) -> str:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        return self.sleeps()

    def ignores_all_signals(self) -> str:
        for number in (signal.SIGTERM, signal.SIGURG, signal.SIGWINCH, signal.SIGUSR1):
            signal.signal(number, signal.SIG_IGN)
        return self.sleeps()

    def takes_signals_over(self) -> str:
        """Its own handlers are called; whatever they do is the job's."""
        signal.signal(signal.SIGURG, _nothing)
        signal.signal(signal.SIGWINCH, _nothing)
        return self.sleeps()

    def replaces_faulthandler(self) -> str:
        faulthandler.disable()
        faulthandler.unregister(signal.SIGWINCH)
        faulthandler.enable(file=sys.stdout)
        return self.joins()

    def forks(self) -> str:
        pid = os.fork()
        if pid == 0:
            until_told()
            os._exit(0)
        ready()
        os.waitpid(pid, 0)
        return "done"

    def closes_all_descriptors(self) -> str:
        """What opens files then gets the numbers of our pipes."""
        print("ready")
        os.closerange(3, 64)
        files = [(FOLDER / f"own {number}").open("wb") for number in range(40)]
        self._works()
        for file in files:
            file.close()
        sizes = [path.stat().st_size for path in FOLDER.glob("own *")]
        return f"{len(sizes)} files, {sum(sizes)} bytes"

    def becomes_another_program(self) -> NoReturn:
        """In which no signal has a handler."""
        ready()
        os.execv("/bin/sh", ["sh", "-c", f"until [ -e '{FOLDER}/go' ]; do sleep 0.05; done; exit 3"])  # noqa: S606

    def has_little_of_everything(self) -> str:
        """No more processes or threads; no more files; little room to recurse."""
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, 64))
        sys.setrecursionlimit(50)
        return self.sleeps()

    def is_asked_all_the_time(self) -> list[int]:
        """Everything at once; the results must be right."""
        results = [0, 0, 0]

        def counts(place: int) -> None:
            while not may_end():
                results[place] += sum(range(1000)) == 499_500

        threads = [threading.Thread(target=counts, args=(place,)) for place in (1, 2)]
        for one in threads:
            one.start()
        ready()
        while not may_end():
            done = subprocess.run(["/bin/echo", "x" * 50_000], capture_output=True, check=True)
            results[0] += len(done.stdout) == 50_001
        for one in threads:
            one.join()
        return [int(one > 0) for one in results]

    def ignores_sigterm(self) -> str:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        return self.sleeps()
