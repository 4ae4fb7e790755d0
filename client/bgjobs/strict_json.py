"""Encodes and decodes JSON strictly by RFC 8259, wherever a value comes in: parameters, requests and results.

Python's encoder writes `NaN`, and turns keys that are not strings into strings; its decoder accepts `NaN`, and of two
equal keys keeps the last. Integers beyond 64 bits lose digits in the Kubernetes API server, so they are refused here
too. Only the standard library is imported.
"""

from __future__ import annotations

import json
import math

from bgjobs.light_typing import TYPE_CHECKING, cast
from bgjobs.protocol import MAX_JSON_BYTES, MAX_JSON_DEPTH

if TYPE_CHECKING:
    from typing import Any, Final, NoReturn, TypeAlias

# Where a part of a value is: what it is a part of, and its key or place there. It becomes text only for a message: a
# long key above many parts would be written out for each of them.
_Path: TypeAlias = "tuple[_Path | None, str | int]"

_MOST_SHOWN: Final = 200  # characters of a name in a message
_INT64_MIN: Final = -(2**63)
_INT64_MAX: Final = 2**63 - 1
# `json.dumps` would make such an encoder for each value.
_encode: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


class NotJSONError(ValueError):
    """A value is too large, or JSON cannot carry it; the message has its place, such as `parameters[0].total`."""


def dumps(value: object, what: str = "value", limit: int = MAX_JSON_BYTES) -> str:
    """Check every part of a value, and encode it without spaces.

    Args:
        value: None, bool, int, float, str, or lists, tuples and dicts of these.
        what: how messages call the value.
        limit: the greatest size of the text, in bytes of UTF-8.

    Raises:
        NotJSONError: if a part is not JSON (the message has the path of the first one), or the text is too large.
    """
    _check(value, (None, what), 1)
    text = _encode(value)
    size = len(text.encode())
    if size > limit:
        raise NotJSONError(f"{what} takes {size:,} bytes as JSON; at most {limit:,} are allowed")
    return text


def loads(text: str | bytes, what: str = "value", limit: int = MAX_JSON_BYTES) -> Any:
    """Decode a text and check every part of the value.

    Args:
        text: JSON; bytes are UTF-8.
        what: how messages call the value.
        limit: the greatest size of the text, in bytes of UTF-8.

    Raises:
        NotJSONError: if the text is not JSON by RFC 8259, has a key twice in one object, or is too large.
    """
    size = len(text if isinstance(text, bytes) else text.encode())
    if size > limit:
        raise NotJSONError(f"{what} takes {size:,} bytes as JSON; at most {limit:,} are allowed")
    try:
        value = json.loads(text, parse_constant=_constant, object_pairs_hook=_unique)
    except RecursionError as error:
        raise NotJSONError(f"{what} is nested deeper than {MAX_JSON_DEPTH} levels") from error
    except NotJSONError:
        raise
    except ValueError as error:
        raise NotJSONError(f"{what} is not JSON: {error}") from error
    _check(value, (None, what), 1)
    return value


def _constant(name: str) -> NoReturn:
    raise NotJSONError(f"{name} is not JSON")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise NotJSONError(f"the key {_twice(pairs)!r} appears twice in one object; remove one of the two")
    return found


def _twice(pairs: list[tuple[str, object]]) -> str:
    """The first key that comes again, found in one pass: a body has room for a million keys."""
    seen = set[str]()
    for key, _ in pairs:
        if key in seen:
            return key
        seen.add(key)
    raise ValueError("no key appears twice")


def _check(value: object, path: _Path, depth: int) -> None:  # noqa: PLR0912 - a branch for each kind of value
    if depth > MAX_JSON_DEPTH:
        raise NotJSONError(f"{_shown(path)} is nested deeper than {MAX_JSON_DEPTH} levels")
    if value is None or isinstance(value, bool):
        return
    if isinstance(value, str):
        _check_text(value, path)
    elif isinstance(value, int):
        if not _INT64_MIN <= value <= _INT64_MAX:
            raise NotJSONError(f"{_shown(path)} is an integer beyond 64 bits; send it as a string")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise NotJSONError(f"{_shown(path)} is {value}, which JSON cannot carry")
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(cast("list[object]", value)):
            _check(item, (path, index), depth + 1)
    elif isinstance(value, dict):
        for key, item in cast("dict[object, object]", value).items():
            if not isinstance(key, str):
                raise NotJSONError(f"{_shown(path)} has the key {key!r}; JSON keys are strings")
            _check_text(key, path)
            _check(item, (path, key), depth + 1)
    else:
        raise NotJSONError(f"{_shown(path)} is a {type(value).__name__}, which JSON cannot carry")


def _shown(path: _Path) -> str:
    """A path as text, such as `parameters[0].total`; of a long name the beginning."""
    parts: list[str] = []
    at: _Path | None = path
    while at is not None:
        at, step = at
        if isinstance(step, int):
            parts.append(f"[{step}]")
        else:
            name = step if len(step) <= _MOST_SHOWN else f"{step[:_MOST_SHOWN]}..."
            parts.append(name if at is None else f".{name}")
    return "".join(reversed(parts))


def _check_text(text: str, path: _Path) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise NotJSONError(f"{_shown(path)} holds a lone surrogate, which JSON text cannot carry") from error
