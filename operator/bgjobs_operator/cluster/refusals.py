"""What a refusal by the Kubernetes API means for a launch: by its reason and causes, not its code alone.

One code stands for many things: a 403 is a quota, a missing permission, a namespace that goes away, or an API
server that is not ready yet. What ends a job (INVALID, TERMINATING) needs the API server's own clear word;
what is unclear is BUSY, and tried again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bgjobs_operator.interfaces.launcher import Refusal

if TYPE_CHECKING:
    from bgjobs_core.kube.errors import KubeRefusedError

_SERVER_TROUBLE: Final = 500
_NOT_FOUND: Final = 404
_REQUEST_TIMEOUT: Final = 408
_CONFLICT: Final = 409
_TOO_MANY: Final = 429

# Of the quota plugin, which has no reason of its own; "status unknown" is a quota that was not counted yet.
_QUOTA_WORDS: Final = ("exceeded quota", "failed quota", "insufficient quota", "status unknown for quota")


def classify(error: KubeRefusedError) -> Refusal:
    """The kind of a refusal of a POST of a KubeJob."""
    if "NamespaceTerminating" in {reason for reason, _, _ in error.causes}:
        return Refusal.TERMINATING
    if error.status == _NOT_FOUND:
        # Only the missing namespace is final; another 404 is an API server that starts, or a proxy's.
        gone = error.message.startswith("namespaces ") and error.reason == "NotFound"
        return Refusal.TERMINATING if gone else Refusal.BUSY
    if error.status in {_TOO_MANY, _REQUEST_TIMEOUT, _CONFLICT} or error.status >= _SERVER_TROUBLE:
        return Refusal.BUSY
    if error.reason == "Unauthorized":
        return Refusal.FORBIDDEN
    if error.reason == "Forbidden":
        return _forbidden(error.message)
    # A webhook may deny without a reason; anything else without one is not of the API server.
    from_kubernetes = error.reason or error.message.startswith("admission webhook")
    return Refusal.INVALID if from_kubernetes else Refusal.BUSY


def _forbidden(message: str) -> Refusal:
    if any(words in message for words in _QUOTA_WORDS):
        return Refusal.QUOTA
    if "not yet ready to handle request" in message:  # an admission plugin of an API server that starts
        return Refusal.BUSY
    # Admission plugins, policies and webhooks answer 403 too, in their own words; RBAC says who cannot do what.
    return Refusal.FORBIDDEN if "cannot create resource" in message else Refusal.INVALID
