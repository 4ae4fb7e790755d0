"""Example jobs to try bgjobs with. They need no other package, and show what job code looks like.

A job is a public method of a plain class: it needs no base class and no decorator. Ask for one with

    run_background_job("bgjobs.examples.Hello", "greet", ["Ann"])
"""

from __future__ import annotations

import time

from bgjobs import current_job


class Hello:
    """A class with jobs. For each attempt bgjobs makes a new object of it, by `Hello()`."""

    def greet(self, name: str = "world") -> str:
        """Print two lines and return a text."""
        # What a job prints is its log, which is kept when its pod is gone.
        print(f"Hello, {name}!")
        print(f"This is attempt {current_job().attempt} of job {current_job().id}.")
        # What it returns is its result: anything that JSON can carry.
        return f"{name} was greeted"

    def count(self, to: int = 5, seconds: float = 1.0) -> int:
        """Count to a number, with a pause of so many seconds before each, and report progress."""
        for number in range(1, to + 1):
            time.sleep(seconds)
            print(number, flush=True)
            # Shown as a bar while the job runs. It is cheap, so it may be called for every item.
            current_job().progress(number, to, f"counted to {number}")
        return to

    def fail(self, times: int = 1) -> str:
        """Fail in the first attempts, then succeed: the job's page shows each attempt with its traceback."""
        attempt = current_job().attempt
        if attempt <= times:
            # Any exception ends the attempt. Another one follows after a pause, up to the job's max_retries;
            # bgjobs.Abort instead would end the job at once.
            raise ConnectionError(f"attempt {attempt}: the printer does not answer")
        return f"it worked in attempt {attempt}"

    def stubborn(self, seconds: float = 60.0) -> str:
        """Work in small steps for so many seconds; when the job is told to stop, put things in order first."""
        job = current_job()
        # By default SIGTERM ends a job's process at once, which is right for most jobs. The first call of
        # is_stopping() changes that: from then on the job must end by itself within its grace period, which is 30 s
        # unless the queue says otherwise.
        job.is_stopping()
        print("working", flush=True)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if job.is_stopping():
                print("told to stop: tidying up")
                # Raise if work is left: a method that returns has succeeded.
                raise InterruptedError("stopped before all was done")
            time.sleep(0.05)
        return "all done"
