"""Typed calls that a type checker accepts. They are only checked, and never run."""

from __future__ import annotations

from typing import Any

from bgjobs import (
    AsyncJobHandle,
    Call,
    EnqueuedBatch,
    JobHandle,
    aenqueue,
    enqueue,
    new_job_id,
    run_background_job,
    run_background_jobs,
    with_options,
)
from bgjobs.vocabulary import State


class Invoices:
    def render(self, year: int, month: int, *, country: str = "de") -> dict[str, object]:
        return {"folder": f"{country}/{year}/{month}"}

    def send(self, to: str | None = None, *copies: str, **headers: str) -> None: ...

    async def later(self, seconds: float) -> str:
        return f"{seconds}"

    def nothing(self) -> None: ...

    @staticmethod
    def static(number: int) -> int:
        return number

    @classmethod
    def of_the_class(cls, number: int) -> int:
        return number


class Reminders(Invoices):
    pass


def render(year: int, month: int, *, country: str = "de") -> str:
    return f"{country}/{year}/{month}"


async def later(seconds: float) -> str:
    return f"{seconds}"


def nothing() -> None: ...


def sign(key: str, /, line: str) -> None: ...


def send(to: str | None = None, *copies: str, **headers: str) -> None: ...


def calls() -> None:
    enqueue(Invoices.render, 2026, 11)
    enqueue(Invoices.render, 2026, 11, country="at")
    enqueue(Invoices.render, year=2026, month=11)
    enqueue(Invoices.send)
    enqueue(Invoices.send, None)
    enqueue(Invoices.send, "ann@example.com", "bob@example.com", subject="November")
    enqueue(Invoices.later, 1)
    enqueue(Invoices.later, 1.5)
    enqueue(Invoices.nothing)
    handle: JobHandle = enqueue(Reminders.render, 2026, 11)
    value: Any = handle.result(timeout=5)
    print(value)


def of_functions() -> None:
    enqueue(render, 2026, 11)
    enqueue(render, 2026, 11, country="at")
    enqueue(render, year=2026, month=11)
    enqueue(later, 1.5)
    enqueue(nothing)
    enqueue(sign, "key", line="a")
    enqueue(send)
    enqueue(send, "ann@example.com", "bob@example.com", subject="November")
    enqueue(Invoices.static, 1)
    enqueue(Invoices.of_the_class, number=1)
    handle: JobHandle = with_options(queue="mail").enqueue(render, 2026, 11)
    with_options(priority=1).request(later, seconds=1)
    print(handle.id)


def options() -> None:
    with_options().enqueue(Invoices.nothing)
    with_options(priority=1, delay=0.5, queue="mail").enqueue(Invoices.render, 2026, 11, country="at")
    with_options(id=new_job_id(), namespace=None, labels={"team": "billing"}).enqueue(Invoices.nothing)
    with_options(cls=Reminders, timeout=5, max_retries=0, timeout_seconds=60).enqueue(Reminders.nothing)
    with_options(key="invoice-2026-11").enqueue(Invoices.nothing)
    urgent = with_options(priority=1)
    handle: JobHandle = urgent.enqueue(Invoices.render, 2026, 11)
    urgent.request(Invoices.later, seconds=1)
    print(handle.id, handle.rerun().state)
    handle.rerun(set={1: 12}, priority=1, queue="mail", delay=60, timeout_seconds=5, max_retries=0)
    handle.rerun(set={"country": "at"}, labels={"team": "billing"}).rerun(parameters=(2026, 12))


def batches() -> None:
    batch: EnqueuedBatch = run_background_jobs([Call(Invoices, "nothing")])
    with_options(needs=[batch], on_parent_failure="run").enqueue(Invoices.nothing)
    with_options(needs=[batch, batch[0], batch.id]).enqueue(Invoices.nothing)
    failed: int = batch.counts()[State.FAILED]
    first: JobHandle = batch[0]
    print(failed, first.state, batch.wait(timeout=5).ended, batch.cancel("why").jobs, [one.id for one in batch.jobs()])


async def in_an_asyncio_program() -> None:
    handle: AsyncJobHandle = await aenqueue(Invoices.render, 2026, 11, country="at")
    other: AsyncJobHandle = await with_options(queue="mail").aenqueue(Invoices.later, 1.5)
    third: AsyncJobHandle = await aenqueue(later, 1.5)
    fourth: AsyncJobHandle = await with_options(queue="mail").aenqueue(render, 2026, 11)
    print(await handle.result(), await other.logs(), third.id, fourth.id)


def by_name() -> None:
    run_background_job("shop.jobs.Invoices", "render", [2026, 11], 1, 60)
    run_background_job(Invoices, "render", {"year": 2026, "month": 11}, priority=1, timeout=5, queue="mail")
    Call(Invoices, "render", (2026, 11), priority=1, delay=60, queue="mail")
