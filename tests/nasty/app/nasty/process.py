"""Job code that changes its process, its streams and its surroundings."""

from __future__ import annotations

import argparse
import asyncio
import atexit
import builtins
import locale
import logging
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

from bgjobs import current_job


class Broken:
    """In place of a stream."""

    def write(self, _: str) -> int:
        raise RuntimeError("the stream is broken")

    def flush(self) -> None:
        raise RuntimeError("the stream is broken")


def broken_print(*_: object, **__: object) -> None:
    raise RuntimeError("print is broken")


def squared(number: int) -> int:
    return number * number


class Starts:
    def a_pool_of_processes(self, method: str) -> list[int]:
        with multiprocessing.get_context(method).Pool(1) as pool:
            return pool.map_async(squared, [1, 2, 3]).get(60)


class Streams:
    def in_turns(self) -> None:
        print("1", file=sys.stderr)
        print("2")
        print("3", file=sys.stderr)
        print("4")

    def a_progress_bar(self) -> str:
        for percent in range(0, 101, 50):
            print(f"\r{percent} %", end="", file=sys.stderr)
        return "done"

    def none_at_all(self) -> str:
        sys.stdout = sys.stderr = None  # type: ignore[assignment]
        print("nobody reads this")
        return "done"

    def closed_before_an_error(self) -> None:
        print("before", file=sys.stderr)
        sys.stderr.close()
        raise ValueError("broken")

    def one_closed_and_the_other_printed_to(self) -> str:
        print("before", file=sys.stderr)
        sys.stderr.close()
        print("after")
        return "done"

    def replaced_by_something_broken(self) -> None:
        sys.stderr = Broken()  # type: ignore[assignment]
        raise ValueError("no stock")

    def in_ascii(self) -> None:
        sys.stderr.reconfigure(encoding="ascii", errors="strict")  # type: ignore[attr-defined, unused-ignore]
        raise ValueError("größer")

    def without_print(self) -> None:
        builtins.print = broken_print
        raise ValueError("no stock")

    def all_descriptors_closed(self) -> str:
        os.closerange(3, 1024)
        return "done"


class Asks:
    def a_question(self) -> str:
        return input("How many? ")

    def a_debugger(self) -> None:
        breakpoint()

    def for_arguments(self) -> Any:
        argparse.ArgumentParser().parse_args()
        return sys.argv


class Progress:
    def of_odd_things(self) -> str:
        job: Any = current_job()
        job.progress(Decimal(1), 2)
        job.progress("many", [], 7)
        job.progress(float("nan"), float("inf"), "\udc80")
        job.progress(None, None, None)
        return "done"

    def in_a_signals_handler(self) -> str:
        """A thousand times, in the middle of whatever else is done."""
        job = current_job()
        job.is_stopping()
        times = 0

        def tick(*_: object) -> None:
            nonlocal times
            times += 1
            job.progress(times, 1000)
            job.is_stopping()

        signal.signal(signal.SIGALRM, tick)
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        while times < 1000:
            job.progress(times, 1000)
            job.is_stopping()
        signal.setitimer(signal.ITIMER_REAL, 0)
        return "done"


class Surroundings:
    def a_folder_that_is_gone(self) -> None:
        folder = tempfile.mkdtemp()
        os.chdir(folder)
        Path(folder).rmdir()
        raise ValueError("no stock")

    def no_environment(self) -> str:
        os.environ.clear()
        current_job().progress(1, 2)
        return "done"

    def no_path(self) -> None:
        sys.path.clear()
        raise ValueError("no stock")

    def deaf(self) -> str:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        return "done"

    def another_locale(self) -> Any:
        locale.setlocale(locale.LC_ALL, "C")
        print("größer")
        return {"größer": 1.5}

    def a_logger_of_its_own(self) -> str:
        logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", force=True)
        logging.getLogger("shop").info("charged")
        return "done"

    def a_loop_of_its_own(self) -> str:
        return asyncio.run(asyncio.sleep(0, "done"))


class Leaves:
    def a_thread(self) -> str:
        threading.Thread(target=time.sleep, args=[600], name="the holder").start()
        return "done"

    async def a_worker_of_the_loop(self) -> str:
        asyncio.get_running_loop().run_in_executor(None, time.sleep, 600)
        return "done"

    def an_exit_handler_that_fails(self) -> str:
        atexit.register(lambda: 1 / 0)
        return "done"

    def an_exit_handler_that_hangs(self) -> str:
        def tidy_up() -> None:
            time.sleep(600)

        atexit.register(tidy_up)
        return "done"

    def an_exit_handler_that_ends_the_process(self) -> str:
        atexit.register(os._exit, 3)
        return "done"

    def an_object_that_prints(self) -> str:
        global last  # noqa: PLW0603 - it lives until the interpreter ends
        last = Farewell()
        return "done"

    def an_alarm(self) -> str:
        """It goes off when the method has returned."""

        def ring(*_: object) -> None:
            raise TimeoutError("too late")

        signal.signal(signal.SIGALRM, ring)
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        atexit.register(time.sleep, 0.6)
        return "done"


class Farewell:
    def __del__(self) -> None:
        print("farewell")


last: Farewell | None = None
