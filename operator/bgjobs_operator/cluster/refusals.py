"""What a refusal by the Kubernetes API means for a launch: by its status, its reason and its causes.

One code stands for many things: a 403 is a quota, a missing permission, a namespace that goes away, a policy, or an
API server that is not ready yet. What ends a job (INVALID, TERMINATING) needs the API server's own clear word, and is
listed here; everything else is BUSY, and tried again for as long as the job may wait for its start.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from bgjobs_operator.interfaces.launcher import Refusal

if TYPE_CHECKING:
    from bgjobs_core.kube.errors import KubeRefusedError

_SERVER_TROUBLE: Final = 500
# A webhook may deny with these too, and means "not now", as everybody else does: request timeout, conflict, too many.
_NOT_NOW: Final = frozenset({408, 409, 429})

# The API server has read the manifest, and will read it the same way next time.
_FINAL: Final = frozenset({(400, "BadRequest"), (413, "RequestEntityTooLarge"), (422, "Invalid")})
# Somebody whom the API server has asked has looked at the manifest and says no to it: a webhook, or a policy. Both
# choose the status and the reason that go with it.
_DENIED: Final = re.compile(
    r"""^admission\ webhook\ ".*"\ denied\ the\ request
    | ValidatingAdmissionPolicy\ '.*'\ with\ binding\ '.*'\ denied\ request""",
    re.DOTALL | re.VERBOSE,
)
# Of the quota plugin, which has no reason of its own; "status unknown" is a quota that was not counted yet.
_QUOTA_WORDS: Final = ("exceeded quota", "failed quota", "insufficient quota", "status unknown for quota")


def classify(error: KubeRefusedError) -> Refusal:
    """The kind of a refusal of a POST of a KubeJob."""
    if "NamespaceTerminating" in {reason for reason, _, _ in error.causes}:
        return Refusal.TERMINATING
    if error.status >= _SERVER_TROUBLE or error.status in _NOT_NOW:
        return Refusal.BUSY
    if _DENIED.search(error.message) or (error.status, error.reason) in _FINAL:
        return Refusal.INVALID
    match error.status, error.reason:
        case 404, "NotFound" if error.message.startswith("namespaces "):
            return Refusal.TERMINATING  # another 404 is an API server that starts, or a proxy's
        case 401, "Unauthorized":
            return Refusal.FORBIDDEN
        case 403, "Forbidden":
            return _forbidden(error.message)
        case _:
            return Refusal.BUSY


def _forbidden(message: str) -> Refusal:
    if any(words in message for words in _QUOTA_WORDS):
        return Refusal.QUOTA
    # Admission plugins answer 403 too, in their own words, which may be of the moment; RBAC says who cannot do what.
    return Refusal.FORBIDDEN if "cannot create resource" in message else Refusal.BUSY


def is_gone(error: KubeRefusedError) -> bool:
    """Whether the object is not there, or another one has its name by now: a patch of that says that no UID changes."""
    return error.status in {404, 409} or (error.status == 422 and "metadata.uid" in error.message)  # noqa: PLR2004
