"""Job code that ends in an odd way."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
import sys

from bgjobs import Abort


class GoneError(Abort):
    """With a constructor of its own, which does not call Abort's."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __str__(self) -> str:
        return f"customer {self.number} is gone"


@dataclasses.dataclass(frozen=True)
class FrozenError(Exception):
    """It refuses every change of itself, that of its traceback too."""

    shelf: int


class MuteError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


class FatalError(Exception):
    def __str__(self) -> str:  # noqa: PLE0307 - it ends the process
        sys.exit(0)


class NotedError(Exception):
    @property
    def __notes__(self) -> list[str]:  # type: ignore[override]  # pyright: ignore[reportIncompatibleVariableOverride]
        raise RuntimeError("no notes")


class Text(str):
    """Words that are text, and not as others are."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:  # noqa: ARG002 - as that of str
        raise RuntimeError("no bytes")


class OddWordsError(Exception):
    def __str__(self) -> str:
        return Text("odd")


class Odd:
    def __repr__(self) -> str:
        raise RuntimeError("no words")


class Aborts:
    def of_its_own_class(self) -> None:
        raise GoneError(7)

    def bare(self) -> None:
        raise Abort

    def from_another(self) -> None:
        try:
            raise KeyError("no such row")  # noqa: TRY301 - it is the cause of the other one
        except KeyError as error:
            raise Abort("withdrawn") from error

    async def in_a_task_group(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(2):
                tasks.create_task(self._gives_up())

    async def _gives_up(self) -> None:
        raise Abort("withdrawn")


class Raises:
    def without_words(self) -> None:
        raise ValueError

    def with_a_surrogate(self) -> None:
        raise ValueError("half of a letter: \udc80")

    def what_cannot_be_shown(self) -> None:
        raise MuteError

    def what_ends_the_process_when_it_is_shown(self) -> None:
        raise FatalError

    def with_broken_notes(self) -> None:
        raise NotedError("no stock")

    def with_odd_words(self) -> None:
        raise OddWordsError

    def what_is_frozen(self) -> None:
        raise FrozenError(3)

    def too_deep(self) -> None:
        self.too_deep()

    def system_exit(self) -> None:
        sys.exit("no stock")

    def system_exit_0(self) -> None:
        sys.exit(0)

    def system_exit_with_what_cannot_be_shown(self) -> None:
        raise SystemExit(Odd())

    def keyboard_interrupt(self) -> None:
        raise KeyboardInterrupt

    def generator_exit(self) -> None:
        raise GeneratorExit

    async def cancelled(self) -> None:
        raise asyncio.CancelledError

    async def stop_iteration(self) -> None:
        raise StopIteration


class Dies:
    def without_a_word(self) -> None:
        print("the last words")
        os._exit(0)

    def by_sigkill(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def by_its_own_group(self) -> None:
        os.killpg(0, signal.SIGTERM)
