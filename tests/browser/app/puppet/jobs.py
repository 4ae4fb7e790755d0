"""A job on strings: tests of pages decide what it does, and when."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from bgjobs import current_job


class Puppet:
    def follow(self, script: str) -> str:
        """Does what the lines of a file say, as soon as they are there."""
        path, done = Path(script), 0
        while True:
            lines = path.read_text().split("\n")[:-1]  # behind the last line's end is what is not whole yet
            for line in lines[done:]:
                done += 1
                word, _, rest = line.partition(" ")
                match word:
                    case "print":
                        print(rest, flush=True)
                    case "complain":
                        print(rest, file=sys.stderr, flush=True)
                    case "progress":
                        at, of, note = rest.split(" ", 2)
                        current_job().progress(int(at), int(of), note)
                    case "fail":
                        raise RuntimeError(rest)
                    case _:
                        return rest
            time.sleep(0.02)
