"""What these tests run as jobs."""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import Any

from bgjobs import (
    Abort,
    Backoff,
    Retry,
    current_job,
    retry_policy,
    run_background_job,
    run_background_job_async,
)


class Sample:
    def add(self, left: int, right: int = 1) -> int:
        return left + right

    def echo(self, value: Any) -> Any:
        return value

    def pair(self) -> tuple[int, int]:
        return 1, 2

    def spoil(self, items: list[int]) -> None:
        items.clear()
        raise ValueError("spoilt")

    async def later(self, value: str) -> str:
        await asyncio.sleep(0)
        return value * current_job().attempt

    async def fail_later(self) -> None:
        await asyncio.sleep(0)
        raise ValueError("later")

    def who(self) -> list[object]:
        job = current_job()
        return [job.id, job.attempt, job.max_retries, job.cls, job.method, job.parameters, job.is_stopping()]

    def steps(self, count: int) -> None:
        for step in range(1, count + 1):
            current_job().progress(step, count, f"step {step}")

    def go_on(self, rows: int, breaks_at: int) -> int:
        """Say each row, raise at one of them in the first attempt, and return from where the last attempt went on."""
        job = current_job()
        first = (job.checkpointed or {"row": 0})["row"]
        for row in range(first, rows):
            if (row, job.attempt) == (breaks_at, 1):
                raise ConnectionError(f"row {row}")
            job.checkpoint({"row": row + 1})
        return first

    def rate_limited(self, attempt: int) -> int:
        if current_job().attempt < attempt:
            raise Retry(after=3600, reason="rate limited")
        return attempt

    @retry_policy(retry_on=OSError, backoff=Backoff.exponential(2))
    def ruled(self, rows: list[str]) -> str:
        row = rows[current_job().attempt - 1]
        if row == "away":
            raise ConnectionError("away")
        return row.removeprefix("good ") if row.startswith("good ") else str(int(row))

    def until(self, attempt: int) -> str:
        print(f"attempt {current_job().attempt}")
        if current_job().attempt < attempt:
            raise ConnectionError("not yet")
        return "at last"

    def give_up(self) -> None:
        raise Abort("withdrawn")

    def leave(self) -> None:
        sys.exit(3)

    def a_set(self) -> set[int]:
        return {1}

    def speak(self) -> None:
        print("to stdout")
        print("to stderr", file=sys.stderr)
        thread = threading.Thread(target=print, args=("from a thread",))
        thread.start()
        thread.join()

    def outer(self, depth: int) -> str:
        inner = run_background_job(Sample, "outer", [depth - 1]).result() if depth else "the end"
        return f"{depth} {inner}"

    async def outer_async(self) -> str:
        handle = await run_background_job_async(Sample, "later", ["x"])
        return f"{await handle.result()} in {current_job().method}"

    def endless(self) -> None:
        run_background_job(Sample, "endless")

    def cancel_itself(self) -> None:
        job = current_job()
        assert not job.is_stopping()
        # Asked for again, the same id is the same job.
        run_background_job(Sample, "cancel_itself", id=job.id).cancel()
        assert job.is_stopping()
        raise InterruptedError("stopped")

    def runs_a_loop(self) -> str:
        return asyncio.run(self._in_the_loop())

    async def _in_the_loop(self) -> str:
        await asyncio.sleep(0)
        print("in the loop")
        return current_job().method

    def interrupt(self) -> None:
        raise KeyboardInterrupt
