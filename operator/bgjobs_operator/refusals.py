"""What a refusal by the Kubernetes API means for a launch: by its reason and causes, not its code alone.

One code stands for many things: a 403 is a quota, a missing permission or a namespace that goes away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgjobs_operator.launcher import Refusal

if TYPE_CHECKING:
    from bgjobs_core.kube import KubeRefusedError

_SERVER_TROUBLE = 500
_NOT_FOUND = 404
_CONFLICT = 409
_TOO_MANY = 429


def classify(error: KubeRefusedError) -> Refusal:
    """The kind of a refusal of a POST of a KubeJob."""
    causes = {reason for reason, _, _ in error.causes}
    if "NamespaceTerminating" in causes:
        return Refusal.TERMINATING
    if error.status == _NOT_FOUND:
        # The namespace itself is not there: a POST to a collection has nothing else that can be missing.
        return Refusal.TERMINATING
    if error.status == _TOO_MANY or error.reason in {"TooManyRequests", "ServerTimeout", "Timeout"}:
        return Refusal.BUSY
    if error.status >= _SERVER_TROUBLE:
        return Refusal.BUSY
    if "exceeded quota" in error.message or "failed quota" in error.message:
        return Refusal.QUOTA
    if error.reason in {"Forbidden", "Unauthorized"}:
        # Admission plugins and webhooks answer 403 too, in their own words; RBAC says who cannot do what.
        return Refusal.FORBIDDEN if "cannot create resource" in error.message else Refusal.INVALID
    if error.status == _CONFLICT:
        return Refusal.BUSY
    return Refusal.INVALID
