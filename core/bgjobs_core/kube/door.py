"""The one door to the Kubernetes API: plain JSON in and out, errors of our own.

`kubernetes.aio` brings the configuration, TLS and token refresh; its models are not used, since building
and reading them costs several times what the call itself does.
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
    """A connection to one cluster. Close it in the end.

    Attributes:
        forbidden: set with each answer of 403 (but to the question what is allowed), for whoever looks after our
            permissions, and clears it.
    """

    def __init__(self, configuration: client.Configuration) -> None:
        self.forbidden = asyncio.Event()
        self._configuration = configuration
        self._client = client.ApiClient(configuration)
        self._may_write: Callable[[], bool] = lambda: True

    @classmethod
    async def connect(cls, kubeconfig: str | None = None) -> Kube:
        """From the pod's ServiceAccount, else from this file or the one that KUBECONFIG names."""
        configuration = client.Configuration()
        if _SERVICE_ACCOUNT.exists():
            cast("Any", config).load_incluster_config(client_configuration=configuration)
        else:
            await cast("Any", config).load_kube_config(kubeconfig, client_configuration=configuration)
        # Environment proxies and netrc are otherwise looked up at every request, four times its own cost.
        configuration.client_session_kwargs = {"trust_env": False}
        return cls(configuration)

    def fenced(self, may_write: Callable[[], bool]) -> Kube:
        """The same connection for whoever may write at times only: asked right before each write is sent.

        What may not be sent raises KubeUnreachableError, as nobody has heard of it. Close the first one.
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
        if response.status == _FORBIDDEN and "/selfsubject" not in path:  # who may not ask, need not ask again at once
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
        """One call.

        Args:
            method: as `GET`.
            path: as `/apis/batch/v1/namespaces/shop/jobs`.
            body: sent as JSON.
            query: parameters.
            content_type: as `application/apply-patch+yaml` (JSON is YAML).

        Raises:
            KubeRefusedError: an answer of 400 or more.
            KubeUnreachableError: no answer.
        """
        answer, _ = await self._json(method, path, body, query, content_type)
        return answer

    async def about(self) -> ApiServer:
        """`GET /version`, which everybody may ask for. Raises as `request`."""
        answer, headers = await self._json("GET", "/version")
        return api_server(answer, headers.get("Date", ""))

    async def post(self, path: str, body: Object) -> Object:
        """One POST. Raises as `request`."""
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
        except ValueError as error:  # cut off, or from something that stands before the API server
            raise KubeUnreachableError(f"{method} {path}: the answer is not JSON: {raw[:100]!r}") from error

    async def text(self, path: str, query: Mapping[str, str] | None = None) -> str:
        """GET something that is not JSON, as a pod's log. Raises as `request`."""
        response = await self._send("GET", path, None, query, "application/json", _TIMEOUT)
        try:
            raw = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise KubeUnreachableError(f"GET {path}: {error or type(error).__name__}") from error
        if response.status >= _HTTP_ERROR:
            raise error_from_response(response.status, raw, response.headers)
        return raw.decode(errors="replace")

    async def stream(self, path: str, query: Mapping[str, str]) -> AsyncGenerator[bytes, None]:
        """The lines of a watch until the server ends it. Raises as `request`."""
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
        """Close its connections."""
        await self._client.close()


def _quote(value: str) -> str:
    return urllib.parse.quote(value, safe="")
