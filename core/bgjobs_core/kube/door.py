"""The only place that talks to the Kubernetes API. It sends and returns plain JSON, and raises our own errors.

The package `kubernetes.aio` reads the configuration, and renews tokens. Its model classes are not used, because making
and reading them takes several times as long as the call itself; nor is its HTTP client, which takes bodies as objects
alone and copies each answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import aiohttp
import msgspec
from kubernetes.aio import client, config
from yarl import URL

from bgjobs_core.kube import listening
from bgjobs_core.kube.connections import Connections, Pool
from bgjobs_core.kube.errors import (
    KubeTooLargeError,
    KubeUnreachableError,
    KubeUnreadableError,
    error_from_response,
)
from bgjobs_core.kube.lines import lines
from bgjobs_core.kube.objects import ApiServer, api_server
from bgjobs_core.kube.reading import decoded

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from bgjobs_core.kube.objects import Object

_SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
# Of every call but a watch: from when it is asked for until its whole answer is there, however slowly that comes.
ANSWER_SECONDS: Final = 15.0
MAX_ANSWER: Final = 2**23  # bytes of an answer; a page of a list is made to have half of that at most
_CONNECT_SECONDS: Final = 3.0
_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS)  # the rest is `ANSWER_SECONDS`
# Bookmarks come about once a minute, so a stream that says nothing for longer is dead.
_WATCH_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS, sock_read=70)
_JSON: Final = "application/json"
_HTTP_ERROR: Final = 400
_FORBIDDEN: Final = 403
_MOST_NAMED: Final = 1000
_Headers = Mapping[str, str]
NO_HEADERS: Final[_Headers] = MappingProxyType({})
T = TypeVar("T")


class Kube:
    """A connection to one cluster. Call `close` when it is not needed any more.

    Attributes:
        forbidden: an event that is set when an answer has the status 403, except to questions about our own
            permissions. Whoever checks the permissions waits for it, and clears it.
        forbidden_in: the namespaces in which that was since somebody cleared it; "" stands for none.
    """

    def __init__(self, configuration: client.Configuration) -> None:
        self.forbidden = asyncio.Event()
        self.forbidden_in: set[str] = set()
        self._connections = Connections(configuration)
        self._pool = Pool.WORK
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

    def by(self, pool: Pool) -> Kube:
        """The same door, whose calls go by the connections of another pool. Close the first one, and not this one."""
        other = copy.copy(self)
        other._pool = pool
        return other

    async def _send(
        self, pool: Pool, method: str, path: str, body: bytes | None, query: Mapping[str, str] | None, headers: _Headers
    ) -> aiohttp.ClientResponse:
        # What is sent compressed may be a thousand times as large here, and within a cluster it takes more time.
        sent = {"Accept": "application/json, */*", "Content-Type": _JSON, "Accept-Encoding": "identity", **headers}
        await self._connections.authorize(sent, method, path)
        url = f"{self._connections.host}{path}"
        if query:
            url += "?" + "&".join(f"{key}={_quote(value)}" for key, value in query.items())
        if method != "GET" and not self._may_write():
            raise KubeUnreachableError(f"{method} {path}: not sent, as somebody else may lead by now")
        proxy, proxy_headers = self._connections.proxy
        response = await self._connections.of(pool).request(
            method,
            URL(url, encoded=True),
            data=body,
            headers=sent,
            timeout=_WATCH_TIMEOUT if pool is Pool.WATCHES else _TIMEOUT,
            proxy=proxy,
            proxy_headers=proxy_headers,
            server_hostname=self._connections.server_name,
        )
        # Where even the question about our permissions is refused, asking it again at once is no use.
        if response.status == _FORBIDDEN and "/selfsubject" not in path:
            if len(self.forbidden_in) < _MOST_NAMED:
                self.forbidden_in.add(_namespace_of(path))
            self.forbidden.set()
        return response

    async def answer(
        self,
        method: str,
        path: str,
        body: Object | None = None,
        query: Mapping[str, str] | None = None,
        headers: _Headers = NO_HEADERS,
    ) -> tuple[bytes, Mapping[str, str]]:
        """Send one request, and return the body and the headers of the answer as they are.

        Raises:
            KubeRefusedError: if the status of the answer is 400 or more.
            KubeTooLargeError: if the answer has more than `MAX_ANSWER` bytes.
            KubeUnreachableError: if there is no answer, or not all of it within `ANSWER_SECONDS`.
        """
        sent = None if body is None else msgspec.json.encode(body)
        call = f"{method} {path}"
        try:
            with listening.call() as told:
                async with asyncio.timeout(ANSWER_SECONDS) as limit:
                    response = await self._send(self._pool, method, path, sent, query, headers)
                    async with response, contextlib.AsyncExitStack() as reading:
                        if self._pool is Pool.PAGES:  # the server has done its part; now it is for us to find room
                            told.hears()
                            limit.reschedule(None)
                            await reading.enter_async_context(self._connections.readers)
                            limit.reschedule(asyncio.get_running_loop().time() + ANSWER_SECONDS)
                            told.asks()
                        raw = await _body(response, call)
        except TimeoutError as error:
            raise KubeUnreachableError(f"{call}: {str(error) or f'no answer within {ANSWER_SECONDS:g} s'}") from error
        except (aiohttp.ClientError, OSError) as error:
            raise KubeUnreachableError(f"{call}: {error or type(error).__name__}") from error
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
        raw, _ = await self.answer(method, path, body, query, {"Content-Type": content_type})
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
        raw, _ = await self.answer(method, path, body, query)
        return decoded(raw, decoder.decode, f"{method} {path}")

    async def about(self) -> ApiServer:
        """Ask the API server for its version, which everybody may do. It raises the errors of `request`."""
        raw, headers = await self.answer("GET", "/version")
        return api_server(_object(raw, "GET /version"), headers.get("Date", ""))

    async def post(self, path: str, body: Object) -> Object:
        """Send a POST request, and return the JSON object that is answered. It raises the errors of `request`."""
        return await self.request("POST", path, body)

    async def text(self, path: str, query: Mapping[str, str] | None = None) -> str:
        """GET something that is not JSON, for example the log of a pod. It raises the errors of `request`."""
        raw, _ = await self.answer("GET", path, query=query)
        return raw.decode(errors="replace")

    async def stream(
        self, path: str, query: Mapping[str, str], headers: _Headers = NO_HEADERS
    ) -> AsyncGenerator[list[bytes], None]:
        """The lines of a watch, until the server ends it; see `lines`. It raises the errors of `request`."""
        response: aiohttp.ClientResponse | None = None
        try:
            response = await self._send(Pool.WATCHES, "GET", path, None, query, headers)
            if response.status >= _HTTP_ERROR:
                async with asyncio.timeout(ANSWER_SECONDS):
                    raw = await _body(response, f"watch of {path}")
                raise error_from_response(response.status, raw, response.headers)
            async with contextlib.aclosing(lines(response)) as found:
                async for some in found:
                    yield some
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise KubeUnreachableError(f"watch of {path}: {error or type(error).__name__}") from error
        finally:
            if response is not None:
                response.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._connections.close()


async def _body(response: aiohttp.ClientResponse, call: str) -> bytes:
    pieces, size = list[bytes](), 0
    async for piece in response.content.iter_any():
        size += len(piece)
        if size > MAX_ANSWER:
            response.close()
            raise KubeTooLargeError(f"{call}: the answer has more than {MAX_ANSWER} bytes")
        pieces.append(piece)
    return b"".join(pieces)


def _namespace_of(path: str) -> str:
    return path.partition("/namespaces/")[2].partition("/")[0]


def _object(raw: bytes, call: str) -> Object:
    found: Any = decoded(raw, msgspec.json.decode, call) if raw else {}
    if not isinstance(found, dict):
        raise KubeUnreadableError(f"{call}: the answer is no object: {raw[:100]!r}")
    return cast("Object", found)


def _quote(value: str) -> str:
    return urllib.parse.quote(value, safe="")
