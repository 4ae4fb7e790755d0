"""Whose trouble an error is: a namespace's, one item's, or everybody's; and when the next try is made.

One policy for all loops. What is a namespace's pauses that namespace alone; what is an item's pauses that item alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Final

from bgjobs_core.kube.errors import KubeError, KubeRefusedError, KubeUnreadableError
from bgjobs_core.redis.errors import StoreFullError, StoreLayoutError, StoreUnavailableError
from bgjobs_operator.interfaces.launcher import (
    LauncherObjectError,
    LauncherUnreachableError,
    LaunchRefusedError,
    Refusal,
)

SLOW_SECONDS: Final = 5.0  # an answer that takes longer is trouble
MOST_SECONDS: Final = 60.0  # between two tries in a namespace
MOST_SECONDS_OF_ITEM: Final = 300.0
_FIRST_SECONDS: Final = 1.0
_FIRST_SECONDS_OF_ITEM: Final = 5.0
_UNAUTHORIZED: Final = 401
_FORBIDDEN: Final = 403
_NOT_FOUND: Final = 404
_REQUEST_TIMEOUT: Final = 408
_TOO_MANY: Final = 429
_SERVER_TROUBLE: Final = 500

# What else Redis answers is about what was asked: one record, for example, that a script cannot read.
_OF_ALL_OF_REDIS: Final = (StoreUnavailableError, StoreFullError, StoreLayoutError)

# An admission webhook or policy answers 403 as RBAC does, but it means this object and not the namespace.
_OF_ADMISSION: Final = ("admission webhook", "denied the request", "ValidatingAdmissionPolicy", "denied request")


class Kind(StrEnum):
    """What is wrong with a namespace."""

    FORBIDDEN = "forbidden"
    GONE = "gone"
    FAILING = "failing"
    SILENT = "silent"
    SLOW = "slow"
    QUOTA = "quota"


@dataclass(frozen=True)
class Trouble:
    """What is wrong with a namespace, in the words of whoever said so; `retry_after` in seconds, if that was said."""

    kind: Kind
    message: str
    retry_after: float | None = None


class Whose(Enum):
    """Whom an error holds up."""

    NAMESPACE = "the namespace waits"
    ITEM = "the item waits"
    EVERYBODY = "everything waits"


def whose(error: Exception) -> tuple[Whose, Trouble | None]:
    """Whom an error holds up; if that is its namespace, what is wrong there."""
    if isinstance(error, _OF_ALL_OF_REDIS):
        return Whose.EVERYBODY, None
    trouble = trouble_of(error)
    return (Whose.ITEM, None) if trouble is None else (Whose.NAMESPACE, trouble)


def trouble_of(error: Exception) -> Trouble | None:
    """What an error says of the namespace; None if it is about the item alone."""
    if isinstance(error, LaunchRefusedError):
        kind = _REFUSALS.get(error.refusal)
        return None if kind is None else Trouble(kind, error.message, error.retry_after)
    if isinstance(error, LauncherObjectError):
        return None
    if isinstance(error, LauncherUnreachableError):
        cause = error.__cause__
        return trouble_of(cause) if isinstance(cause, KubeError) else Trouble(Kind.SILENT, str(error))
    if isinstance(error, KubeRefusedError):
        kind = _kind(error)
        return None if kind is None else Trouble(kind, str(error), error.retry_after)
    of_the_namespace = isinstance(error, KubeError) and not isinstance(error, KubeUnreadableError)
    return Trouble(Kind.SILENT, str(error)) if of_the_namespace else None


_REFUSALS: Final = {
    Refusal.QUOTA: Kind.QUOTA,
    Refusal.FORBIDDEN: Kind.FORBIDDEN,
    Refusal.TERMINATING: Kind.GONE,
    Refusal.BUSY: Kind.FAILING,
}


def _kind(error: KubeRefusedError) -> Kind | None:
    if "NamespaceTerminating" in {reason for reason, _, _ in error.causes} or error.status == _NOT_FOUND:
        return Kind.GONE
    if error.status in {_TOO_MANY, _REQUEST_TIMEOUT} or error.status >= _SERVER_TROUBLE:
        return Kind.FAILING
    if error.status == _UNAUTHORIZED:
        return Kind.FORBIDDEN
    of_the_object = any(words in error.message for words in _OF_ADMISSION)
    return Kind.FORBIDDEN if error.status == _FORBIDDEN and not of_the_object else None


def as_asked(retry_after: float | None) -> float | None:
    """Seconds until the next try, if whoever refused said so: as asked, but not at once, nor when nobody waits for it.

    None if nothing was said.
    """
    return None if retry_after is None else max(_FIRST_SECONDS, min(MOST_SECONDS, retry_after))


def back_off(tries: int, retry_after: float | None = None) -> float:
    """Seconds until a namespace that has failed so often in a row is tried again."""
    return as_asked(retry_after) or min(MOST_SECONDS, _FIRST_SECONDS * 2 ** min(tries - 1, 10))


def back_off_of_item(tries: int) -> float:
    """Seconds until an item that has failed so often is tried again."""
    return min(MOST_SECONDS_OF_ITEM, _FIRST_SECONDS_OF_ITEM * 2 ** min(tries - 1, 10))


def remedy(kind: Kind, namespace: str) -> str:
    """The command that shows what is wrong with a namespace."""
    return _REMEDIES[kind].format(namespace=namespace)


_REMEDIES: Final = {
    Kind.FORBIDDEN: "kubectl get roles,rolebindings -n {namespace}",
    Kind.GONE: "kubectl get namespace {namespace} -o yaml",
    Kind.FAILING: "kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations",
    Kind.SILENT: "kubectl get --raw '/readyz?verbose'",
    Kind.SLOW: "kubectl get --raw '/readyz?verbose'",
    Kind.QUOTA: "kubectl describe resourcequotas -n {namespace}",
}
