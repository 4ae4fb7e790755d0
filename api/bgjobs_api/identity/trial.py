"""A dashboard without sign-in, to try it out: everybody is one user of Kubernetes, whose rights RBAC decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bgjobs_api.identity.caller import Identity
from bgjobs_api.identity.errors import UnauthenticatedError

if TYPE_CHECKING:
    from bgjobs_api.clock import Moment

USER: Final = "bgjobs:trial"
GROUP: Final = "bgjobs:trial"
TRIAL: Final = Identity(USER, (GROUP,), namespace="")
NOTICE: Final = (
    f"Nobody signs in here: whoever reaches this page is {USER} and may do what RBAC allows that user. "
    "It is for a trial and must not leave the cluster."
)


class NobodySignsIn:
    """Refuses every token: whoever shows one believes to be somebody here. Implements `deps.Authenticator`."""

    ready = True

    async def identify(self, token: str, now: Moment) -> Identity:  # noqa: ARG002 - none is good
        """See `Authenticator.identify`."""
        raise UnauthenticatedError("nobody signs in on this port, so no token is taken: leave it out")
