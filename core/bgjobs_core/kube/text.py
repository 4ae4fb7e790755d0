"""Text that others have written into objects of Kubernetes, made safe where it comes in.

The words of pods, webhooks and controllers end up in Redis, in a request's status, on pages and in terminals. JSON lets
them have characters that one of these cannot take: half of a surrogate pair, NUL, escape sequences.
"""

from __future__ import annotations

import re
from typing import Any, Final, cast

LONGEST: Final = 4096  # characters; as much as the kubelet takes of a termination message, in bytes

_REPLACEMENT: Final = "\ufffd"
_TAKEN_OUT: Final = (*range(0x20), *range(0x7F, 0xA0), *range(0xD800, 0xE000))
_TABLE: Final = {number: _REPLACEMENT for number in _TAKEN_OUT if chr(number) not in "\t\n\r"} | {ord("\r"): None}
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


def is_name(text: str) -> bool:
    """Whether an object of ours can have this name; it goes into paths and keys."""
    return _NAME.fullmatch(text) is not None


def cleaned(text: Any, longest: int = LONGEST) -> str:
    """The text without what cannot be stored or shown, and no longer than this many characters.

    Control characters and halves of surrogate pairs become U+FFFD; tabs and ends of lines stay. What is not a text at
    all becomes "".
    """
    if not isinstance(text, str):
        return ""
    if text.isascii() and text.isprintable() and len(text) <= longest:  # nearly always
        return text
    short = text if len(text) <= longest else f"{text[: longest - 1]}…"
    return short.translate(cast("Any", _TABLE))
