"""What a benchmark is: a name, its sizes, and a function that measures."""

from __future__ import annotations

import dataclasses
import inspect
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar, get_type_hints

import msgspec

from bench.errors import BenchError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from bench.results import Result
    from bench.terminal import Progress

SizesT = TypeVar("SizesT")


@dataclass(frozen=True)
class Benchmark(Generic[SizesT]):
    """One benchmark.

    Attributes:
        name: by which `make bench ONLY=` calls it.
        title: what it measures, in one line.
        sizes: how much is measured, a frozen dataclass of numbers and text; these are the sizes that count.
        tiny: sizes with which it ends within seconds, to see that it works.
        measure: does it.
        pictured: which figures the docs show as a picture, by what they measure.
    """

    name: str
    title: str
    sizes: SizesT
    tiny: SizesT
    measure: Callable[[SizesT, Progress], Awaitable[Result]]
    pictured: tuple[str, ...] = ()

    @property
    def explanation(self) -> str:
        """What is measured, against what, and what it should be: the docstring of its module."""
        return inspect.cleandoc(inspect.getmodule(self.measure).__doc__ or "")

    async def run(self, sizes: SizesT, progress: Progress) -> Result:
        """Measure with these sizes, and note them, the time and how long it took."""
        at, began = datetime.now(UTC), time.monotonic()
        result = await self.measure(sizes, progress)
        return msgspec.structs.replace(
            result,
            name=self.name,
            sizes=dataclasses.asdict(sizes),  # pyright: ignore[reportArgumentType] - every Sizes is a dataclass
            seconds=round(time.monotonic() - began, 1),
            at=at.isoformat(timespec="seconds"),
        )

    def sizes_with(self, changes: Mapping[str, str], *, tiny: bool) -> SizesT:
        """The sizes, or the tiny ones, with some of them changed.

        Args:
            changes: new values by their names, as text.
            tiny: whether to begin with the tiny ones.

        Raises:
            BenchError: if there is no such size, or its value is not one.
        """
        sizes: Any = self.tiny if tiny else self.sizes
        kinds: dict[str, Any] = get_type_hints(sizes.__class__)
        values: dict[str, Any] = {}
        for name, text in changes.items():
            if name not in kinds:
                raise BenchError(f"{self.name} has no size {name!r}; it has {', '.join(kinds)}")
            try:
                values[name] = kinds[name](text)
            except ValueError as error:
                raise BenchError(f"{self.name}.{name} is {kinds[name].__name__}, and {text!r} is not") from error
        return dataclasses.replace(sizes, **values)
