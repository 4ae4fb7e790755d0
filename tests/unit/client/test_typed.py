"""Typed calls: what is asked for, and which calls are refused before anything is sent."""

from __future__ import annotations

import functools
import types
from typing import TYPE_CHECKING, Any

import pytest

from bgjobs import (
    Call,
    InvalidJobError,
    aenqueue,
    enqueue,
    run_background_job,
    run_background_jobs,
    with_options,
)
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

    def all_of_them(*things: Any) -> list[Any]:
        return list(things[1:])

    def named_only(*things: Any, **named: int) -> dict[str, int]:
        assert len(things) == 1
        return named

    def _private(self) -> None: ...

    class Inner:
        def run(self) -> None: ...


class Reminders(Invoices):
    """Inherits all."""


def plain(number: int, factor: int = 1) -> list[int]:
    return [number, factor]


async def plain_later(name: str, *, country: str = "de") -> str:
    return f"{name} in {country}"


@logged
def plain_wrapped(number: int) -> int:
    return number


def variadic(*numbers: int, **named: int) -> str:
    return f"{numbers} {named}"


def takes(items: list[int], *, more: int = 0) -> int:
    return len(items) + more


half = functools.partial(plain, factor=2)


# What a type checker refuses is to be tried too.
anything: Any = enqueue
any_options: Any = with_options


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
        # A type checker does not know it for a method, because of the slash.
        (lambda: anything(Invoices.sign, "k", "a", "b"), ["k", "a", "b"], ["k", "a", "b"]),
        # `key` cannot be named, so `line` goes by position.
        (lambda: anything(Invoices.seal, "k", line="a"), ["k", "a"], ["k", "a"]),
        (lambda: enqueue(Invoices.collect, 1, second=2), {"first": 1, "second": 2}, {"first": 1, "second": 2}),
        (lambda: enqueue(Invoices.wrapped, number=4), {"number": 4}, 4),
        (lambda: enqueue(Invoices.static, 5), [5], 5),
        (lambda: enqueue(Invoices.static, number=5), {"number": 5}, 5),
        (lambda: enqueue(Invoices.of_the_class, 6), [6], 6),
        (lambda: enqueue(Reminders.of_the_class, number=6), {"number": 6}, 6),
        (lambda: enqueue(Invoices.all_of_them, 1, 2), [1, 2], [1, 2]),
        (lambda: enqueue(Invoices.named_only, a=1), {"a": 1}, {"a": 1}),
    ],
)
def test_what_a_call_asks_for(jobs: RecordedJobs, ask: Callable[[], Any], parameters: object, result: object) -> None:
    handle = ask()

    assert jobs.last.cls in {f"{HERE}.Invoices", f"{HERE}.Reminders"}
    assert jobs.last.parameters == parameters
    assert handle.result() == result


@pytest.mark.parametrize(
    ("ask", "method", "parameters", "result"),
    [
        (lambda: enqueue(plain, 2), "plain", [2], [2, 1]),
        (lambda: enqueue(plain, 2, factor=3), "plain", {"number": 2, "factor": 3}, [2, 3]),
        (lambda: enqueue(plain_later, "Ada"), "plain_later", ["Ada"], "Ada in de"),
        (
            lambda: enqueue(plain_later, "Ada", country="at"),
            "plain_later",
            {"name": "Ada", "country": "at"},
            "Ada in at",
        ),
        (lambda: enqueue(plain_wrapped, 4), "plain_wrapped", [4], 4),
        (lambda: enqueue(variadic, 1, 2), "variadic", [1, 2], "(1, 2) {}"),
        (lambda: enqueue(variadic, a=1), "variadic", {"a": 1}, "() {'a': 1}"),
        (lambda: enqueue(takes, items=[], more=1), "takes", {"items": list[int](), "more": 1}, 1),
    ],
)
def test_what_a_call_of_a_function_asks_for(
    jobs: RecordedJobs, ask: Callable[[], Any], method: str, parameters: object, result: object
) -> None:
    handle = ask()

    assert (jobs.last.cls, jobs.last.method, jobs.last.parameters) == (HERE, method, parameters)
    assert handle.result() == result
    assert jobs.of(HERE, method) == [jobs.last]
    assert jobs.assert_enqueued(HERE, method, handle.job.parameters) is jobs.last


