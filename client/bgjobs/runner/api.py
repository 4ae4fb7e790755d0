"""The runner's HTTP client: `POST /runner/v1/jobs/{id}/<verb>` over one connection that is kept open.

Every call may be sent again: the server recognises the pod, and gives the same answer.
"""

from __future__ import annotations

import json
import os

from bgjobs.connection.server import TokenFile, parse_url
from bgjobs.errors import RefusedError, UnreachableError
from bgjobs.light_typing import TYPE_CHECKING
from bgjobs.protocol import PROTOCOL, PROTOCOL_HEADER
from bgjobs.runner.answers import read_reply
from bgjobs.runner.http_connection import HttpConnection, HttpError

if TYPE_CHECKING:
    from typing import Any, Final

    from bgjobs.runner.settings import Settings

MAX_REPLY_BYTES: Final = 4 * 1024 * 1024


class RunnerApi:
    """Sends the calls of one pod. Only one thread at a time may use it.

    Raises:
        ConfigurationError: if the URL is not valid, or if there is no token and the server is not on this machine.
    """

    def __init__(self, settings: Settings) -> None:
        self._address = parse_url(settings.url)
        self._path = f"{self._address.base}/runner/v1/jobs/{settings.job_id}"
        self._timeout = settings.request
        self._identity = {
            "kube_uid": settings.kube_uid,
            "pod_uid": settings.pod_uid,
            "pod_name": settings.pod_name,
        }
        self._token: TokenFile | None = None
        if not self._address.is_local or os.path.exists(settings.token_file):  # noqa: PTH110 - no pathlib here
            self._token = TokenFile(settings.token_file)
            self._token.read()
        self._connection = HttpConnection(self._address, MAX_REPLY_BYTES)

    def call(self, verb: str, body: dict[str, Any], timeout: float | None = None) -> dict[str, Any]:
        """Send one request and return the JSON object that the API answers.

        Args:
            verb: `start`, `beat`, `finish`, `stack`, `parent` or `parent-batch`.
            body: the fields to send; the pod's identity is added to them.
            timeout: seconds; None takes `request` of the settings.

        Raises:
            UnreachableError: if there is no answer, or one that decides nothing.
            RefusedError: if the API refuses the request; see `answers`.
        """
        data = json.dumps(self._identity | body).encode()
        status, answer = self._exchange(verb, data, timeout or self._timeout)
        try:
            return read_reply(verb, status, answer)
        except (RefusedError, UnreachableError) as error:
            # A new connection may lead to another replica of the API.
            self.close()
            if isinstance(error, RefusedError):
                raise
            raise UnreachableError(f"{self._address.url}: {error}") from error

    def close(self) -> None:
        """Close the connection; the next call opens another."""
        self._connection.close()

    def _exchange(self, verb: str, data: bytes, timeout: float) -> tuple[int, bytes]:
        headers = {"Content-Type": "application/json", PROTOCOL_HEADER: str(PROTOCOL)}
        if self._token is not None:
            # Read each time, because the kubelet replaces the token when most of its time is over.
            headers["Authorization"] = f"Bearer {self._token.read(fresh=True)}"
        path = f"{self._path}/{verb}"
        kept = self._connection.is_open
        try:
            try:
                return self._connection.post(path, data, headers, timeout)
            except TimeoutError:
                raise
            except (OSError, HttpError):
                # The server may have closed a kept connection meanwhile. That is no failure yet: try a new one.
                if not kept:
                    raise
                return self._connection.post(path, data, headers, timeout)
        except (OSError, HttpError) as error:
            raise UnreachableError(
                f"{self._address.url} could not be reached: {type(error).__name__}: {error}"
            ) from error
