"""fresh queues: nothing is launched in a namespace before this leader has seen the namespace's queues themselves.

Redis remembers the queues as an earlier leader saw them. Since then a namespace may have been deleted and made again by
somebody else, and its jobs would be launched there by the settings of a queue that is gone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable


@dataclass
class FreshQueues:
    """In which namespaces the queues have been seen since this leader took over.

    A namespace is fresh for good once each queue of its first list has been looked at. One that cannot be looked at
    counts, too: it holds up no other queue of its namespace.

    Attributes:
        told: hears that a namespace has become fresh.
    """

    told: Callable[[], None] = lambda: None
    _left: dict[str, set[str]] = field(default_factory=dict[str, set[str]])

    def listed(self, namespace: str, queues: Iterable[str]) -> None:
        """The names of a namespace's queues, and of those that Redis remembers; only the first list counts."""
        if namespace not in self._left:
            self._left[namespace] = set(queues)
            self._tell(namespace)

    def looked_at(self, namespace: str, queue: str) -> None:
        """A queue was looked at, with success or without."""
        left = self._left.get(namespace)
        if left and queue in left:
            left.remove(queue)
            self._tell(namespace)

    def among(self, namespaces: Collection[str]) -> list[str]:
        """Those of the namespaces that are fresh."""
        return [one for one in namespaces if self._left.get(one) == set()]

    def _tell(self, namespace: str) -> None:
        if not self._left[namespace]:
            self.told()
