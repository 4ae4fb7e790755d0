"""What becomes of nasty job code, one row for each input: the same in a process, in a pod and in a test.

`test_processes.py` runs each row with the real runner, `test_in_place.py` with `bgjobs.testing`, and
`tests/cluster/test_nasty.py` those in real pods on which it could depend that it is one: process 1 of its container,
another version of Python, streams that the container runtime reads, descriptors, signals, the node's clock.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

APP: Final = Path(__file__).parent / "app"
PACKAGE: Final = "nasty"
# Of the queue: what a method leaves behind has so long after its return.
GRACE_SECONDS: Final = 2


class InTests(enum.Enum):
    """How a row is played with `bgjobs.testing`, which runs a job in the test's own process."""

    SAME = "as in a pod"
    ALONE = "as in a pod; it changes its process, so it gets one of its own"
    RAISED = "what it raises is no error of a job there, but comes out of the call: it is how tests end"
    NOT = "it is about a process of its own, or a terminal that a test has; docs/testing.md says so"


@dataclass(frozen=True)
class Ended:
    """What became of a job.

    Attributes:
        state: its state.
        outcome: its outcome.
        kind: type of its error; "" if it has none.
        words: message of its error.
        result: what its method returned.
        log: all of its log.
        attempts: how many it had.
    """

    state: str
    outcome: str
    kind: str
    words: str
    result: Any
    log: str
    attempts: int


@dataclass(frozen=True)
class Row:
    """One input, and what is right.

    Attributes:
        code: class and method, or module and function, below the package `nasty`.
        outcome: of the job, which has one attempt.
        kind: type of the error; "" if there is none.
        words: part of the error's message.
        result: what the method returned.
        log: parts of the job's log, in this order.
        parameters: of the call.
        in_tests: how it is played in a test.
        pod: whether it is played in a pod, too.
    """

    code: str
    outcome: str
    kind: str = ""
    words: str = ""
    result: Any = None
    log: tuple[str, ...] = ()
    parameters: list[Any] = field(default_factory=list[Any])
    in_tests: InTests = InTests.SAME
    pod: bool = False

    @property
    def name(self) -> str:
        """What no other row is called."""
        return f"{self.code}({', '.join(map(str, self.parameters))})"

    @property
    def cls(self) -> str:
        """The dotted name of the class or module."""
        return f"{PACKAGE}.{self.code.rpartition('.')[0]}"

    @property
    def method(self) -> str:
        """The name of the method or function."""
        return self.code.rpartition(".")[2]

    @property
    def max_retries(self) -> int:
        """Some where the job must end for good all the same."""
        return 0 if self.outcome == "error" else 3

    @property
    def state(self) -> str:
        """In which the job ends."""
        return "succeeded" if self.outcome == "succeeded" else "failed"

    def check(self, ended: Ended) -> None:
        """Compare it with what became of it."""
        found = (ended.state, ended.outcome, ended.kind, ended.attempts)
        assert found == (self.state, self.outcome, self.kind, 1), ended
        assert self.words in ended.words
        assert ended.result == self.result
        at = 0
        for part in self.log:
            assert part in ended.log[at:], (part, ended.log)
            at = ended.log.index(part, at) + len(part)


def _done(code: str, result: Any = "done", *log: str, **more: Any) -> Row:
    return Row(code, "succeeded", result=result, log=log, **more)


def _raised(code: str, kind: str, words: str, *log: str, **more: Any) -> Row:
    return Row(code, "error", kind, words, log=log or (kind,), **more)


def _lost(method: str, words: str, **more: Any) -> Row:
    """A result that nobody can keep: the work is done, so it is not done again."""
    return Row(f"results.Returns.{method}", "aborted", "ResultNotJSONError", words, log=("charged", words), **more)


def _rejected(code: str, kind: str, words: str, **more: Any) -> Row:
    return Row(code, "rejected", kind, words, log=(words,), **more)