async def test_a_function_in_an_asyncio_program(jobs: RecordedJobs) -> None:
    first = await aenqueue(plain_later, "Ada")
    second = await with_options(queue="mail", priority=1).aenqueue(plain, 7)

    assert (await first.result(), await second.result()) == ("Ada in de", [7, 1])
    assert [(job.queue, job.priority) for job in jobs] == [("default", 0), ("mail", 1)]


def test_a_function_by_the_name_of_its_module(jobs: RecordedJobs) -> None:
    assert run_background_job(HERE, "plain", [2]).result() == [2, 1]
    assert run_background_jobs([Call(HERE, "plain", {"number": 3})])[0].result() == [3, 1]
    assert [str(job) for job in jobs] == [f"{HERE}.plain(2)", f"{HERE}.plain(number=3)"]


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


def at_home_in(module: str, name: str = "plain") -> Any:
    """A function that says that it is from there."""
    function = types.FunctionType(plain.__code__, {})
    function.__module__, function.__qualname__ = module, name
    return function


@pytest.mark.parametrize(
    ("ask", "words", "field"),
    [
        (lambda: anything(Invoices.render, 2026), "missing a required argument: 'month'", "parameters"),
        (lambda: anything(Invoices.render, 2026, 11, "de"), "too many positional arguments", "parameters"),
        (lambda: anything(Invoices.render, 2026, 11, land="de"), "unexpected keyword argument 'land'", "parameters"),
        (lambda: anything(Invoices.render, {1, 2}, 11), r"parameters\[0\] is a set, which JSON cannot", "parameters"),
        (lambda: anything(Invoices.pack, "k", size=1), "all by position or all by name", "parameters"),
        (lambda: anything(Invoices().render, 2026, 11), r"give that of the class: Invoices\.render", "method"),
        (lambda: anything(Invoices.static), r"Invoices\.static\(.*missing a required argument: 'number'", "parameters"),
        (
            lambda: anything(Invoices.of_the_class),
            r"of_the_class\(.*missing.*'number'",
            "parameters",
        ),
        (lambda: anything(Invoices.named_only, 1, a=2), "named_only.* all by position or all by name", "parameters"),
        (lambda: anything(plain), r"test_typed\.plain\(.*missing a required argument: 'number'", "parameters"),
        (lambda: anything(plain, 1, 2, 3), "plain.* too many positional arguments", "parameters"),
        (lambda: anything(plain, 1, country="de"), "unexpected keyword argument 'country'", "parameters"),
        (lambda: anything(plain, {1}), r"parameters\[0\] is a set", "parameters"),
        (lambda: anything(variadic, 1, a=2), "variadic.* all by position or all by name", "parameters"),
        (lambda: anything(half, 1), r"partial\(.* is not a method or function that is written in Python", "method"),
        (
            lambda: anything(at_home_in(HERE, "not_there"), 1),
            "not_there is another function than the given one",
            "method",
        ),
        (lambda: with_options(cls=Invoices).enqueue(plain, 1), "is a function.*leave out cls=Invoices", "class"),
        (lambda: anything(at_home_in("__main__"), 1), "plain belongs to the script that is running", "class"),
        (
            lambda: anything(at_home_in("jobs"), 1),
            r"jobs\.plain is a function of a module that is in no package",
            "class",
        ),
        (lambda: anything(Invoices._private), "_private", "method"),  # pyright: ignore[reportPrivateUsage]
        (lambda: anything(Invoices.Inner.run), "Inner is nested in another class", "class"),
        (lambda: anything(lambda: 1), r"<lambda> is defined inside a function", "class"),
        (lambda: anything(a_local_class()), r"Local\.run is defined inside a function", "class"),
        (lambda: anything(another_method()), r"Invoices\.render is another method than the given one", "method"),
        (lambda: anything(len, [1]), "len> is not a method or function that is written in Python", "method"),
        (lambda: anything(Invoices, 1), "Invoices'> is not a method or function that is written in Python", "method"),
        (lambda: with_options(cls=int).enqueue(Invoices.later), r"int\.later is another method", "method"),
        (lambda: any_options(ququ="a").enqueue(Invoices.later), "did you mean queue", "ququ"),
    ],
)
def test_what_is_refused(jobs: RecordedJobs, ask: Callable[[], object], words: str, field: str) -> None:
    with pytest.raises(InvalidJobError, match=words) as caught:
        ask()

    assert caught.value.field == field
    assert len(jobs) == 0
