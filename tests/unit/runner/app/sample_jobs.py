"""What the runner's tests run as jobs."""

from __future__ import annotations

import abc
import os
import pdb
import signal
import subprocess
import sys
import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bgjobs import Abort, Backoff, Retry, current_job, retry_policy

NOT_A_CLASS = 7
FROM_ELSEWHERE = OrderedDict[str, int]()
FOLDER = Path(os.environ.get("TEST_FOLDER", "."))


class Sample:
    attribute = 1

    class Inner:
        pass

    def add(self, left: int, right: int = 1) -> int:
        return left + right

    async def later(self, value: str) -> str:
        return value * 2

    @staticmethod
    def fixed(value: int) -> int:
        return value

    @classmethod
    def of_class(cls, value: int) -> str:
        return f"{cls.__name__} {value}"

    def nothing(self) -> None:
        pass

    def _private(self) -> None:
        pass

    def fail(self, text: str) -> None:
        raise ValueError(text)

    async def fail_later(self) -> None:
        raise ValueError("later")

    def fail_strangely(self) -> None:
        class StrangeError(Exception):
            def __str__(self) -> str:
                raise RuntimeError("no text")

        raise StrangeError

    def fail_at_length(self) -> None:
        raise ValueError("ü" * 500_000 + "\udc80")

    def give_up(self, reason: str) -> None:
        raise Abort(reason)

    def exit_with(self, code: int) -> None:
        sys.exit(code)

    def vanish(self, code: int) -> None:
        print("before", flush=True)
        os._exit(code)

    def kill_itself(self, number: int) -> None:
        os.kill(os.getpid(), number)

    def a_set(self) -> set[int]:
        return {1}

    def a_large_text(self, size: int) -> str:
        return "x" * size

    def write(self, times: int, text: str) -> None:
        """Bytes, given as latin-1 text."""
        data = text.encode("latin-1")
        for _ in range(times):
            os.write(1, data)

    def flood(self, megabytes: int) -> None:
        block = b"".join(
            b"line %010d of a job that prints far too much, to see what becomes of it\n" % n for n in range(14_000)
        )
        for _ in range(megabytes):
            os.write(1, block)

    def speak(self) -> None:
        print("to stdout")
        print("to stderr", file=sys.stderr)
        print("ends without a line end", end="")

    def speak_and_return(self) -> int:
        self.speak()
        return 1

    def line_of(self, characters: int) -> None:
        print("é" * characters)

    def binary(self) -> None:
        os.write(1, b"\xff\xfe\x00 caf\xc3")
        os.write(1, b"\xa9\n\xe2\x82\n")

    def who(self) -> dict[str, object]:
        job = current_job()
        return {"id": job.id, "attempt": job.attempt, "max_retries": job.max_retries, "namespace": job.namespace}

    def what(self, *names: str) -> list[object]:
        job = current_job()
        return [job.cls, job.method, job.parameters == list(names)]

    def checkpoint_and_wait(self, value: object) -> None:
        current_job().checkpoint(value)
        self.wait()

    def go_on(self) -> object:
        return current_job().checkpointed

    def checkpoint_and_end(self, how: str) -> None:
        for row in range(1000):
            current_job().checkpoint({"row": row})
        match how:
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "exit":
                os._exit(0)
            case "raise":
                raise ValueError("the row is broken")
            case _:
                return

    def checkpoint_of_a_set(self) -> None:
        current_job().checkpoint({"seen": {1}})

    def checkpoint_in_forks(self, count: int) -> None:
        pids = list[int]()
        for number in range(count):
            pid = os.fork()
            if pid == 0:
                for _ in range(20):
                    current_job().checkpoint({"x": "abcdefgh"[number] * 30_000})
                os._exit(0)
            pids.append(pid)
        for pid in pids:
            os.waitpid(pid, 0)

    def retry_until(self, attempt: int, after: float) -> int:
        print(f"attempt {current_job().attempt}", flush=True)
        if current_job().attempt < attempt:
            raise Retry(after=after, reason="rate limited")
        return attempt

    def retry_and_wait(self, attempt: int) -> None:
        self.retry_until(attempt, 0)
        self.wait()

    def make_progress(self, steps: int) -> None:
        for step in range(1, steps + 1):
            current_job().progress(step, steps, f"step {step}")

    def wait(self, seconds: float = 60) -> str:
        print(f"waiting {os.getpid()}", flush=True)
        threading.Event().wait(seconds)
        return "waited"

    def ignore_sigterm(self, seconds: float = 60) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self.wait(seconds)

    def finish_on_sigterm(self) -> str:
        job = current_job()
        job.is_stopping()
        print("ready", flush=True)
        while not job.is_stopping():
            threading.Event().wait(0.01)
        return "finished in time"

    def raise_on_sigterm(self) -> str:
        self.finish_on_sigterm()
        raise InterruptedError("put in order")

    def start_daemon(self, escape: bool) -> None:
        """A process that outlives its parent, ignores SIGTERM, and holds the job's stdout."""
        done, ready = os.pipe()
        code = (
            "import os, signal, threading\n"
            "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
            f"{'os.setsid()' if escape else ''}\n"
            "print('daemon', os.getpid(), flush=True)\n"
            f"os.write({ready}, b'.')\n"
            "threading.Event().wait(600)\n"
        )
        between = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {code!r}], pass_fds=[{ready}])"
        subprocess.run([sys.executable, "-W", "ignore", "-c", between], check=True, pass_fds=[ready])
        os.read(done, 1)

    def fork_and_return(self) -> str:
        """Both processes come out of the method; only the first one's word counts."""
        pid = os.fork()
        if pid == 0:
            raise ValueError("the fork has failed")
        os.waitpid(pid, 0)
        return "the first one"

    def leave_orphans(self, count: int) -> int:
        for _ in range(count):
            subprocess.run(["/bin/sh", "-c", "true & true &"], check=True)
        return count

    def close_everything(self) -> None:
        os.closerange(0, 3)

    def trace(self) -> list[str | None]:
        return [current_job().traceparent, os.environ.get("TRACEPARENT")]

    def names(self) -> list[str]:
        return sorted(os.environ)

    def alternate(self, times: int) -> None:
        for number in range(times):
            print(number, file=(sys.stdout, sys.stderr)[number % 2])

    def alternate_with_programs(self, times: int) -> None:
        """Programs write to the same streams, each after what was printed before to its own."""
        for number in range(times):
            stream = (sys.stdout, sys.stderr)[number % 2]
            print("python", number, file=stream)
            subprocess.run(["/bin/sh", "-c", f"echo program {number} >&{stream.fileno()}"], check=True)

    def print_into_a_file(self) -> str:
        """What is printed goes where the job has turned its stdout."""
        kept = os.dup(1)
        with (FOLDER / "printed").open("wb") as file:
            os.dup2(file.fileno(), 1)
            for number in range(3):
                print("kept", number)
                print("shown", number, file=sys.stderr)
        os.dup2(kept, 1)
        print("back")
        return (FOLDER / "printed").read_text("utf-8")

    def fork_and_print(self) -> None:
        print("before")
        print("before", file=sys.stderr)
        pid = os.fork()
        for number in range(3):
            line = f"{'fork' if pid == 0 else 'job'} {number}\n"
            sys.stdout.write(line)  # in one piece: what print writes in several, two processes mix
            sys.stderr.write(line)
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)

    def turn_until(self, name: str) -> str:
        """A progress bar, which goes on until there is a file of this name."""
        turns = 0
        while not (FOLDER / name).exists():
            turns += 1
            print(f"\rturn {turns}", end="", file=sys.stderr)
            threading.Event().wait(0.01)
        print("\rturned", file=sys.stderr)
        return "turned"

    def leave_a_thread(self) -> str:
        def hold() -> None:
            threading.Event().wait(600)

        threading.Thread(target=hold, name="the holder").start()
        return "returned"

    def leave_an_executor(self, seconds: float) -> str:
        executor = ThreadPoolExecutor(1, "pool")
        executor.submit(threading.Event().wait, seconds)
        return "returned"

    def leave_a_thread_and_fail(self) -> None:
        self.leave_a_thread()
        raise ValueError("broken")

    def close_all(self, result: object) -> object:
        """Then another file has the number of the runner's pipe."""
        os.closerange(3, 1024)
        files = [(FOLDER / f"file-{number}").open("wb") for number in range(9)]
        current_job().progress(1, 2)
        for file in files:
            file.close()
        return result

    def ask(self) -> str:
        return input("How many? ")

    def look(self) -> None:
        breakpoint()

    def look_by_hand(self) -> None:
        pdb.set_trace()


class NeedsArguments:
    def __init__(self, value: int) -> None:
        self.value = value

    def run(self) -> None:
        pass


class Abstract(abc.ABC):
    @abc.abstractmethod
    def run(self) -> None: ...


class FailsToStart:
    def __init__(self) -> None:
        raise OSError("no database")

    def run(self) -> None:
        pass


@retry_policy(retry_on=OSError, abort_on=LookupError, backoff=Backoff.fixed(1.5))
class Ruled:
    def raise_lookup(self) -> None:
        raise KeyError("no such row")

    def raise_connection(self) -> None:
        raise ConnectionError("away")

    def raise_other(self) -> None:
        raise ValueError("no such month")

    def raise_retry(self) -> None:
        raise Retry(after=7)
