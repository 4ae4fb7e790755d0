"""Typed calls: what is asked for, and which calls are refused before anything is sent."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import pytest

from bgjobs import InvalidJobError, aenqueue, enqueue, with_options
from bgjobs.testing import RecordedJobs, eager

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = __name__


def logged(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


class Invoices:
    def render(self, year: int, month: int, *, country: str = "de") -> str:
        return f"{year}-{month:02} in {country} by {type(self).__name__}"

    async def later(self, name: str = "Ada") -> str:
        return f"later, {name}"

    def sign(self, key: str, /, *lines: str) -> list[str]:
        return [key, *lines]

    def seal(self, key: str, /, line: str = "") -> list[str]:
        return [key, line]

    def pack(self, key: str, /, *, size: int) -> None: ...

    def collect(self, first: int, **others: int) -> dict[str, int]:
        return {"first": first, **others}

    @logged
    def wrapped(self, number: int) -> int:
        return number

    @staticmethod
    def static(number: int) -> int:
        return number

    @classmethod
    def of_the_class(cls, number: int) -> int:
        return number

    def _private(self) -> None: ...

    class Inner:
        def run(self) -> None: ...


class Reminders(Invoices):
    """Inherits all."""


def plain(number: int) -> int:
    return number


@pytest.fixture
def jobs() -> Iterator[RecordedJobs]:
    with eager() as recorded:
        yield recorded


@pytest.mark.parametrize(
    ("ask", "parameters", "result"),
    [
        (lambda: enqueue(Invoices.render, 2026, 11), [2026, 11], "2026-11 in de by Invoices"),
        (
            lambda: enqueue(Invoices.render, 2026, 11, country="at"),
            {"year": 2026, "month": 11, "country": "at"},
            "2026-11 in at by Invoices",
        ),
        (lambda: enqueue(Invoices.render, 2026, month=1), {"year": 2026, "month": 1}, "2026-01 in de by Invoices"),
        (lambda: enqueue(Invoices.later), [], "later, Ada"),
        (lambda: enqueue(Invoices.sign, "k", "a", "b"), ["k", "a", "b"], ["k", "a", "b"]),
        # `key` cannot be named, so `line` goes by position.
        (lambda: enqueue(Invoices.seal, "k", line="a"), ["k", "a"], ["k", "a"]),
        (lambda: enqueue(Invoices.collect, 1, second=2), {"first": 1, "second": 2}, {"first": 1, "second": 2}),
        (lambda: enqueue(Invoices.wrapped, number=4), {"number": 4}, 4),
    ],
)
def test_what_a_call_asks_for(jobs: RecordedJobs, ask: Callable[[], Any], parameters: object, result: object) -> None:
    handle = ask()

    assert (jobs.last.cls, jobs.last.parameters) == (f"{HERE}.Invoices", parameters)
    assert handle.result() == result


def test_options(jobs: RecordedJobs) -> None:
    urgent = with_options(priority=1, delay=60, queue="mail", max_retries=0)

    urgent.enqueue(Invoices.render, 2026, 11)
    urgent.enqueue(Invoices.render, 2026, 12)

    assert [(job.parameters, job.priority, job.delay, job.queue, job.max_retries) for job in jobs] == [
        ([2026, 11], 1, 60, "mail", 0),
        ([2026, 12], 1, 60, "mail", 0),
    ]


async def test_in_an_asyncio_program(jobs: RecordedJobs) -> None:
    first = await aenqueue(Invoices.render, 2026, 11)
    second = await with_options(queue="mail").aenqueue(Invoices.later, name="Bob")

    assert (await first.result(), await second.result()) == ("2026-11 in de by Invoices", "later, Bob")
    assert [job.queue for job in jobs] == ["default", "mail"]


def test_an_inherited_method_needs_its_class(jobs: RecordedJobs) -> None:
    assert enqueue(Reminders.render, 2026, 11).result() == "2026-11 in de by Invoices"
    assert with_options(cls=Reminders).enqueue(Reminders.render, 2026, 11).result() == "2026-11 in de by Reminders"


def test_a_request_for_a_client_of_ones_own() -> None:
    request = with_options(namespace="shop").request(Invoices.render, 2026, 11)

    assert (request.cls, request.method, request.namespace) == (f"{HERE}.Invoices", "render", "shop")


def a_local_class() -> Any:
    class Local:
        def run(self) -> None: ...

    return Local.run


def another_method() -> Any:
    """What a decorator leaves that forgets the name of the class's method."""
    before = Invoices.render

    def render(self: Any) -> None: ...

    render.__module__, render.__qualname__ = before.__module__, before.__qualname__
    return render


# What a type checker refuses is to be tried too.
anything: Any = enqueue
any_options: Any = with_options


@pytest.mark.parametrize(
    ("ask", "words", "field"),
    [
        (lambda: anything(Invoices.render, 2026), "missing a required argument: 'month'", "parameters"),
        (lambda: anything(Invoices.render, 2026, 11, "de"), "too many positional arguments", "parameters"),
        (lambda: anything(Invoices.render, 2026, 11, land="de"), "unexpected keyword argument 'land'", "parameters"),
        (lambda: anything(Invoices.render, {1, 2}, 11), r"parameters\[0\] is a set, which JSON cannot", "parameters"),
        (lambda: anything(Invoices.pack, "k", size=1), "all by position or all by name", "parameters"),
        (lambda: anything(Invoices().render, 2026, 11), r"give that of the class: Invoices\.render", "method"),
        (lambda: anything(Invoices.static, 1), r'is a static method.*run_background_job\(Invoices, "static"', "method"),
        (lambda: anything(Invoices.of_the_class, 1), r"of_the_class is a class method.*run_background_job", "method"),
        (lambda: anything(Invoices._private), "_private", "method"),  # pyright: ignore[reportPrivateUsage]
        (lambda: anything(Invoices.Inner.run), "Inner is nested in another class", "class"),
        (lambda: anything(plain, 1), r"plain is a function; a job calls a method", "class"),
        (lambda: anything(lambda: 1), r"<lambda> is defined inside a function", "class"),
        (lambda: anything(a_local_class()), r"Local\.run is defined inside a function", "class"),
        (lambda: anything(another_method()), r"Invoices\.render is another method than the given one", "method"),
        (lambda: anything(len, [1]), "len> is not a method that is written in Python", "method"),
        (lambda: anything(Invoices, 1), "Invoices'> is not a method that is written in Python", "method"),
        (lambda: with_options(cls=int).enqueue(Invoices.later), r"int\.later is another method", "method"),
        (lambda: any_options(ququ="a").enqueue(Invoices.later), "did you mean queue", "ququ"),
    ],
)
def test_what_is_refused(jobs: RecordedJobs, ask: Callable[[], object], words: str, field: str) -> None:
    with pytest.raises(InvalidJobError, match=words) as caught:
        ask()

    assert caught.value.field == field
    assert len(jobs) == 0
