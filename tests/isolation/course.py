"""One trouble, from its beginning to its end: what the healthy namespace does meanwhile, and how the other recovers."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bench.redis_servers import running
from tests.isolation import virtual_time
from tests.isolation.healthy import ALONE, DEEDS
from tests.isolation.installation import Installation
from tests.isolation.virtual_time import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tests.isolation.rules import Call, Rule

WELL: Final = "well"
ROUNDS: Final = 3
BETWEEN_SECONDS: Final = 7.3  # two rounds; no multiple of a loop's period
FORGOTTEN_SECONDS: Final = 150.0  # until nothing is said of a trouble that is over
SLACK_SECONDS: Final = 0.5  # what a deed may take longer beside twice its time


@dataclass
class Course:
    """What came of it.

    Attributes:
        notice_seconds: see `Trouble`.
        took: the longest time of each deed, in seconds.
        wrong: why a deed did not succeed.
        calls: what was asked of Kubernetes while the trouble lasted.
        seconds: how long it lasted.
        spoiled: how many calls had trouble in its last half minute.
        ready: what `/readyz` said at its end, and when it was over.
        aftermath: why the others have not recovered; "" if they have.
        died: why the leader ended, or which of its loops is stuck; "" if all is well.
        twice: KubeJobs that were made twice.
    """

    notice_seconds: float = 0.0
    took: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    wrong: dict[str, str] = field(default_factory=dict[str, str])
    calls: Sequence[Call] = ()
    seconds: float = 0.0
    spoiled: int = 0
    ready: tuple[str, str] = ("", "")
    aftermath: str = ""
    died: str = ""
    twice: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])


class Trouble:
    """A trouble; each kind overrides what it needs.

    Attributes:
        namespaces: of jobs, besides the healthy one.
        notice_seconds: what a deed may take longer because nobody knows of the trouble yet.
    """

    namespaces: Sequence[str] = ("ill",)
    notice_seconds: float = 0.0

    async def before(self, it: Installation) -> None:
        """The leader leads, and all is well."""

    async def begins(self, it: Installation) -> None:
        """The trouble is there when this returns, and has had its time to spread."""

    async def ends(self, it: Installation) -> None:
        """Its cause is gone."""

    async def recovered(self, it: Installation) -> None:
        """Waits until all that it has held up is done; fails if that does not come by itself."""


async def _round(it: Installation, course: Course, names: Iterable[str]) -> None:
    async def one(name: str) -> None:
        try:
            course.took[name] = max(course.took[name], await DEEDS[name](it, WELL))
        except AssertionError as error:
            course.wrong.setdefault(name, str(error))

    await asyncio.gather(*(one(name) for name in names))


def _spoiled(calls: Sequence[Call], rules: Sequence[Rule]) -> int:
    since = time.monotonic() - 30.0
    return sum(call.at > since and any(rule.fits(call) for rule in rules) for call in calls)


async def _ready_again(it: Installation) -> str:
    async def is_ready() -> bool:
        return it.ready == "200"

    with contextlib.suppress(AssertionError):
        await until("nothing is said any more", is_ready, FORGOTTEN_SECONDS)
    return it.ready


async def _play(trouble: Trouble) -> Course:
    course = Course(notice_seconds=trouble.notice_seconds)
    with running("valkey", "no") as server:
        async with Installation((*trouble.namespaces, WELL), server) as it:
            await it.become(await it.enqueue(WELL, "quick"), "succeeded", 60.0, "the first job")
            await trouble.before(it)
            began = time.monotonic()
            before = len(it.kubernetes.calls)
            await trouble.begins(it)
            rounds: list[asyncio.Task[None]] = []
            for _ in range(ROUNDS):
                rounds.append(asyncio.create_task(_round(it, course, DEEDS.keys() - ALONE)))
                await asyncio.sleep(BETWEEN_SECONDS)
            await asyncio.gather(*rounds)
            for name in ALONE:
                await _round(it, course, [name])
            course.calls, course.seconds = it.kubernetes.calls[before:], time.monotonic() - began
            course.spoiled = _spoiled(course.calls, it.kubernetes.rules)
            course.died, ready = it.died, it.ready
            await trouble.ends(it)
            try:
                await trouble.recovered(it)
            except AssertionError as error:
                course.aftermath = str(error)
            course.died, course.ready = course.died or it.died, (ready, await _ready_again(it))
            course.twice = [name for name, uids in it.kubernetes.made.items() if len(uids) > 1]
    return course


_played: Final = dict[str, Course]()


def played(name: str, trouble: Callable[[], Trouble]) -> Course:
    """The course of a trouble; it is played once in a run, and without any trouble for comparison."""
    if name not in _played:
        try:
            _played[name] = virtual_time.run(lambda: _play(trouble()))
        except (virtual_time.StuckError, AssertionError) as error:
            _played[name] = Course(wrong=dict.fromkeys(DEEDS, str(error)), aftermath=str(error), died=str(error))
    return _played[name]


def slow(course: Course, control: Course, deed: str) -> str:
    """Whether a deed took longer than it may, in words; "" if not."""
    took, may = course.took[deed], 2 * control.took[deed] + SLACK_SECONDS + course.notice_seconds
    return f"{deed}: {took:.2f} s, may take {may:.2f} s" if took > may else ""


def readable(words: str) -> str:
    """A test's id that can be typed."""
    return words.replace(" ", "_")
