"""In which order the queued jobs of a queue are to be claimed, worked out from what is in Redis."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

from bgjobs_core.store import keys

if TYPE_CHECKING:
    from tests.store import contents


def in_order(scores: dict[str, int]) -> list[str]:
    """Members of a sorted set as Redis has them."""
    return sorted(scores, key=lambda one: (scores[one], one))


def in_turn(before: contents.Contents, queue: str, uid: str, priority: int) -> list[str]:
    """The queued jobs of a queue and priority as they are to be claimed: the oldest of each concurrency key in turn."""
    turns = in_order(before.scores(keys.turns(queue, uid, priority)))
    lanes = [in_order(before.scores(keys.lane(queue, uid, priority, own))) for own in turns]
    return [one for round_ in zip_longest(*lanes) for one in round_ if one is not None]
