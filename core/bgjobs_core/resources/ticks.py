"""When a schedule ticks: a cron expression in a time zone, or every so many seconds. Pure; times are Unix seconds.

cronsim reads the expression and finds the next date and time that fits it, on a clock that is never changed. What
becomes of that where clocks are changed is decided here, as Debian's cron has it:

- An expression whose minute or hour begins with `*` follows time as it passes: `30 * * * *` is once in each hour that
  really passes, also in the one that the clocks show twice.
- Any other names a time of the day, which is once a day: what falls into the hour that clocks leave out is at its end,
  and what falls into the hour that they show twice is in the first of the two.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Protocol
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

if TYPE_CHECKING:
    from collections.abc import Iterator

MACROS: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
}
MAX_CRON: Final = 100
MAX_ZONE: Final = 64
ZONE: Final = r"^[A-Za-z][-A-Za-z0-9+_]*(/[A-Za-z][-A-Za-z0-9+_]*){0,2}$"


def _field(unit: str, *others: str) -> str:
    item = "|".join([rf"(\*|{unit}(-{unit})?)(/[0-9]{{1,2}})?", *others])
    return f"({item})(,({item}))*"


_NUMBER: Final = "[0-9]{1,2}"
_MONTH: Final = f"({_NUMBER}|[A-Za-z]{{3}})"
_WEEKDAY: Final = "([0-7]|[A-Za-z]{3})"
# What the API server refuses already. It knows no look-ahead, and matches in linear time as pydantic does.
CRON: Final = (
    "^("
    + " +".join(
        [
            _field(_NUMBER),
            _field(_NUMBER),
            _field(_NUMBER, "L", "LW"),
            _field(_MONTH),
            _field(_WEEKDAY, "[0-7]L", f"{_WEEKDAY}#[1-5]"),
        ]
    )
    + f"|{'|'.join(MACROS)})$"
)

_DAY: Final = 86400
# Whether an expression ever fits is asked from here on, for 50 years: the calendar repeats itself every 28.
_REFERENCE: Final = datetime(2024, 1, 1, tzinfo=UTC)


class BadTimesError(ValueError):
    """Nothing ticks by this; the message says why."""


class Ticks(Protocol):
    """Points in time, in whole Unix seconds."""

    def after(self, at: int) -> int | None:
        """The first one later than this; None if there is none for 50 years."""
        ...

    def before(self, at: int) -> int | None:
        """The last one earlier than this; None if there was none for 50 years."""
        ...


@dataclass(frozen=True)
class Every:
    """Every so many seconds, counted from the beginning of 1970 (so every 300 is at :00, :05 and so on)."""

    seconds: int

    def after(self, at: int) -> int | None:
        """See `Ticks`."""
        return (at // self.seconds + 1) * self.seconds

    def before(self, at: int) -> int | None:
        """See `Ticks`."""
        return (at - 1) // self.seconds * self.seconds


@dataclass(frozen=True)
class Cron:
    """What a cron expression means in a time zone; `cron` makes one of a text that was checked."""

    expression: str
    zone: ZoneInfo

    def after(self, at: int) -> int | None:
        """See `Ticks`."""
        return self._named(at, forward=True) if self._names_times else self._passing(at, forward=True)

    def before(self, at: int) -> int | None:
        """See `Ticks`."""
        return self._named(at, forward=False) if self._names_times else self._passing(at, forward=False)

    @property
    def _names_times(self) -> bool:
        minute, hour = self.expression.split()[:2]
        return not minute.startswith("*") and not hour.startswith("*")

    # A wall time is what the clocks of the zone show, as seconds: the Unix seconds of the same date and time in UTC.

    def _named(self, at: int, *, forward: bool) -> int | None:
        """The next tick where each wall time is one point in time; later wall times are never earlier in time."""
        start = at + self._offset(at)
        if not forward:
            start += self._shown_twice(start)
        for wall in _walls(self.expression, start, forward=forward):
            found = self._instant(wall)
            if (found > at) if forward else (found < at):
                return found
        return None

    def _instant(self, wall: int) -> int:
        """When the clocks show it for the first time; if they never do, when they jump over it."""
        first = wall - self._offset_of_wall(wall, fold=0)
        second = wall - self._offset_of_wall(wall, fold=1)
        # In a gap the offset before it makes a time behind it, and the one behind it makes a time before it.
        return first if first <= second else self._change(second, first) or first

    def _shown_twice(self, wall: int) -> int:
        """How long the clocks go on until they have shown again what they have shown before; 0 at most times."""
        return max(0, self._offset_of_wall(wall, fold=0) - self._offset_of_wall(wall, fold=1))

    def _passing(self, at: int, *, forward: bool) -> int | None:
        """The next tick where every point in time counts at which the clocks show what fits.

        From one change of the clocks to the next, wall time is time and an offset.
        """
        here = at if forward else at - 1  # a point in time that is in the stretch that is searched
        here += 1 if forward else 0
        offset = self._offset(here)
        searched = start = at + offset
        wall = next(_walls(self.expression, start, forward=forward), None)
        while wall is not None:
            change = self._change(here, wall - offset)
            if change is None:
                return wall - offset
            here, offset = change, self._offset(change)
            start = (here - 1 if forward else here + 1) + offset
            # Between `searched` and `wall` nothing fits, so it need not be searched again.
            if not (searched <= start < wall if forward else wall < start <= searched):
                searched = start
                wall = next(_walls(self.expression, start, forward=forward), None)
        return None

    def _change(self, start: int, end: int) -> int | None:
        """The point in time nearest to `start`, up to `end`, at which the offset is not that at `start`."""
        known, here = self._offset(start), start
        while here != end:
            there = min(end, here + _DAY) if end > here else max(end, here - _DAY)
            if self._offset(there) != known:
                while abs(there - here) > 1:
                    middle = (here + there) // 2
                    if self._offset(middle) == known:
                        here = middle
                    else:
                        there = middle
                return there
            here = there
        return None

    def _offset(self, at: int) -> int:
        return _seconds(datetime.fromtimestamp(at, self.zone))

    def _offset_of_wall(self, wall: int, fold: int) -> int:
        return _seconds(datetime.fromtimestamp(wall, UTC).replace(tzinfo=self.zone, fold=fold))


def _seconds(when: datetime) -> int:
    offset = when.utcoffset()
    return 0 if offset is None else round(offset.total_seconds())


def _walls(expression: str, start: int, *, forward: bool) -> Iterator[int]:
    """Yield the wall times that fit, from the one after (or before) `start` on."""
    for found in CronSim(expression, datetime.fromtimestamp(start, UTC), reverse=not forward):
        yield round(found.timestamp())


@lru_cache(maxsize=256)
def cron(text: str, zone_name: str) -> Cron:
    """What ticks by this expression in this time zone.

    Args:
        text: five fields, or one of `MACROS`.
        zone_name: of IANA, such as Europe/Berlin.

    Raises:
        BadTimesError: this is no such expression, it never fits, or there is no such time zone.
    """
    if len(text) > MAX_CRON:
        raise BadTimesError(f"a cron expression has at most {MAX_CRON} characters")
    if not re.fullmatch(CRON, text):
        raise BadTimesError(
            f"{text!r} is no cron expression: five fields (minute, hour, day, month, weekday) such as 30 2 * * 1-5, "
            f"or one of {' '.join(MACROS)}"
        )
    expression = MACROS.get(text, text)
    try:
        fits = next(CronSim(expression, _REFERENCE), None)
    except CronSimError as error:
        raise BadTimesError(f"{text!r} is no cron expression: {error}") from error
    if fits is None:
        raise BadTimesError(f"{text!r} never comes: there is no such day")
    return Cron(expression, zone(zone_name))


def zone(name: str) -> ZoneInfo:
    """The time zone of this name. Raises BadTimesError if there is none."""
    try:
        if len(name) <= MAX_ZONE and re.fullmatch(ZONE, name):
            return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # OSError: a folder of zones, as Europe
        pass
    raise BadTimesError(f"there is no time zone {name[:MAX_ZONE]!r}; names are such as Europe/Berlin or Etc/UTC")
