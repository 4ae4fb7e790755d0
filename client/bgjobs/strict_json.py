"""JSON as RFC 8259 says it, checked once at each edge: the helper, the API, a result.

Python's encoder writes `NaN` and takes any key; its decoder takes both and keeps the last of two equal
keys. Integers beyond 64 bits lose digits in the Kubernetes API server, so they are refused here too.
The standard library alone is imported.
"""

from __future__ import annotations

import json
import math
from typing import Any, Final, NoReturn, cast

from bgjobs.protocol import MAX_JSON_BYTES, MAX_JSON_DEPTH

_INT64_MIN: Final = -(2**63)
_INT64_MAX: Final = 2**63 - 1


class NotJSONError(ValueError):
    """A value that JSON cannot carry, or that is too large; the message names the place, as `[0].total`."""


def dumps(value: object, what: str = "value", limit: int = MAX_JSON_BYTES) -> str:
    """Encode compactly, after checking every part.

    Raises:
        NotJSONError: with the path of the first part that is not JSON.
    """
    _check(value, what, 1)
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    size = len(text.encode())
    if size > limit:
        raise NotJSONError(f"{what} takes {size:,} bytes as JSON; at most {limit:,} are allowed")
    return text


def loads(text: str | bytes, what: str = "value", limit: int = MAX_JSON_BYTES) -> Any:
    """Decode and check.

    Raises:
        NotJSONError: for anything that RFC 8259 does not allow, duplicate keys, or a size over the limit.
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
    _check(value, what, 1)
    return value


def _constant(name: str) -> NoReturn:
    raise NotJSONError(f"{name} is not JSON")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise NotJSONError(f"key {next(key for key in keys if keys.count(key) > 1)!r} is given twice in one object")
    return found


def _check(value: object, path: str, depth: int) -> None:  # noqa: PLR0912 - a branch for each kind of value
    if depth > MAX_JSON_DEPTH:
        raise NotJSONError(f"{path} is nested deeper than {MAX_JSON_DEPTH} levels")
    if value is None or isinstance(value, bool):
        return
    if isinstance(value, str):
        _check_text(value, path)
    elif isinstance(value, int):
        if not _INT64_MIN <= value <= _INT64_MAX:
            raise NotJSONError(f"{path} is an integer beyond 64 bits; send it as a string")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise NotJSONError(f"{path} is {value}, which JSON cannot carry")
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(cast("list[object]", value)):
            _check(item, f"{path}[{index}]", depth + 1)
    elif isinstance(value, dict):
        for key, item in cast("dict[object, object]", value).items():
            if not isinstance(key, str):
                raise NotJSONError(f"{path} has the key {key!r}; JSON keys are strings")
            _check_text(key, path)
            _check(item, f"{path}.{key}", depth + 1)
    else:
        raise NotJSONError(f"{path} is a {type(value).__name__}, which JSON cannot carry")


def _check_text(text: str, path: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise NotJSONError(f"{path} holds a lone surrogate, which JSON text cannot carry") from error
