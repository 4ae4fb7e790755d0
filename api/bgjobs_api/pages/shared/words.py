"""Times, durations, counts and names in the words of the pages. Pure; times are Unix milliseconds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

SECOND: Final = 1000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

# Up to here a count is exact; reading one costs no more than this.
_SERVICE_ACCOUNT: Final = "system:serviceaccount:"
_LETTERS_OF_A_NAME: Final = 2
_PRECISE: Final = 10 * SECOND


@dataclass(frozen=True)
class Stamp:
    """A time for a `<time>` element.

    Attributes:
        iso: for machines.
        title: the whole time, with its zone.
        text: what is read.
    """

    iso: str
    title: str
    text: str


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _stamp(milliseconds: int, text: str) -> Stamp:
    moment = _moment(milliseconds)
    iso = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return Stamp(iso, f"{moment.day} {moment:%b %Y %H:%M:%S} UTC", text)


def age(milliseconds: int, now: int) -> Stamp:
    """How long ago, as in lists: `now`, `12 s`, `4 m`, `3 h`, `2 d`, from 7 days on the date."""
    passed = max(now - milliseconds, 0)
    if passed < SECOND:
        text = "now"
    elif passed < MINUTE:
        text = f"{passed // SECOND} s"
    elif passed < HOUR:
        text = f"{passed // MINUTE} m"
    elif passed < DAY:
        text = f"{passed // HOUR} h"
    elif passed < 7 * DAY:
        text = f"{passed // DAY} d"
    else:
        moment = _moment(milliseconds)
        text = f"{moment.day} {moment:%b %Y}"
    return _stamp(milliseconds, text)


def ago(milliseconds: int, now: int) -> Stamp:
    """As `age`, for the middle of a sentence: `4 m ago`, `just now`, `on 3 Nov 2026`."""
    found = age(milliseconds, now)
    if found.text == "now":
        return Stamp(found.iso, found.title, "just now")
    old = now - milliseconds >= 7 * DAY
    return Stamp(found.iso, found.title, f"on {found.text}" if old else f"{found.text} ago")


def clock_time(milliseconds: int) -> Stamp:
    """With seconds, as on a job's page."""
    return _stamp(milliseconds, f"{_moment(milliseconds):%H:%M:%S}")


def log_time(milliseconds: int) -> Stamp:
    """With milliseconds, as beside a line of log."""
    return _stamp(milliseconds, f"{_moment(milliseconds):%H:%M:%S}.{milliseconds % 1000:03}")


def in_zone(seconds: int, zone: ZoneInfo) -> Stamp:
    """A whole second by the clocks of a time zone, which is not named: `30 Nov 02:30`, `30 Nov 02:30:15`."""
    moment = datetime.fromtimestamp(seconds, zone)
    clock = f"{moment:%H:%M:%S}" if moment.second else f"{moment:%H:%M}"
    text = f"{moment.day} {moment:%b} {clock}"
    title = f"{moment.day} {moment:%b %Y %H:%M:%S} {zone.key}, {_stamp(seconds * 1000, '').title}"
    return Stamp(_stamp(seconds * 1000, "").iso, title, text)


def ran(milliseconds: int) -> str:
    """A duration as a clock shows it: `0:41`, `1:12:07`, below one second `0.4 s`."""
    milliseconds = max(milliseconds, 0)
    if milliseconds < SECOND:
        return f"{milliseconds / SECOND:.1f} s"
    minutes, seconds = divmod(milliseconds // SECOND, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def time_left(milliseconds: int, now: int) -> str:
    """For how long something lasts still: `for 2 h`."""
    return f"for {span(max(0, milliseconds - now))}"


def span(milliseconds: int) -> str:
    """A duration in words: `1.2 s`, `17 s`, `3 m 11 s`, `1 h 4 m`, `2 d 3 h`."""
    milliseconds = max(milliseconds, 0)
    if milliseconds < _PRECISE:
        return f"{milliseconds / SECOND:.1f} s"
    if milliseconds < MINUTE:
        return f"{milliseconds // SECOND} s"
    if milliseconds < HOUR:
        return _two(milliseconds, MINUTE, "m", SECOND, "s")
    if milliseconds < DAY:
        return _two(milliseconds, HOUR, "h", MINUTE, "m")
    return _two(milliseconds, DAY, "d", HOUR, "h")


def _two(milliseconds: int, large: int, large_name: str, small: int, small_name: str) -> str:
    rest = milliseconds % large // small
    text = f"{milliseconds // large} {large_name}"
    return f"{text} {rest} {small_name}" if rest else text


def count(number: int) -> str:
    """A number with commas, as `1,234,567`."""
    return f"{number:,}"


def size(number: int) -> str:
    """Bytes: `912 B`, `2.4 KiB`, `1.3 MiB`."""
    if number < 1024:  # noqa: PLR2004 - a KiB
        return f"{number} B"
    return f"{number / 1024:.1f} KiB" if number < 1024**2 else f"{number / 1024**2:.1f} MiB"


def plural(number: int, noun: str, many: str = "") -> str:
    """A number with its noun: `1 job`, `25 jobs`; `many` is the plural where it is not the noun with an s."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {many or f'{noun}s'}"


def who(user: str) -> str:
    """A Kubernetes user; a ServiceAccount as `shop/web`."""
    if user.startswith(_SERVICE_ACCOUNT):
        return user.removeprefix(_SERVICE_ACCOUNT).replace(":", "/")
    return user


def initials(user: str) -> str:
    """Two letters that stand for a user on the page."""
    name = who(user).rpartition("/")[2].rpartition(":")[2]
    return name[:_LETTERS_OF_A_NAME].lower() or "?"
