"""Findings: what is wrong with an installation although it works. `/readyz` warns of them, `bgjobs doctor` prints them.

The API and the operator both find some. The operator writes those that it finds into Redis, and the API passes them on.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Iterable


class FindingCode(StrEnum):
    """The kinds of findings, as words for programs that stay the same in all versions."""

    REDIS_SETTINGS_HIDDEN = "redis_settings_hidden"
    REDIS_FORGETS = "redis_forgets"
    REDIS_MAY_LOSE_WRITES = "redis_may_lose_writes"
    REDIS_EVICTS = "redis_evicts"
    REDIS_OLDER = "redis_older"
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
    NAMESPACE_IN_TROUBLE = "namespace_in_trouble"
    ISSUER_UNREACHABLE = "issuer_unreachable"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with the installation.

    Attributes:
        code: its kind; one of `FindingCode`, or a word of another version.
        detail: what is wrong, on one line.
        remedy: what helps, on one line: a command to copy and nothing else, or a sentence.
        age_seconds: how many seconds ago it was seen.
        namespace: that it is about; "" if it is about more than one.
    """

    code: str
    detail: str
    remedy: str
    age_seconds: int = 0
    namespace: str = ""


_FIELDS = frozenset(one.name for one in fields(Finding))


def dumps(found: Iterable[Finding]) -> str:
    """Findings as JSON text, to be stored in Redis."""
    return json.dumps([asdict(one) for one in found])


def loads(text: str) -> tuple[Finding, ...]:
    """Findings from JSON text that `dumps` has written.

    A process of another version may have written it: entries that are not understood are left out.
    """
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
