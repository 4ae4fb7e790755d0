"""Sends requests to the API of a cluster through a port that kubectl forwards, with a token that kubectl creates."""

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
# The API answers these to everybody, so that `doctor` can ask for them even if it gets no token.
_PUBLIC: Final = frozenset({"/healthz", "/readyz"})


class ClusterTransport(httpx2.BaseTransport):
    """Keeps a port forwarded, also when the pod at its other end is replaced, and renews the token.

    Args:
        kubectl: kubectl, with the context of the cluster.
        service: the Service of the API.
        namespace: the namespace whose ServiceAccount `bgjobs-cli` the token is for.
        inner: what sends the requests; None: the network.
        clock: tells the time in seconds, for the age of the token.
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
        """The URL at which the API can be reached as long as this is open."""
        return f"http://127.0.0.1:{self._forward.port}"

    def token(self) -> str:
        """A token that is good for at least a quarter of an hour.

        Raises:
            KubectlError: if the namespace has no ServiceAccount `bgjobs-cli`.
            KubectlForbiddenError: if the user may not create tokens of it.
        """
        now = self._clock()
        if now - self._token_at > TOKEN_MAX_AGE_SECONDS:
            self._token = self._kubectl.token(self._namespace)
            self._token_at = now
        return self._token

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request with the token. If the port is not forwarded any more, it is forwarded again first."""
        if request.url.path not in _PUBLIC:
            request.headers["Authorization"] = f"Bearer {self.token()}"
        if not self._forward.alive:
            port = self._forward.port
            self._forward.end()
            try:
                self._forward = self._kubectl.forward(self._service, port)
            except KubectlError as error:
                # A new pod of the API may be about to start, so that a further try may work.
                raise httpx2.ConnectError(str(error), request=request) from error
        return self._inner.handle_request(request)

    def close(self) -> None:
        """Close the connections. The port stays forwarded until `end`, because another client may be opened."""
        self._inner.close()

    def end(self) -> None:
        """Close the connections, and stop forwarding the port."""
        self.close()
        self._forward.end()
