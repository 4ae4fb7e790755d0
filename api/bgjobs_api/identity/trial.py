"""The dashboard without sign-in, for a trial: everybody is the same user of Kubernetes, whose rights RBAC decides."""

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
    "This is for a trial; do not open it to anybody outside the cluster."
)


class NobodySignsIn:
    """Rejects every token, because whoever sends one expects to be somebody. Implements `http.deps.Authenticator`."""

    ready = True  # there are no keys to wait for

    async def identify(self, token: str, now: Moment) -> Identity:  # noqa: ARG002 - none is good
        """Reject the token.

        Raises:
            UnauthenticatedError: always.
        """
        raise UnauthenticatedError("nobody signs in on this port, so it accepts no token: send the request without one")
