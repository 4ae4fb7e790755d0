"""Whose trouble an error is, and when the next try is made: one policy for all loops."""

from __future__ import annotations

import pytest

from bgjobs_core.kube.errors import KubeRefusedError, KubeUnreachableError, KubeUnreadableError
from bgjobs_core.redis.errors import StoreError, StoreFullError, StoreLayoutError, StoreUnavailableError
from bgjobs_operator.interfaces.launcher import (
    LauncherObjectError,
    LauncherUnreachableError,
    LaunchRefusedError,
    Refusal,
)
from bgjobs_operator.loops.troubles import Kind, Whose, back_off, back_off_of_item, remedy, whose

RBAC = 'jobs.batch is forbidden: User "system:serviceaccount:bgjobs:op" cannot list resource "jobs"'
TERMINATING = (("NamespaceTerminating", "", "namespace shop is being terminated"),)


def behind(error: Exception) -> LauncherUnreachableError:
    """What a launcher makes of it."""
    made = LauncherUnreachableError(str(error))
    made.__cause__ = error
    return made


NAMESPACE, ITEM, EVERYBODY = Whose.NAMESPACE, Whose.ITEM, Whose.EVERYBODY


@pytest.mark.parametrize(
    ("error", "owner", "kind"),
    [
        (StoreUnavailableError("gone"), EVERYBODY, None),
        (StoreFullError("full"), EVERYBODY, None),
        (StoreLayoutError("9"), EVERYBODY, None),
        (StoreError("a script cannot read this record"), ITEM, None),
        (KubeUnreachableError("reset"), NAMESPACE, Kind.SILENT),
        (KubeUnreadableError("too large"), ITEM, None),
        (KubeRefusedError(401, "Unauthorized", "no"), NAMESPACE, Kind.FORBIDDEN),
        (KubeRefusedError(403, "Forbidden", RBAC), NAMESPACE, Kind.FORBIDDEN),
        (KubeRefusedError(403, "Forbidden", "words of a proxy"), NAMESPACE, Kind.FORBIDDEN),
        (KubeRefusedError(403, "Forbidden", 'admission webhook "x" denied the request: no'), ITEM, None),
        (
            KubeRefusedError(403, "Forbidden", "ValidatingAdmissionPolicy 'x' denied request"),
            ITEM,
            None,
        ),
        (KubeRefusedError(403, "Forbidden", "jobs is forbidden", TERMINATING), NAMESPACE, Kind.GONE),
        (KubeRefusedError(404, "NotFound", 'namespaces "shop" not found'), NAMESPACE, Kind.GONE),
        (KubeRefusedError(408, "Timeout", "later"), NAMESPACE, Kind.FAILING),
        (KubeRefusedError(429, "TooManyRequests", "later"), NAMESPACE, Kind.FAILING),
        (KubeRefusedError(500, "InternalError", "failed calling webhook"), NAMESPACE, Kind.FAILING),
        (KubeRefusedError(503, "", "no"), NAMESPACE, Kind.FAILING),
        (KubeRefusedError(409, "Conflict", "no"), ITEM, None),
        (KubeRefusedError(422, "Invalid", "no"), ITEM, None),
        (LauncherUnreachableError("no answer"), NAMESPACE, Kind.SILENT),
        (LauncherObjectError("is being deleted"), ITEM, None),
        (behind(KubeRefusedError(503, "", "no")), NAMESPACE, Kind.FAILING),
        (behind(KubeRefusedError(422, "Invalid", "no")), ITEM, None),
        (behind(KubeUnreadableError("too large")), ITEM, None),
        (LaunchRefusedError(Refusal.QUOTA, "exceeded quota"), NAMESPACE, Kind.QUOTA),
        (LaunchRefusedError(Refusal.FORBIDDEN, RBAC), NAMESPACE, Kind.FORBIDDEN),
        (LaunchRefusedError(Refusal.TERMINATING, "goes"), NAMESPACE, Kind.GONE),
        (LaunchRefusedError(Refusal.BUSY, "500"), NAMESPACE, Kind.FAILING),
        (LaunchRefusedError(Refusal.INVALID, "never"), ITEM, None),
        (ZeroDivisionError("ours"), ITEM, None),
    ],
    ids=repr,
)
def test_whose(error: Exception, owner: Whose, kind: Kind | None) -> None:
    found, trouble = whose(error)
    assert (found, trouble and trouble.kind) == (owner, kind)


@pytest.mark.parametrize(
    ("tries", "retry_after", "expected"),
    [
        (1, None, 1),
        (2, None, 2),
        (6, None, 32),
        (7, None, 60),
        (10**6, None, 60),
        (9, 7.0, 7),
        (1, 3600.0, 60),
        (1, float("inf"), 60),
        (1, 0.0, 1),
    ],
)
def test_back_off(tries: int, retry_after: float | None, expected: float) -> None:
    assert back_off(tries, retry_after) == expected


@pytest.mark.parametrize(("tries", "expected"), [(1, 5), (2, 10), (6, 160), (7, 300), (10**6, 300)])
def test_back_off_of_an_item(tries: int, expected: float) -> None:
    assert back_off_of_item(tries) == expected


@pytest.mark.parametrize("kind", Kind)
def test_each_kind_has_a_command_that_shows_it(kind: Kind) -> None:
    assert remedy(kind, "shop").startswith("kubectl ")
