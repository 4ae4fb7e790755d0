"""The only place that talks to the Kubernetes API. It sends and returns plain JSON, and raises our own errors.

The package `kubernetes.aio` reads the configuration and does TLS and the renewal of tokens. Its model classes are not
used, because making and reading them takes several times as long as the call itself.
"""

from __future__ import annotations

import asyncio
import copy
import json
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import aiohttp
from kubernetes.aio import client, config

from bgjobs_core.kube.errors import KubeUnreachableError, error_from_response
from bgjobs_core.kube.objects import ApiServer, api_server

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from bgjobs_core.kube.objects import Object

_SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
_TIMEOUT: Final = aiohttp.ClientTimeout(total=15, connect=3)
# Bookmarks come about once a minute, so a stream that says nothing for longer is dead.
_WATCH_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, connect=3, sock_read=70)
_HTTP_ERROR: Final = 400
_FORBIDDEN: Final = 403


class Kube:
    """A connection to one cluster. Call `close` when it is not needed any more.

    Attributes:
        forbidden: an event that is set when an answer has the status 403, except to questions about our own
            permissions. Whoever checks the permissions waits for it, and clears it.
    """

    def __init__(self, configuration: client.Configuration) -> None:
        self.forbidden = asyncio.Event()
        self._configuration = configuration
        self._client = client.ApiClient(configuration)
        self._may_write: Callable[[], bool] = lambda: True

    @classmethod
    async def connect(cls, kubeconfig: str | None = None) -> Kube:
        """Connect as the ServiceAccount of our pod; outside of a pod by this file, or the one that KUBECONFIG names."""
        configuration = client.Configuration()
        if _SERVICE_ACCOUNT.exists():
            cast("Any", config).load_incluster_config(client_configuration=configuration)
        else:
            await cast("Any", config).load_kube_config(kubeconfig, client_configuration=configuration)
        # Proxies of the environment and netrc would be looked up for each request, which takes four times its own time.
        configuration.client_session_kwargs = {"trust_env": False}
        return cls(configuration)

    def fenced(self, may_write: Callable[[], bool]) -> Kube:
        """The same connection, but each write is only sent while `may_write` says yes right before it.

        A write that is not sent raises KubeUnreachableError, because Kubernetes has not heard of it. Close the first
        connection, and not this one.
        """
        other = copy.copy(self)
        other._may_write = may_write
        return other

    async def _send(
        self,
        method: str,
        path: str,
        body: Object | None,
        query: Mapping[str, str] | None,
        content_type: str,
        limits: aiohttp.ClientTimeout,
    ) -> Any:
        headers = {"Accept": "application/json, */*", "Content-Type": content_type}
        auth: Any = cast("Any", self._client).update_params_for_auth
        await auth(headers, [], ["BearerToken"], path, method, None)
        url = f"{self._configuration.host}{path}"
        if query:
            url += "?" + "&".join(f"{key}={_quote(value)}" for key, value in query.items())
        if method != "GET" and not self._may_write():
            raise KubeUnreachableError(f"{method} {path}: not sent, as somebody else may lead by now")
        call: Any = cast("Any", self._client).call_api
        try:
            response = await call(method, url, header_params=headers, body=body, _request_timeout=limits)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise KubeUnreachableError(f"{method} {path}: {error or type(error).__name__}") from error
        # Where even the question about our permissions is refused, asking it again at once is no use.
        if response.status == _FORBIDDEN and "/selfsubject" not in path:
            self.forbidden.set()
        return response

    async def request(
        self,
        method: str,
        path: str,
        body: Object | None = None,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Object:
        """Send one request, and return the JSON object that is answered.

        Args:
            method: the HTTP method, for example `GET`.
            path: the path, for example `/apis/batch/v1/namespaces/shop/jobs`.
            body: the object that is sent as JSON; None: nothing is sent.
            query: the parameters of the query string, not escaped.
            content_type: what the body is, for example `application/apply-patch+yaml` (JSON is YAML).

        Raises:
            KubeRefusedError: if the status of the answer is 400 or more.
            KubeUnreachableError: if there is no answer, or if it is not JSON.
        """
        answer, _ = await self._json(method, path, body, query, content_type)
        return answer

    async def about(self) -> ApiServer:
        """Ask the API server for its version, which everybody may do. It raises the errors of `request`."""
        answer, headers = await self._json("GET", "/version")
        return api_server(answer, headers.get("Date", ""))

    async def post(self, path: str, body: Object) -> Object:
        """Send a POST request, and return the JSON object that is answered. It raises the errors of `request`."""
        return await self.request("POST", path, body)

    async def _json(
        self,
        method: str,
        path: str,
        body: Object | None = None,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> tuple[Object, Mapping[str, str]]:
        response = await self._send(method, path, body, query, content_type, _TIMEOUT)
        try:
            raw = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise KubeUnreachableError(f"{method} {path}: {error or type(error).__name__}") from error
        if response.status >= _HTTP_ERROR:
            raise error_from_response(response.status, raw, response.headers)
        try:
            return (json.loads(raw) if raw else {}), response.headers
        except ValueError as error:  # it was cut off, or a proxy in front of the API server has answered
            raise KubeUnreachableError(f"{method} {path}: the answer is not JSON: {raw[:100]!r}") from error

    async def text(self, path: str, query: Mapping[str, str] | None = None) -> str:
        """GET something that is not JSON, for example the log of a pod. It raises the errors of `request`."""
        response = await self._send("GET", path, None, query, "application/json", _TIMEOUT)
        try:
            raw = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise KubeUnreachableError(f"GET {path}: {error or type(error).__name__}") from error
        if response.status >= _HTTP_ERROR:
            raise error_from_response(response.status, raw, response.headers)
        return raw.decode(errors="replace")

    async def stream(self, path: str, query: Mapping[str, str]) -> AsyncGenerator[bytes, None]:
        """The lines of a watch, until the server ends it. It raises the errors of `request`."""
        response = await self._send("GET", path, None, query, "application/json", _WATCH_TIMEOUT)
        raw: aiohttp.ClientResponse = response.response
        try:
            if response.status >= _HTTP_ERROR:
                raise error_from_response(response.status, await response.read(), response.headers)
            while line := await raw.content.readline():
                yield line
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise KubeUnreachableError(f"watch of {path}: {error or type(error).__name__}") from error
        finally:
            raw.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


def _quote(value: str) -> str:
    return urllib.parse.quote(value, safe="")
