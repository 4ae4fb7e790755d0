"""HTTP to the API of a cluster: through a port that kubectl forwards, with a token that kubectl makes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import httpx2

from bgjobs.cli.reaching.kubectl import KubectlError

if TYPE_CHECKING:
    from collections.abc import Callable

    from bgjobs.cli.reaching.kubectl import Kubectl, Service

# Tokens are good for an hour; a log may be followed for longer.
TOKEN_MAX_AGE_SECONDS: Final = 45 * 60.0
# Answered to everybody, so that `doctor` can ask even where no token can be had.
_PUBLIC: Final = frozenset({"/healthz", "/readyz"})


class ClusterTransport(httpx2.BaseTransport):
    """Opens what it needs at the first request, and again when it was closed from the other side.

    Args:
        kubectl: the door.
        service: the Service of the API.
        namespace: whose `bgjobs-cli` asks.
        inner: in place of the network, for tests.
        clock: for the age of the token.
    """

    def __init__(
        self,
        kubectl: Kubectl,
        service: Service,
        namespace: str,
        inner: httpx2.BaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kubectl = kubectl
        self._service = service
        self._namespace = namespace
        self._inner = inner or httpx2.HTTPTransport()
        self._clock = clock
        self._token = ""
        self._token_at = float("-inf")
        self._forward = kubectl.forward(service)

    @property
    def url(self) -> str:
        """The API, for as long as this is open."""
        return f"http://127.0.0.1:{self._forward.port}"

    def token(self) -> str:
        """A token that is good for a quarter of an hour at least."""
        now = self._clock()
        if now - self._token_at > TOKEN_MAX_AGE_SECONDS:
            self._token = self._kubectl.token(self._namespace)
            self._token_at = now
        return self._token

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send it with the token; a closed way is opened again on the same port."""
        if request.url.path not in _PUBLIC:
            request.headers["Authorization"] = f"Bearer {self.token()}"
        if not self._forward.alive:
            port = self._forward.port
            self._forward.end()
            try:
                self._forward = self._kubectl.forward(self._service, port)
            except KubectlError as error:
                # The API may just be between two pods: whoever sends may try again.
                raise httpx2.ConnectError(str(error), request=request) from error
        return self._inner.handle_request(request)

    def close(self) -> None:
        """Close the connections; the way stays open until `end`, for a client may be opened again."""
        self._inner.close()

    def end(self) -> None:
        """Close everything."""
        self.close()
        self._forward.end()
