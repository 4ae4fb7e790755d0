"""Ask a bgjobs server for jobs, from a program."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, NamedTuple, Self, Unpack
from urllib.parse import quote

from bgjobs.errors import UnreachableError
from bgjobs.handle import JobHandle
from bgjobs.request import EnqueueOptions, build_request, dotted_class
from bgjobs.settings import find_server, find_token
from bgjobs.transport import Transport, parse
from bgjobs.wire import Attempt, AttemptList, CancelRequest, EnqueueRequest, Job, JobList, JobResult

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import httpx2

LOG_COMPLETE_HEADER = "Bgjobs-Log-Complete"
LOG_NEXT_HEADER = "Bgjobs-Log-Next-Offset"


class LogPart(NamedTuple):
    """A piece of an attempt's log.

    Attributes:
        data: UTF-8 text; a piece may end within a character.
        next_offset: where the next one begins, as the server counts.
        complete: whether nothing will come after it.
    """

    data: bytes
    next_offset: int
    complete: bool


class JobClient:
    """A connection to the API, safe to share between threads and to carry over a fork.

    Args:
        url: of the server; default: `BGJOBS_URL`.
        token: default: `BGJOBS_TOKEN`, else the file `BGJOBS_TOKEN_FILE`, else the projected token of a pod.
            Files are read again every minute, since such tokens are replaced.
        namespace: for jobs and lists that name none; default: that of the caller's ServiceAccount.
        timeout_seconds: of one request.
        retry_seconds: for how long a request is sent again while the API is out of reach or busy.
        transport: in place of the network, for tests.
        sleep: in place of `time.sleep`, for tests.
        environ: in place of the process's environment.

    Raises:
        ConfigurationError: if no server or no token can be found.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        namespace: str | None = None,
        timeout_seconds: float = 15,
        *,
        retry_seconds: float = 30,
        transport: httpx2.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        server = find_server(url, environ)
        self._transport = Transport(
            server,
            find_token(token, server, environ),
            timeout_seconds=timeout_seconds,
            retry_seconds=retry_seconds,
            transport=transport,
            sleep=sleep,
        )
        self._namespace = namespace
        self.sleep = sleep

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<JobClient {self._transport.url}>"

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        self._transport.close()

    def enqueue(
        self,
        cls: type | str,
        method: str,
        parameters: Sequence[Any] | Mapping[str, Any] = (),
        *,
        priority: int = 0,
        delay: float = 0,
        **options: Unpack[EnqueueOptions],
    ) -> JobHandle:
        """Ask for `cls().method(*parameters)`, or `(**parameters)` of a dict, to be run once as a job.

        Sent again, even from another process, the same id is the same job.

        Args:
            cls: an approved class of the job's image: the class itself, or its dotted name.
            method: a public method of it, sync or async.
            parameters: a list, tuple or dict that JSON can carry, of at most 256 KiB.
            priority: 0 low, 1 high.
            delay: seconds to wait before the job becomes due.
            options: `queue` (`"default"`), `namespace`, `max_retries` (default: the queue's), `timeout_seconds` of
                one attempt (default: the queue's), `image` (one that the queue lists; default: its own), `id` (a
                UUIDv7; default: a new one).

        Returns:
            A handle on the job, which is safely stored.

        Raises:
            InvalidJobError: before anything is sent, or as the API's answer.
            ConflictError: if the id belongs to another job.
            ForbiddenError: if the caller may not create jobs in the namespace.
            UnreachableError: naming the id; whether the job is stored is unknown, so call again with it.
        """
        options.setdefault("namespace", self._namespace)
        return self.send(build_request(cls, method, parameters, priority=priority, delay=delay, **options))

    def send(self, request: EnqueueRequest) -> JobHandle:
        """Send a request that is already made; `enqueue` makes one."""
        body = request.model_dump_json(by_alias=True, exclude_none=True).encode()
        try:
            job = parse(Job, self._transport.send("POST", "/api/v1/jobs", body=body))
        except UnreachableError as error:
            raise UnreachableError(
                f'{error}. Whether the job is enqueued is unknown; ask again with id="{request.id}"'
            ) from error
        return JobHandle(self, job.id, job)

    def handle(self, job_id: str) -> JobHandle:
        """A handle on a job that exists; nothing is sent yet."""
        return JobHandle(self, job_id)

    def get(self, job_id: str) -> Job:
        """The job as it is now.

        Raises:
            NotFoundError: if there is none, or it was dropped after its retention.
        """
        return parse(Job, self._transport.send("GET", _path(job_id)))

    def list(
        self,
        *,
        namespace: str | None = None,
        state: str | None = None,
        queue: str | None = None,
        class_: type | str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> JobList:
        """One page of jobs, the latest changed first; give its `next_cursor` for the next one."""
        asked = {
            "namespace": namespace or self._namespace,
            "state": state,
            "queue": queue,
            "class": None if class_ is None else dotted_class(class_),
            "limit": None if limit is None else str(limit),
            "cursor": cursor,
        }
        query = {name: value for name, value in asked.items() if value is not None}
        return parse(JobList, self._transport.send("GET", "/api/v1/jobs", query))

    def cancel(self, job_id: str, note: str | None = None) -> Job:
        """Stop the job for good: a waiting one never starts, a running one has its pods deleted.

        Raises:
            ConflictError: if it has already ended.
        """
        body = CancelRequest(note=note).model_dump_json(exclude_none=True).encode()
        return parse(Job, self._transport.send("POST", f"{_path(job_id)}/cancel", body=body))

    def attempts(self, job_id: str) -> Sequence[Attempt]:
        """The attempts of the job, the first one first."""
        return parse(AttemptList, self._transport.send("GET", f"{_path(job_id)}/attempts")).items

    def logs(self, job_id: str, attempt: int | None = None) -> str:
        """What is there of the log of an attempt, by default the latest one's."""
        data = b""
        offset = 0
        while True:
            part = self.log_part(job_id, attempt, offset)
            data += part.data
            offset = part.next_offset
            if part.complete or not part.data:
                return data.decode(errors="replace")

    def log_part(self, job_id: str, attempt: int | None, offset: int) -> LogPart:
        """The log of an attempt from an offset on.

        Args:
            job_id: of the job.
            attempt: its number; None: the latest.
            offset: 0, or where the part before says that the next one begins. That is the number of bytes so far,
                until the log is so long that its middle is left out.
        """
        where = f"{_path(job_id)}/log" if attempt is None else f"{_path(job_id)}/attempts/{attempt}/log"
        response = self._transport.send("GET", where, {"offset": str(offset)})
        data, headers = response.content, response.headers
        next_offset = headers.get(LOG_NEXT_HEADER, "")
        return LogPart(
            data,
            int(next_offset) if next_offset.isdecimal() else offset + len(data),
            headers.get(LOG_COMPLETE_HEADER, "").lower() == "true",
        )

    def result(self, job_id: str) -> Any:
        """What the method returned.

        Raises:
            ConflictError: while the job has not ended.
            NotFoundError: if it returned nothing.
        """
        return parse(JobResult, self._transport.send("GET", f"{_path(job_id)}/result")).value


def _path(job_id: str) -> str:
    return f"/api/v1/jobs/{quote(job_id, safe='')}"
