"""Jobs that behave badly, each in its own way."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from bgjobs import Abort, current_job


class Nasty:
    def flood(self, mebibytes: int) -> str:
        """Prints a lot."""
        line = b"x" * 99 + b"\n"
        for _ in range(mebibytes):
            os.write(1, line * 10486)
        print("the last line")
        return "flooded"

    def daemon(self, pid_file: str) -> str:
        """Leaves a process behind that nobody is the parent of."""
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                Path(pid_file).write_text(str(os.getpid()))
                time.sleep(600)
            os._exit(0)
        while not Path(pid_file).exists() or not Path(pid_file).read_text():
            time.sleep(0.01)
        print("a daemon was left behind")
        return "left"

    def deaf(self, seconds: float) -> None:
        """Does not hear SIGTERM."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("deaf", flush=True)
        time.sleep(seconds)

    def copy(self, rows: int, breaks_at: int) -> dict[str, int]:
        """Goes on at its checkpoint; in its first attempt it kills itself, and in its second one all of its pod."""
        job = current_job()
        first = (job.checkpointed or {"row": 0})["row"]
        for row in range(first, rows):
            if row == job.attempt * breaks_at and job.attempt < 3:
                print(f"at row {row}", flush=True)
                if job.attempt == 1:
                    os.kill(os.getpid(), signal.SIGKILL)
                time.sleep(600)  # until somebody kills the supervisor
            job.checkpoint({"row": row + 1})
        return {"from": first, "to": rows}

    def vanish(self) -> None:
        """Ends its process with the code of a success, and no result."""
        print("gone")
        sys.stdout.flush()
        os._exit(0)

    def greedy(self, mebibytes: int) -> None:
        """Takes memory until it is stopped."""
        print("hungry", flush=True)
        held = [bytearray(os.urandom(1 << 20)) for _ in range(mebibytes)]
        time.sleep(600)
        print(len(held))

    def binary(self) -> str:
        """Prints what is no text, and half a character at the end."""
        os.write(1, b"\x00\xff\xfe caf\xc3\xa9 \x1b[31mred\x1b[0m\n")
        os.write(2, "half of an é: ".encode() + b"\xc3")
        return "printed"

    def mute(self) -> str:
        """Closes its streams, and says something to them."""
        print("before", flush=True)
        os.close(1)
        os.close(2)
        try:
            print("after", flush=True)
        except OSError:
            return "closed"
        return "open"

    def abort(self) -> None:
        raise Abort("there is no such month")

    def sleep(self, seconds: float) -> str:
        print(f"attempt {current_job().attempt}", flush=True)
        time.sleep(seconds)
        return f"slept in attempt {current_job().attempt}"

    def sleep_once(self, seconds: float) -> str:
        if current_job().attempt == 1:
            time.sleep(seconds)
        return f"slept in attempt {current_job().attempt}"
