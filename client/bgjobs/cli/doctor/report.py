"""Prints the findings of `doctor` for people: a line for what was found, and below it a line for what helps."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

from bgjobs.cli.doctor.checks import Level
from bgjobs.cli.showing import text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bgjobs.cli.doctor.checks import Finding

_COLOURS: Final = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "red"}
_INDENT: Final = " " * 6
_COMMANDS: Final = ("kubectl ", "helm ", "redis-cli ", "pip ")
_NARROWEST: Final = 40


def lines(findings: Iterable[Finding], *, colour: bool, width: int | None) -> list[str]:
    """The lines of the report.

    Args:
        findings: the findings, in the order in which they are printed.
        colour: whether to print colours.
        width: how many columns the terminal has. Longer sentences are wrapped there, and commands are not, so that they
            can be copied. None: nothing is wrapped.
    """
    said: list[str] = []
    for finding in findings:
        level = text.paint(f"{finding.level:<6}", _COLOURS[finding.level], colour)
        first, *more = _wrapped(text.clean(finding.what), width)
        said += [f"{level}{first}", *(f"{_INDENT}{one}" for one in more)]
        if remedy := text.clean(finding.remedy):
            parts = [remedy] if remedy.startswith(_COMMANDS) else _wrapped(remedy, width)
            said += [f"{_INDENT}{one}" for one in parts]
    return said


def _wrapped(words: str, width: int | None) -> list[str]:
    if width is None:
        return [words]
    room = max(width, _NARROWEST) - len(_INDENT)
    return textwrap.wrap(words, room, break_long_words=False, break_on_hyphens=False) or [words]
