"""The namespaces that are in trouble: what is wrong there, since when, and what helps."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from bgjobs_core.health.findings import Finding, FindingCode
from bgjobs_operator.loops.troubles import Kind, Trouble, remedy

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

MOST_TOLD: Final = 10
_ROOM: Final = 200  # characters of somebody else's sentence
# Jobs are launched late there, but everything else goes on.
_BEARABLE: Final = frozenset({Kind.QUOTA, Kind.SLOW})
# One call that fails now and then is no outage, and neither is one loop that misses a right.
_LASTS_SECONDS: Final = 15.0
_LOOPS: Final = 2


@dataclass(frozen=True)
class InTrouble:
    """A loop that is held up in a namespace, since when (Unix seconds)."""

    loop: str
    namespace: str
    since: float
    trouble: Trouble


@dataclass
class Namespaces:
    """What the loops have told of namespaces.

    Attributes:
        ours: the namespaces of jobs.
        now: the time in Unix seconds.
    """

    ours: Collection[str] = ()
    now: Callable[[], float] = time.time
    _found: dict[tuple[str, str], InTrouble] = field(default_factory=dict[tuple[str, str], InTrouble])

    def tell(self, loop: str, namespace: str, trouble: Trouble | None) -> None:
        """Note what is wrong with a namespace; None: nothing any more."""
        if trouble is None:
            self._found.pop((loop, namespace), None)
            return
        before = self._found.get((loop, namespace))
        since = self.now() if before is None else before.since
        self._found[loop, namespace] = InTrouble(loop, namespace, since, trouble)

    def clear(self) -> None:
        """Nobody of this process looks any more."""
        self._found.clear()

    def troubles(self) -> Sequence[Sequence[InTrouble]]:
        """Those in trouble: of each namespace all loops, the first one first; the longest in trouble first."""
        by_namespace: dict[str, list[InTrouble]] = {}
        for one in sorted(self._found.values(), key=lambda found: (found.since, found.namespace, found.loop)):
            by_namespace.setdefault(one.namespace, []).append(one)
        return list(by_namespace.values())

    def nothing_works(self) -> bool:
        """Whether more than one loop is held up in every namespace of jobs, and has been for a while.

        That jobs are launched late, or that an answer takes long, does not count.
        """
        until = self.now() - _LASTS_SECONDS
        held_up = Counter(
            one.namespace
            for one in self._found.values()
            if one.loop != "launch" and one.trouble.kind not in _BEARABLE and one.since <= until
        )
        return bool(self.ours) and all(held_up[namespace] >= _LOOPS for namespace in self.ours)

    def sentences(self) -> list[str]:
        """One for each of the ten that have been in trouble for longest, and how many more there are."""
        troubles = self.troubles()
        said = [_sentence(of_one) for of_one in troubles[:MOST_TOLD]]
        return [*said, *_and_more(len(troubles) - len(said))]

    def findings(self) -> list[Finding]:
        """The same for the report, each with what helps."""
        troubles = self.troubles()
        code = FindingCode.NAMESPACE_IN_TROUBLE
        found = [
            Finding(
                code,
                _sentence(of_one),
                remedy(of_one[0].trouble.kind, of_one[0].namespace),
                self._age(of_one[0]),
                of_one[0].namespace,
            )
            for of_one in troubles[:MOST_TOLD]
        ]
        look = "kubectl get namespaces"
        return [*found, *(Finding(code, words, look) for words in _and_more(len(troubles) - len(found)))]

    def _age(self, one: InTrouble) -> int:
        return max(0, round(self.now() - one.since))


def _sentence(of_one: Sequence[InTrouble]) -> str:
    first = of_one[0]
    since = datetime.fromtimestamp(first.since, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    message = first.trouble.message
    words = message if len(message) <= _ROOM else f"{message[:_ROOM]}..."
    loops = ", ".join(one.loop for one in of_one)
    return f"namespace {first.namespace} is in trouble since {since} ({loops}): {first.trouble.kind}: {words}"


def _and_more(count: int) -> list[str]:
    return [f"{count} more namespaces are in trouble"] if count > 0 else []
