"""Jobs to try bgjobs with. They need nothing else, and show what job code looks like.

A job is a public method of a plain class: no base class, no decorator. Ask for one with

    run_background_job("bgjobs.examples.Hello", "greet", ["Ann"])
"""

from __future__ import annotations

import time

from bgjobs import current_job


class Hello:
    """A new object is made for each attempt, as `Hello()`."""

    def greet(self, name: str = "world") -> str:
        """Prints two lines and returns a text."""
        # What a job prints is its log, which is kept when its pod is gone.
        print(f"Hello, {name}!")
        print(f"This is attempt {current_job().attempt} of job {current_job().id}.")
        # What it returns is its result: anything that JSON can carry.
        return f"{name} was greeted"

    def count(self, to: int = 5, seconds: float = 1.0) -> int:
        """Counts, with a pause before each number, and says how far it is."""
        for number in range(1, to + 1):
            time.sleep(seconds)
            print(number, flush=True)
            # Shown as a bar while the job runs. Cheap: it may be said for every item.
            current_job().progress(number, to, f"counted to {number}")
        return to

    def fail(self, times: int = 1) -> str:
        """Fails in its first attempts, then succeeds: the page of the job shows each attempt with its traceback."""
        attempt = current_job().attempt
        if attempt <= times:
            # Any exception ends the attempt. Another one follows after a pause, up to the job's max_retries;
            # bgjobs.Abort instead would end the job at once.
            raise ConnectionError(f"attempt {attempt}: the printer does not answer")
        return f"it worked in attempt {attempt}"

    def stubborn(self, seconds: float = 60.0) -> str:
        """Works in small steps and, when it is told to stop, puts things in order first."""
        job = current_job()
        # SIGTERM ends a job's process at once: right for most jobs. The first question changes that. From then on
        # the job itself must come to an end before its grace period is over, which is 30 s unless it was set.
        job.is_stopping()
        print("working", flush=True)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if job.is_stopping():
                print("told to stop: tidying up")
                # Raise when work is left: whoever returns has succeeded.
                raise InterruptedError("stopped before all was done")
            time.sleep(0.05)
        return "all done"
