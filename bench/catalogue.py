"""All benchmarks, in the order in which they are run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bench.errors import BenchError
from bench.measures import enqueue, http, launch, memory, observe, runners, scheduled, store

if TYPE_CHECKING:
    from bench.benchmark import Benchmark

ALL: Final[tuple[Benchmark[Any], ...]] = (
    memory.BENCHMARK,
    enqueue.BENCHMARK,
    http.BENCHMARK,
    store.BENCHMARK,
    launch.BENCHMARK,
    scheduled.BENCHMARK,
    observe.BENCHMARK,
    runners.BENCHMARK,
)


def chosen(names: list[str]) -> list[Benchmark[Any]]:
    """The benchmarks of these names, or all where none is named.

    Raises:
        BenchError: if there is none of a name.
    """
    known = {one.name: one for one in ALL}
    for name in names:
        if name not in known:
            raise BenchError(f"there is no benchmark {name!r}; there are {', '.join(known)}")
    return [known[name] for name in names] if names else list(ALL)
