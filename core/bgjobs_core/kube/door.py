"""The only place that talks to the Kubernetes API. It sends and returns plain JSON, and raises our own errors.

The package `kubernetes.aio` reads the configuration, and renews tokens. Its model classes are not used, because making
and reading them takes several times as long as the call itself; nor is its HTTP client, which takes bodies as objects
alone and copies each answer.
"""

from __future__ import annotations

import asyncio
import copy
import json
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import aiohttp
import msgspec
from kubernetes.aio import client, config
from yarl import URL

from bgjobs_core.kube.errors import KubeUnreachableError, error_from_response
from bgjobs_core.kube.objects import ApiServer, api_server

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from bgjobs_core.kube.objects import Object

_SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
_TIMEOUT: Final = aiohttp.ClientTimeout(total=15, connect=3)
# Bookmarks come about once a minute, so a stream that says nothing for longer is dead.
_WATCH_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, connect=3, sock_read=70)
_LONGEST_LINE: Final = 2**21  # of a watch; an object may have 1.5 MiB
_JSON: Final = "application/json"
_HTTP_ERROR: Final = 400
_FORBIDDEN: Final = 403
T = TypeVar("T")


@dataclass
class _Sessions:
    """The connections to one API server; each session is made when it is first asked for, within the running loop.

    Attributes:
        configuration: where the server is, and how it is reached.
    """

    configuration: client.Configuration
    _client: client.ApiClient = field(init=False)
    _work: aiohttp.ClientSession | None = None
    _watches: aiohttp.ClientSession | None = None

    def __post_init__(self) -> None:
        self._client = client.ApiClient(self.configuration)  # it sets up TLS, by the configuration

    def work(self) -> aiohttp.ClientSession:
        """For calls that end soon: so many at once as the configuration says."""
        if self._work is None:
            self._work = self._session(int(self._settings.connection_pool_maxsize))
        return self._work

    def watches(self) -> aiohttp.ClientSession:
        """For watches. Each keeps its connection, so there is no limit: one more must not stop everything else."""
        if self._watches is None:
            self._watches = self._session(0)
        return self._watches

    @property
    def proxy(self) -> tuple[str | None, Mapping[str, str] | None]:
        """The address of a proxy, if the configuration names one, and the headers that it wants."""
        return self._settings.proxy, self._settings.proxy_headers

    @property
    def server_name(self) -> str | None:
        """The name that the server's certificate must have, if it is another one than the host's."""
        return self._settings.tls_server_name or None

    @property
    def _settings(self) -> Any:
        return self.configuration

    def _session(self, limit: int) -> aiohttp.ClientSession:
        tls = cast("Any", self._client).rest_client.ssl_context
        # Proxies of the environment and netrc would be looked up for each request, which takes four times its own time.
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=limit, ssl=tls), trust_env=False, read_bufsize=_LONGEST_LINE
        )

    async def authorize(self, headers: dict[str, str], method: str, path: str) -> None:
        """Put the token, as it is by now, into the headers."""
        auth: Any = cast("Any", self._client).update_params_for_auth
        await auth(headers, [], ["BearerToken"], path, method, None)

    async def close(self) -> None:
        """Close all connections."""
        for session in (self._work, self._watches):
            if session is not None:
                await session.close()
        await self._client.close()


