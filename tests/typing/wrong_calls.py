"""Calls that a type checker refuses: each line that ends with `# wrong`, and no other. They are never run."""

from __future__ import annotations

from bgjobs import Call, JobHandle, aenqueue, enqueue, run_background_job, with_options


class Invoices:
    def render(self, year: int, month: int, *, country: str = "de") -> dict[str, object]:
        return {"folder": f"{country}/{year}/{month}"}

    async def later(self, seconds: float) -> str:
        return f"{seconds}"

    def nothing(self) -> None: ...

    def sign(self, key: str, /, line: str) -> None: ...

    @staticmethod
    def static(number: int) -> int:
        return number


def render(year: int, month: int, *, country: str = "de") -> str:
    return f"{country}/{year}/{month}"


async def later(seconds: float) -> str:
    return f"{seconds}"


def nothing() -> None: ...


def sign(key: str, /, line: str) -> None: ...


def calls() -> None:
    enqueue(Invoices.render)  # wrong
    enqueue(Invoices.render, 2026)  # wrong
    enqueue(Invoices.render, 2026, 11, "at")  # wrong
    enqueue(Invoices.render, "2026", 11)  # wrong
    enqueue(Invoices.render, 2026, month="11")  # wrong
    enqueue(Invoices.render, 2026, 11, country=49)  # wrong
    enqueue(Invoices.render, 2026, 11, land="at")  # wrong
    enqueue(Invoices.render, 2026, 11, month=11)  # wrong
    enqueue(Invoices.render, [2026, 11])  # wrong
    enqueue(Invoices.later, "soon")  # wrong
    enqueue(Invoices.nothing, 1)  # wrong
    enqueue(Invoices.sign, key="key", line="a")  # wrong
    enqueue(Invoices.paint, 1)  # wrong
    enqueue("shop.jobs.Invoices.render", 2026, 11)  # wrong
    enqueue(Invoices.render, 2026, 11, priority=1)  # wrong
    enqueue(Invoices.render(Invoices(), 2026, 11))  # wrong


def of_functions() -> None:
    enqueue(render)  # wrong
    enqueue(render, 2026)  # wrong
    enqueue(render, month=11)  # wrong
    enqueue(render, 2026, 11, "at")  # wrong
    enqueue(render, "2026", 11)  # wrong
    enqueue(render, 2026, 11, land="at")  # wrong
    enqueue(later)  # wrong
    enqueue(later, "soon")  # wrong
    enqueue(nothing, 1)  # wrong
    enqueue(sign, key="key", line="a")  # wrong
    enqueue(sign, "a")  # wrong
    enqueue(Invoices.static)  # wrong
    enqueue(Invoices.static, "one")  # wrong
    with_options(queue="mail").enqueue(render, 2026)  # wrong
    with_options(queue="mail").request(later)  # wrong


def options() -> None:
    with_options(priority="high").enqueue(Invoices.nothing)  # wrong
    with_options(delays=60).enqueue(Invoices.nothing)  # wrong
    with_options(queue=None).enqueue(Invoices.nothing)  # wrong
    with_options(labels={"team": 1}).enqueue(Invoices.nothing)  # wrong
    with_options(queue="mail").enqueue(Invoices.render, 2026)  # wrong
    with_options(queue="mail").request(Invoices.render, 2026, 11, land="at")  # wrong
    with_options(key=11).enqueue(Invoices.nothing)  # wrong
    with_options("mail").enqueue(Invoices.nothing)  # wrong
    with_options().enqueue(Invoices.nothing).rerun(priority="high")  # wrong
    with_options().enqueue(Invoices.nothing).rerun(image="shop:2")  # wrong


async def in_an_asyncio_program() -> None:
    await aenqueue(Invoices.render, 2026)  # wrong
    await aenqueue(later)  # wrong
    await aenqueue(render, 2026)  # wrong
    await with_options(queue="mail").aenqueue(Invoices.later)  # wrong
    handle: JobHandle = await aenqueue(Invoices.nothing)  # wrong
    print(handle)


def by_name() -> None:
    run_background_job("shop.jobs.Invoices", "render", 2026)  # wrong
    run_background_job(Invoices, "render", [2026, 11], prioriti=1)  # wrong
    Call(Invoices.render, "render")  # wrong
