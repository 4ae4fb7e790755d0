"""The shop's jobs: plain classes, which need no base class, no decorator and no registration.

A queue approves them one by one (`shop.jobs.Invoices`) or all together (`shop.jobs.*`).
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
import uuid
from pathlib import Path

from bgjobs import Abort, Retry, current_job

KUBERNETES_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


class Invoices:
    def render(self, year: int, month: int, country: str = "de") -> dict[str, object]:
        """Pretend to render the invoices of a month, and report progress."""
        if month not in range(1, 13):
            raise Abort(f"there is no month {month}: trying again will not help")
        count = 5
        for number in range(1, count + 1):
            print(f"invoice {country.upper()}-{year}-{month:02}-{number:04} rendered")
            current_job().progress(number, count, f"invoice {number} of {count}")
        return {"invoices": count, "folder": f"invoices/{country}/{year}/{month:02}"}

    def total(self) -> int:
        """Add up how many invoices the jobs have rendered that this one needs: `with_options(needs=[batch])`."""
        rendered = [job.result() for batch in current_job().parents.batches for job in batch.jobs()]
        print(f"{len(rendered)} months are rendered")
        return sum(one["invoices"] for one in rendered)


class Orders:
    def hold(self, seconds: float) -> str:
        """Wait. SIGTERM ends it at once, as it ends every program that does not handle the signal."""
        print(f"holding the order for {seconds:g} s", flush=True)
        threading.Event().wait(seconds)
        return "released"

    def stubborn(self, seconds: float) -> str:
        """Wait, print a line each second, and ignore SIGTERM: it is killed when its grace period is over."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        for second in range(int(seconds)):
            print(f"still here after {second} s", flush=True)
            time.sleep(1)
        return "released"

    def careful(self, seconds: float) -> str:
        """Wait, and put things in order when the job is told to stop."""
        job = current_job()
        job.is_stopping()  # from the first call on, SIGTERM no longer ends the process by itself
        print("ready", flush=True)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if job.is_stopping():
                print("told to stop: the shelf is put back in order")
                raise InterruptedError("stopped before the order was released")
            time.sleep(0.05)
        return "released"


class PaymentRefused(Exception):  # noqa: N818 - what the page of a failed job shows
    pass


class Payments:
    def charge(self, amount: float) -> None:
        """Raise in each attempt, to show what a failed job looks like."""
        print(f"charging {amount:.2f} EUR")
        raise PaymentRefused(f"the bank refused {amount:.2f} EUR: no cover")


class Mail:
    async def send(self, to: str, subject: str) -> dict[str, str]:
        """Pretend to send a mail; a method of a job may be async."""
        print(f"to {to}: {subject}")
        return {"message_id": f"<{uuid.uuid4()}@shop.example>"}


class Ledger:
    def append(self, token: str) -> int:
        """Append a line to a file, for tests that count how often the code runs.

        A line is `<job id> <attempt> <pid>-<random>-<token> <unix time>`; O_APPEND keeps lines of many pods whole.
        """
        job = current_job()
        line = f"{job.id} {job.attempt} {os.getpid()}-{random.getrandbits(32):08x}-{token} {time.time():.3f}\n"
        path = Path(os.environ.get("SHOP_LEDGER", "/ledger/ledger.txt"))
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)
        return job.attempt

    def retried(self, token: str, after: float) -> None:
        """Append a line, and ask for the next attempt after so many seconds."""
        self.append(token)
        print(f"attempt {current_job().attempt}", flush=True)
        raise Retry(after=after, reason="once more")

    def until(self, name: str) -> int:
        """Print a numbered line four times a second, until a test makes a file of this name beside the ledger."""
        path = Path(os.environ.get("SHOP_LEDGER", "/ledger/ledger.txt")).with_name(name)
        number = 0
        while not path.exists():
            number += 1
            print(f"line {number}", flush=True)
            time.sleep(0.25)
        return number


class Flaky:
    def until_attempt(self, n: int) -> int:
        """Raise in the attempts before the n-th one, and succeed in that."""
        attempt = current_job().attempt
        if attempt < n:
            raise ConnectionError(f"attempt {attempt}: the warehouse does not answer")
        return attempt

    def rate_limited(self, n: int, after: float) -> dict[str, float]:
        """Be told to come back later in the attempts before the n-th one; return when that has begun."""
        began = time.time()
        attempt = current_job().attempt
        if attempt < n:
            raise Retry(after=after, reason="rate limited")
        return {"attempt": attempt, "began": began}


class Imports:
    def rows(self, count: int, seconds: float = 0.0) -> dict[str, int]:
        """Pretend to import so many rows in so many seconds; an attempt goes on at the row where the last one was."""
        job = current_job()
        first = (job.checkpointed or {"row": 0})["row"]
        for row in range(first, count):
            if row % 1000 == 0:
                print(f"row {row}", flush=True)
                job.checkpoint({"row": row})
                job.progress(row, count)
                time.sleep(seconds * 1000 / count)
        return {"from": first, "to": count}


class Reports:
    def slow(self, seconds: float) -> dict[str, float]:
        """Take so many seconds, and report progress four times a second."""
        steps = max(1, round(seconds * 4))
        for step in range(1, steps + 1):
            time.sleep(seconds / steps)
            current_job().progress(step, steps)
            print(f"step {step} of {steps}", flush=True)
        return {"seconds": seconds}


class Env:
    def dump(self) -> dict[str, object]:
        """Return what the job's process finds around it: of its environment only the names, as values may be secret."""
        return {
            "environment": sorted(os.environ),
            "uid": os.getuid(),
            "pid": os.getpid(),
            "python": ".".join(str(part) for part in sys.version_info[:3]),
            "kubernetes_token": KUBERNETES_TOKEN.exists(),
        }