class Kube:
    """A connection to one cluster. Call `close` when it is not needed any more.

    Attributes:
        forbidden: an event that is set when an answer has the status 403, except to questions about our own
            permissions. Whoever checks the permissions waits for it, and clears it.
    """

    def __init__(self, configuration: client.Configuration) -> None:
        self.forbidden = asyncio.Event()
        self._sessions = _Sessions(configuration)
        self._host = str(cast("Any", configuration).host)
        self._may_write: Callable[[], bool] = lambda: True

    @classmethod
    async def connect(cls, kubeconfig: str | None = None) -> Kube:
        """Connect as the ServiceAccount of our pod; outside of a pod by this file, or the one that KUBECONFIG names."""
        configuration = client.Configuration()
        if _SERVICE_ACCOUNT.exists():
            cast("Any", config).load_incluster_config(client_configuration=configuration)
        else:
            await cast("Any", config).load_kube_config(kubeconfig, client_configuration=configuration)
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
        body: bytes | None,
        query: Mapping[str, str] | None,
        content_type: str,
        *,
        watching: bool = False,
    ) -> aiohttp.ClientResponse:
        headers = {"Accept": "application/json, */*", "Content-Type": content_type}
        await self._sessions.authorize(headers, method, path)
        url = f"{self._host}{path}"
        if query:
            url += "?" + "&".join(f"{key}={_quote(value)}" for key, value in query.items())
        if method != "GET" and not self._may_write():
            raise KubeUnreachableError(f"{method} {path}: not sent, as somebody else may lead by now")
        session = self._sessions.watches() if watching else self._sessions.work()
        proxy, proxy_headers = self._sessions.proxy
        try:
            response = await session.request(
                method,
                URL(url, encoded=True),
                data=body,
                headers=headers,
                timeout=_WATCH_TIMEOUT if watching else _TIMEOUT,
                proxy=proxy,
                proxy_headers=proxy_headers,
                server_hostname=self._sessions.server_name,
            )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise KubeUnreachableError(f"{method} {path}: {error or type(error).__name__}") from error
        # Where even the question about our permissions is refused, asking it again at once is no use.
        if response.status == _FORBIDDEN and "/selfsubject" not in path:
            self.forbidden.set()
        return response

    async def _answer(
        self,
        method: str,
        path: str,
        body: Object | None,
        query: Mapping[str, str] | None,
        content_type: str = _JSON,
    ) -> tuple[bytes, Mapping[str, str]]:
        sent = None if body is None else msgspec.json.encode(body)
        response = await self._send(method, path, sent, query, content_type)
        try:
            raw = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise KubeUnreachableError(f"{method} {path}: {error or type(error).__name__}") from error
        if response.status >= _HTTP_ERROR:
            raise error_from_response(response.status, raw, response.headers)
        return raw, response.headers

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
        raw, _ = await self._answer(method, path, body, query, content_type)
        return _object(raw, f"{method} {path}")

    async def read(
        self,
        method: str,
        path: str,
        decoder: msgspec.json.Decoder[T],
        body: Object | None = None,
        query: Mapping[str, str] | None = None,
    ) -> T:
        """Send one request, and return what the decoder makes of the answer: the parts that are of interest.

        It raises the errors of `request`. An answer that does not have these parts is like one that is not JSON.
        """
        raw, _ = await self._answer(method, path, body, query)
        try:
            return decoder.decode(raw)
        except ValueError as error:
            raise _not_json(f"{method} {path}", raw) from error

    async def about(self) -> ApiServer:
        """Ask the API server for its version, which everybody may do. It raises the errors of `request`."""
        raw, headers = await self._answer("GET", "/version", None, None)
        return api_server(_object(raw, "GET /version"), headers.get("Date", ""))

    async def post(self, path: str, body: Object) -> Object:
        """Send a POST request, and return the JSON object that is answered. It raises the errors of `request`."""
        return await self.request("POST", path, body)

    async def text(self, path: str, query: Mapping[str, str] | None = None) -> str:
        """GET something that is not JSON, for example the log of a pod. It raises the errors of `request`."""
        raw, _ = await self._answer("GET", path, None, query)
        return raw.decode(errors="replace")

    async def stream(self, path: str, query: Mapping[str, str]) -> AsyncGenerator[bytes, None]:
        """The lines of a watch, until the server ends it. It raises the errors of `request`."""
        response = await self._send("GET", path, None, query, _JSON, watching=True)
        try:
            if response.status >= _HTTP_ERROR:
                raise error_from_response(response.status, await response.read(), response.headers)
            while line := await response.content.readline():
                yield line
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise KubeUnreachableError(f"watch of {path}: {error or type(error).__name__}") from error
        finally:
            response.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._sessions.close()


def _object(raw: bytes, call: str) -> Object:
    try:
        return msgspec.json.decode(raw) if raw else {}
    except ValueError:
        pass
    try:  # text of a pod may have half of a surrogate pair in it, which nothing behind this door can write
        return json.loads(json.dumps(json.loads(raw), ensure_ascii=False).encode(errors="replace"))
    except ValueError as error:  # it was cut off, or a proxy in front of the API server has answered
        raise _not_json(call, raw) from error


def _not_json(call: str, raw: bytes) -> KubeUnreachableError:
    return KubeUnreachableError(f"{call}: the answer is not JSON: {raw[:100]!r}")


def _quote(value: str) -> str:
    return urllib.parse.quote(value, safe="")
