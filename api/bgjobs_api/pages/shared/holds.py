"""What is held of the namespaces of a page, with who may release it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bgjobs_api.http.reading import allowed_in
from bgjobs_api.identity import access
from bgjobs_api.pages.shared import words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgjobs.holds import Hold
    from bgjobs_api.http.deps import Deps
    from bgjobs_api.identity.caller import Identity
    from bgjobs_core.jobs.holds import JobHold

MOST: Final = 10  # that a page names
MOST_ASKED: Final = 50  # namespaces with holds that the reader's rights are asked for


@dataclass(frozen=True)
class ShownHold:
    """A hold on a page.

    Attributes:
        hold: as the API has it.
        who: who wants it.
        since: since when.
        until: for how long still, as `for 2 h`; "" if there is no end.
        may_release: whether the reader may release it.
    """

    hold: Hold
    who: str
    since: words.Stamp
    until: str
    may_release: bool


@dataclass(frozen=True)
class Holds:
    """Those that a page names.

    Attributes:
        shown: these.
        more: how many more there are that the reader may see.
        unasked: whether further namespaces have holds, and it is not known whether the reader may see them.
    """

    shown: tuple[ShownHold, ...] = ()
    more: int = 0
    unasked: bool = False


async def read(deps: Deps, caller: Identity, namespaces: Sequence[str], now: int) -> Holds:
    """What is held of these namespaces, as far as the reader may list jobs there."""
    found = await deps.store.holds(namespaces)
    if not found:
        return Holds()
    there = list(dict.fromkeys(one.namespace for one in found))
    seen = set(await allowed_in(deps, caller, access.LIST, there[:MOST_ASKED]))
    holds = [one for one in found if one.namespace in seen]
    named = holds[:MOST]
    may = await allowed_in(deps, caller, access.PAUSE, list(dict.fromkeys(one.namespace for one in named)))
    shown = tuple(_shown(one, now, one.namespace in may) for one in named)
    return Holds(shown, len(holds) - len(named), len(there) > MOST_ASKED)


def _shown(hold: JobHold, now: int, may_release: bool) -> ShownHold:
    until = "" if hold.until is None else words.time_left(hold.until, now)
    return ShownHold(hold.view(), words.who(hold.by), words.age(hold.at, now), until, may_release)
