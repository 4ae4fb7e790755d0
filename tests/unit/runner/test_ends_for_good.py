"""What ends a job for good: Abort in every form, and a result that nobody can keep, after which the work is done."""

from __future__ import annotations

import asyncio
import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from bgjobs import Abort
from bgjobs.runner.call_outcome import run_call

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator


class GoneError(Abort):
    """With a constructor of its own, which does not call Abort's."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __str__(self) -> str:
        return f"customer {self.number} is gone"


class Jobs:
    """Each method ends in another way."""

    def of_its_own(self) -> None:
        raise GoneError(7)

    def bare(self) -> None:
        raise Abort

    def from_another(self) -> None:
        try:
            raise KeyError("no such row")  # noqa: TRY301 - it is the cause of the other one
        except KeyError as error:
            raise Abort("withdrawn") from error

    async def in_a_group(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(2):
                tasks.create_task(self._gives_up())

    async def in_a_mixed_group(self) -> None:
        raise BaseExceptionGroup("both", [Abort("withdrawn"), ValueError("broken")])

    async def _gives_up(self) -> None:
        await asyncio.sleep(0)
        raise Abort("withdrawn")

    def a_date(self) -> dict[str, Any]:
        return {"when": datetime.date(2026, 11, 28)}

    def a_decimal(self) -> Decimal:
        return Decimal("1.5")

    def a_generator(self) -> Generator[int]:
        yield 1

    async def an_async_generator(self) -> AsyncGenerator[int]:
        yield 1


@pytest.mark.parametrize(
    ("method", "outcome", "type_", "words"),
    [
        ("of_its_own", "aborted", "GoneError", "customer 7 is gone"),
        ("bare", "aborted", "Abort", "Abort"),
        ("from_another", "aborted", "Abort", "withdrawn"),
        ("in_a_group", "aborted", "Abort", "withdrawn"),
        ("in_a_mixed_group", "error", "ExceptionGroup", "both (2 sub-exceptions)"),
        ("a_date", "aborted", "ResultNotJSONError", "result.when is a date"),
        ("a_decimal", "aborted", "ResultNotJSONError", "result is a Decimal"),
        ("a_generator", "aborted", "GeneratorError", "none of its code has run"),
        ("an_async_generator", "aborted", "GeneratorError", "none of its code has run"),
    ],
)
def test_how_it_ends(method: str, outcome: str, type_: str, words: str) -> None:
    ended = run_call(f"{__name__}.Jobs", [f"{__name__}.Jobs"], method, [])
    assert ended.error is not None
    assert (ended.outcome, ended.error["type"]) == (outcome, type_)
    assert words in ended.error["message"]


def test_the_cause_of_an_abort_is_kept() -> None:
    ended = run_call(f"{__name__}.Jobs", [f"{__name__}.Jobs"], "from_another", [])
    assert ended.error is not None
    assert "KeyError: 'no such row'" in ended.error["traceback"]
