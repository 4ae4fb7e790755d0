"""The command `python -m bench`, which `make bench` calls."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from bench import catalogue, machine, results, terminal
from bench.errors import BenchError
from bench.report import document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.benchmark import Benchmark

_FOLDER: Final = machine.ROOT / "build" / "bench"
RESULTS: Final = _FOLDER / "results.json"
_TINY_RESULTS: Final = _FOLDER / "tiny.json"
_BAD_ARGUMENTS: Final = 2


def _parser() -> argparse.ArgumentParser:
    listed = "\n".join(f"  {one.name:10} {one.title}" for one in catalogue.EVERY)
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure how fast bgjobs is, beside what limits it and beside other programs of its kind.",
        epilog=f"benchmarks:\n{listed}\n\nexamples:\n"
        "  make bench                                     all of them, which takes about an hour\n"
        "  make bench ONLY=store                          one of them\n"
        '  make bench ONLY="memory enqueue" ARGS=--tiny   some, only to see that they work\n'
        "  make bench ONLY=store ARGS='--set jobs=100000' with another size\n"
        "  python -m bench --explain store                what is measured, and what it should be\n"
        "  python -m bench --document                     write docs/performance.md from what was measured",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="name", help="of a benchmark; none: all that need no cluster")
    parser.add_argument("--tiny", action="store_true", help="measure little, within seconds, to see that it works")
    parser.add_argument(
        "--set", action="append", default=[], metavar="SIZE=VALUE", help="change a size; --explain lists them"
    )
    parser.add_argument(
        "--results",
        type=Path,
        metavar="FILE",
        help="where results are kept, the newest of each benchmark (default: build/bench/results.json, or tiny.json "
        "beside it)",
    )
    parser.add_argument("--explain", action="store_true", help="say what is measured, and measure nothing")
    parser.add_argument(
        "--document", action="store_true", help="write the tables and pictures of docs/performance.md, measure nothing"
    )
    return parser


def _changes(words: Sequence[str], chosen: Sequence[Benchmark[Any]]) -> dict[str, str]:
    if words and len(chosen) != 1:
        raise BenchError("--set changes the sizes of one benchmark; name it")
    for word in words:
        if "=" not in word:
            raise BenchError(f"--set takes SIZE=VALUE, and {word!r} has no '='")
    return {name: value for name, _, value in (word.partition("=") for word in words)}


def _explain(benchmark: Benchmark[Any]) -> None:
    print(f"{benchmark.name}: {benchmark.title}\n\n{benchmark.explanation}\n\nsizes (--set):")
    sizes = dataclasses.asdict(benchmark.sizes)
    print(*(f"  {name}={value}" for name, value in sizes.items()), "", sep="\n")


def _run(chosen: Sequence[Benchmark[Any]], changes: dict[str, str], file: Path, *, tiny: bool) -> None:
    progress = terminal.Progress()
    sizes = [one.sizes_with(changes, tiny=tiny) for one in chosen]  # what cannot be used is said before anything runs
    for benchmark, size in zip(chosen, sizes, strict=True):
        progress.begin(benchmark.name, benchmark.title)
        result = asyncio.run(benchmark.run(size, progress))
        progress.end()
        print(*terminal.table(result), f"  {result.seconds:.0f} s", "", sep="\n", flush=True)
        before = results.read(file)
        found = {**before.results, benchmark.name: result}
        results.write(file, msgspec.structs.replace(before, machine=machine.describe(), results=found))
    print(f"results: {file}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and return the exit code: 2 for arguments that cannot be used."""
    parser = _parser()
    given = parser.parse_args(arguments)
    default = _TINY_RESULTS if given.tiny else RESULTS
    try:
        names = [name for word in given.names for name in word.split(",") if name]
        chosen = catalogue.chosen(names)
        if given.explain:
            for one in chosen:
                _explain(one)
        elif given.document:
            document.write(results.read(given.results or RESULTS))
        else:
            _run(chosen, _changes(given.set, chosen), given.results or default, tiny=given.tiny)
    except BenchError as error:
        print(f"python -m bench: {error}", file=sys.stderr)
        return _BAD_ARGUMENTS
    return 0


if __name__ == "__main__":
    sys.exit(main())
