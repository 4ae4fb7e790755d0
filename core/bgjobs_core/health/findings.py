"""What does not stop us, and yet is wrong: the warnings of `/readyz`, which `bgjobs doctor` prints.

The API and the operator both find some; the operator writes its own into Redis, and the API hands them on.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Iterable


class FindingCode(StrEnum):
    """Stable words for programs."""

    REDIS_SETTINGS_HIDDEN = "redis_settings_hidden"
    REDIS_FORGETS = "redis_forgets"
    REDIS_MAY_LOSE_WRITES = "redis_may_lose_writes"
    REDIS_EVICTS = "redis_evicts"
    REDIS_CLOCK = "redis_clock"
    KUBERNETES_UNREACHABLE = "kubernetes_unreachable"
    KUBERNETES_TOO_OLD = "kubernetes_too_old"
    KUBERNETES_CLOCK = "kubernetes_clock"
    API_PERMISSION = "api_permission"
    OPERATOR_SILENT = "operator_silent"
    OPERATOR_WAITS = "operator_waits"
    OPERATOR_FAILS = "operator_fails"
    OPERATOR_PERMISSION = "operator_permission"
    OPERATOR_VERSION = "operator_version"
    ISSUER_UNREACHABLE = "issuer_unreachable"


@dataclass(frozen=True)
class Finding:
    """One of them.

    Attributes:
        code: of `FindingCode`.
        detail: what is wrong, in a line.
        remedy: what mends it, in a line: a command to copy and nothing else, or words.
        age_seconds: how long ago it was looked at.
    """

    code: str
    detail: str
    remedy: str
    age_seconds: int = 0


_FIELDS = frozenset(one.name for one in fields(Finding))


def dumps(found: Iterable[Finding]) -> str:
    """As JSON, to be kept in Redis."""
    return json.dumps([asdict(one) for one in found])


def loads(text: str) -> tuple[Finding, ...]:
    """What `dumps` has written, maybe by another version: what is not understood is left out."""
    try:
        found: Any = json.loads(text)
    except ValueError:
        return ()
    entries = cast("list[Any]", found) if isinstance(found, list) else []
    return tuple(made for entry in entries if (made := _read(entry)) is not None)


def _read(entry: Any) -> Finding | None:
    if not isinstance(entry, dict):
        return None
    try:
        return Finding(**{name: value for name, value in cast("dict[str, Any]", entry).items() if name in _FIELDS})
    except TypeError:
        return None
