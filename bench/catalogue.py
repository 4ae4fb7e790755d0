"""All benchmarks, in the order in which they are run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bench.cluster import fleet_launch, startup
from bench.errors import BenchError
from bench.measures import (
    children,
    enqueue,
    fairness,
    http,
    launch,
    memory,
    observe,
    runner_start,
    runners,
    scheduled,
    start,
    store,
)

if TYPE_CHECKING:
    from bench.benchmark import Benchmark

ALL: Final[tuple[Benchmark[Any], ...]] = (
    memory.BENCHMARK,
    enqueue.BENCHMARK,
    http.BENCHMARK,
    store.BENCHMARK,
    children.BENCHMARK,
    fairness.BENCHMARK,
    launch.BENCHMARK,
    scheduled.BENCHMARK,
    observe.BENCHMARK,
    start.BENCHMARK,
    runners.BENCHMARK,
    runner_start.BENCHMARK,
)
# These need the development cluster, and run only when they are named.
ON_CLUSTER: Final[tuple[Benchmark[Any], ...]] = (fleet_launch.BENCHMARK, startup.BENCHMARK)
EVERY: Final = (*ALL, *ON_CLUSTER)


def chosen(names: list[str]) -> list[Benchmark[Any]]:
    """The benchmarks of these names; where none is named, all that need no cluster.

    Raises:
        BenchError: if there is none of a name.
    """
    known = {one.name: one for one in EVERY}
    for name in names:
        if name not in known:
            raise BenchError(f"there is no benchmark {name!r}; there are {', '.join(known)}")
    return [known[name] for name in names] if names else list(ALL)