def _levels(number: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(number):
        found = [found]
    return found


_NO_TERMINAL: Final = "a job has no terminal, so nobody can answer it"
_GOES_ON: Final = "the method has returned, and its result counts, but its process goes on: "

TABLE: Final = (
    # Abort, in every form.
    Row("ends.Aborts.of_its_own_class", "aborted", "GoneError", "customer 7 is gone", log=("GoneError: ",), pod=True),
    Row("ends.Aborts.bare", "aborted", "Abort", "Abort"),
    Row("ends.Aborts.from_another", "aborted", "Abort", "withdrawn", log=("KeyError: 'no such row'", "Abort: withd")),
    Row("ends.Aborts.in_a_task_group", "aborted", "Abort", "withdrawn"),
    # What is raised, and how it is shown.
    _raised("ends.Raises.without_words", "ValueError", ""),
    _raised("ends.Raises.with_a_surrogate", "ValueError", r"half of a letter: \udc80"),
    _raised("ends.Raises.what_cannot_be_shown", "MuteError", "(its message cannot be shown: RuntimeError)"),
    _raised(
        "ends.Raises.what_ends_the_process_when_it_is_shown",
        "FatalError",
        "(its message cannot be shown: SystemExit)",
    ),
    _raised("ends.Raises.with_broken_notes", "NotedError", "no stock", "NotedError: no stock\n"),
    _raised(
        "ends.Raises.with_odd_words", "OddWordsError", "job code has raised an error that cannot be shown", "error: "
    ),
    _raised("ends.Raises.what_is_frozen", "FrozenError", "3", "FrozenError: 3"),
    _raised("ends.Raises.too_deep", "RecursionError", "maximum recursion depth exceeded"),
    _raised("ends.Raises.system_exit", "SystemExit", "job code called sys.exit('no stock')"),
    _raised("ends.Raises.system_exit_0", "SystemExit", "job code called sys.exit(0)", pod=True),
    _raised(
        "ends.Raises.system_exit_with_what_cannot_be_shown",
        "SystemExit",
        "job code called sys.exit(a value that cannot be shown: RuntimeError)",
    ),
    _raised("ends.Raises.keyboard_interrupt", "KeyboardInterrupt", "", in_tests=InTests.RAISED),
    _raised("ends.Raises.generator_exit", "GeneratorExit", "", in_tests=InTests.RAISED),
    _raised("ends.Raises.cancelled", "CancelledError", ""),
    _raised("ends.Raises.stop_iteration", "RuntimeError", "coroutine raised StopIteration"),
    # Processes that end without a word.
    _raised(
        "ends.Dies.without_a_word", "EndedWithoutResult", "as after os._exit()", "the last words",
        in_tests=InTests.NOT, pod=True,
    ),
    _raised(
        "ends.Dies.by_sigkill", "KilledBySignal", "killed by SIGKILL; it may have reached the memory limit", "",
        in_tests=InTests.NOT, pod=True,
    ),
    _raised(
        "ends.Dies.by_its_own_group", "KilledBySignal", "killed by SIGTERM", "", in_tests=InTests.NOT, pod=True
    ),
    # Results.
    _lost("a_date", "result.when is a date", pod=True),
    _lost("a_decimal", "result[1] is a Decimal"),
    _lost("a_set", "result.all is a set"),
    _lost("nan", "result is nan, which JSON cannot carry"),
    _lost("too_much", "result takes 307,202 bytes as JSON; at most 262,144"),
    _lost("bytes_of_it", "result is a bytes"),
    _lost("a_large_number", "result is an integer beyond 64 bits"),
    _lost("a_key_that_is_no_text", "result has the key 1; JSON keys are strings"),
    _lost("a_key_that_is_too_long", "it cannot be read (ValueError: Exceeds the limit"),
    _lost("a_key_that_cannot_be_shown", "it cannot be read (RuntimeError: no words)"),
    _lost("half_a_letter", "result[0] holds a lone surrogate"),
    _lost("itself", "is nested deeper than"),
    _lost("what_cannot_be_read", "it cannot be read (RuntimeError: dictionary changed size during iteration)"),
    _lost("a_proxy_of_nothing", "it cannot be read (RuntimeError: there is no request)"),
    _lost("a_coroutine_function", "result is a method"),
    _done("results.Returns.a_coroutine", "later", "charged"),
    Row("results.Returns.a_generator", "aborted", "GeneratorError", "none of its code has run", pod=True),
    Row("results.Returns.an_async_generator", "aborted", "GeneratorError", "none of its code has run"),
    _done("results.Returns.a_tuple_and_an_enum", [1, 1]),
    _done("results.Returns.many_levels_with_little_room", _levels(40), in_tests=InTests.ALONE),
    # Streams.
    _done("process.Streams.in_turns", None, "1\n2\n3\n4\n", pod=True),
    _done("process.Streams.a_progress_bar", "done", "100 %", pod=True),
    _done("process.Streams.none_at_all"),
    _raised(
        "process.Streams.closed_before_an_error", "ValueError", "broken", "before\n", "ValueError: broken\n", pod=True
    ),
    _done("process.Streams.one_closed_and_the_other_printed_to", "done", "before\n", "after\n"),
    _raised(
        "process.Streams.replaced_by_something_broken", "ValueError", "no stock", "ValueError: no stock\n",
        in_tests=InTests.ALONE,
    ),
    _raised(
        "process.Streams.in_ascii", "ValueError", "größer", "ValueError: größer\n", in_tests=InTests.ALONE
    ),
    _raised("process.Streams.without_print", "ValueError", "no stock", in_tests=InTests.ALONE),
    _done("process.Streams.all_descriptors_closed", in_tests=InTests.ALONE, pod=True),
    # What asks somebody, or its command line.
    _raised(
        "process.Asks.a_question", "EOFError", f"input(): {_NO_TERMINAL}", "How many? ", in_tests=InTests.NOT, pod=True
    ),
    _raised("process.Asks.a_debugger", "RuntimeError", f"breakpoint(): {_NO_TERMINAL}", in_tests=InTests.NOT),
    _done("process.Asks.for_arguments", ["nasty.process.Asks.for_arguments"], in_tests=InTests.NOT, pod=True),
    # Progress.
    _done("process.Progress.of_odd_things"),
    _done("process.Progress.in_a_signals_handler", in_tests=InTests.ALONE, pod=True),
    # Surroundings.
    _raised(
        "process.Surroundings.a_folder_that_is_gone", "ValueError", "no stock", "ValueError: no stock",
        in_tests=InTests.ALONE, pod=True,
    ),
    _done("process.Surroundings.no_environment", in_tests=InTests.ALONE, pod=True),
    _raised(
        "process.Surroundings.no_path", "ValueError", "no stock", "ValueError: no stock", in_tests=InTests.ALONE
    ),
    _done("process.Surroundings.deaf", in_tests=InTests.ALONE, pod=True),
    _done("process.Surroundings.another_locale", {"größer": 1.5}, "größer\n", in_tests=InTests.ALONE, pod=True),
    _done("process.Surroundings.a_logger_of_its_own", "done", "INFO charged\n", in_tests=InTests.ALONE),
    _done("process.Surroundings.a_loop_of_its_own"),
    # As `multiprocessing` has it on other systems than Linux, and from Python 3.14 on.
    *(
        _done("process.Starts.a_pool_of_processes", [1, 4, 9], parameters=[method], in_tests=InTests.ALONE, pod=True)
        for method in ("spawn", "forkserver")
    ),
    # What goes on when the method has returned.
    _done("process.Leaves.a_thread", "done", _GOES_ON, "thread 'the holder'", in_tests=InTests.NOT, pod=True),
    _done(
        "process.Leaves.a_worker_of_the_loop", "done", _GOES_ON, "thread 'asyncio_0'", in_tests=InTests.NOT, pod=True
    ),
    _done("process.Leaves.an_exit_handler_that_fails", "done", "ZeroDivisionError", in_tests=InTests.NOT),
    _done(
        "process.Leaves.an_exit_handler_that_hangs", "done", _GOES_ON, "handler (atexit) in tidy_up (process.py",
        in_tests=InTests.NOT, pod=True,
    ),
    _done("process.Leaves.an_exit_handler_that_ends_the_process", in_tests=InTests.NOT, pod=True),
    _done("process.Leaves.an_object_that_prints", "done", "farewell\n", in_tests=InTests.NOT),
    _done("process.Leaves.an_alarm", in_tests=InTests.NOT),
    # Modules that do something when they are imported.
    _done("printing.work", "done", "imported\n", in_tests=InTests.ALONE),
    _raised("raising.work", "ValueError", "no settings"),
    _raised("exiting.work", "SystemExit", "job code called sys.exit(0)"),
    Row("aborting.work", "aborted", "Abort", "there are no settings", pod=True),
    _raised("interrupting.work", "KeyboardInterrupt", "", in_tests=InTests.RAISED),
    _rejected("lacking.work", "ModuleNotFoundError", "No module named 'a_package_that_nobody_has'", pod=True),
    _done("holding.work", "done", _GOES_ON, "thread 'of the module'", in_tests=InTests.NOT),
    _raised("forgetting.work", "KeyError", "'nasty.forgetting'"),
    # Names that lead nowhere.
    _done("inner.plain.work", "donedone", parameters=[2], pod=True),
    _rejected("inner.plain.wrok", "UnfitCallError", "has no function 'wrok'; did you mean work?"),
    _rejected("inner.plian.work", "UnfitCallError", "no class plian, and no module of that name; did you mean plain?"),
    _rejected(
        "inner.plain.Outer.Inner.work", "ModuleNotFoundError", "Inner is nested in the class nasty.inner.plain.Outer",
        pod=True,
    ),
    _rejected("inner.plain.work.work", "UnfitCallError", "nasty.inner.plain.work is a function and not a class"),
    _rejected("inner.plain.work", "UnfitCallError", "too many positional arguments", parameters=[1, 2]),
)  # fmt: skip
