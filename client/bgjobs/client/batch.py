"""Many jobs at once: they are sent in pieces, of each of which a server stores all jobs or none. They are a batch."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Unpack

from bgjobs.client.request import build_request
from bgjobs.errors import BgjobsError, EnqueueManyError, InvalidJobError, RefusedError
from bgjobs.ids import new_job_id
from bgjobs.protocol import MAX_BATCH_BYTES, MAX_BATCH_JOBS
from bgjobs.vocabulary import UniqueAnswer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from bgjobs.batches import EnqueuedJob
    from bgjobs.job_spec import EnqueueOptions
    from bgjobs.wire import EnqueueRequest

MOST_JOBS: Final = 10_000
_OF_ANOTHER: Final = frozenset({UniqueAnswer.RETURNED, UniqueAnswer.IGNORED})
_PIECE_BYTES: Final = MAX_BATCH_BYTES // 2


class Call:
    """One of the calls that `enqueue_many` asks for.

    Args:
        cls: an approved class: the class itself, or its dotted name; or the name of a module, for a function of it.
        method: a public method of it.
        parameters: a list or tuple for `method(*parameters)`, a dict for `method(**parameters)`.
        priority: 0 low, 1 high; default: what `enqueue_many` says for all.
        delay: seconds to wait before the job becomes due; default: what `enqueue_many` says for all.
        options: as in `JobClient.enqueue`; they count more than those of `enqueue_many`.
    """

    def __init__(
        self,
        cls: type | str,
        method: str,
        parameters: Sequence[Any] | Mapping[str, Any] = (),
        *,
        priority: int | None = None,
        delay: float | None = None,
        **options: Unpack[EnqueueOptions],
    ) -> None:
        self.cls = cls
        self.method = method
        self.parameters = parameters
        self.priority = priority
        self.delay = delay
        self.options = options

    def __repr__(self) -> str:
        name = self.cls.__qualname__ if isinstance(self.cls, type) else self.cls
        return f"<Call {name}.{self.method} {self.parameters!r}>"


def build_requests(
    calls: Iterable[Call], *, priority: int, delay: float, **options: Unpack[EnqueueOptions]
) -> list[EnqueueRequest]:
    """Check all calls, and make the requests, which are of one batch; those of another namespace are of one of theirs.

    Raises:
        InvalidJobError: of the first one that is wrong, which the message and the field name by its number, from 0 on.
    """
    for name in ("id", "key"):
        if options.get(name) is not None:
            raise InvalidJobError(f"an {name} is that of one job: give it to its Call".replace("an key", "a key"), name)
    requests: list[EnqueueRequest] = []
    for index, call in enumerate(calls):
        if index == MOST_JOBS:
            raise InvalidJobError(f"at most {MOST_JOBS:,} jobs can be asked for in one call; make several", "jobs")
        try:
            requests.append(
                build_request(
                    call.cls,
                    call.method,
                    call.parameters,
                    priority=priority if call.priority is None else call.priority,
                    delay=delay if call.delay is None else call.delay,
                    **{**options, **call.options},
                )
            )
        except InvalidJobError as error:
            raise InvalidJobError(f"job {index}: {error}", f"jobs.{index}.{error.field}", index=index) from error
    first: dict[tuple[str | None, str], int] = {}
    for index, request in enumerate(requests):
        what, named = ("id", (None, request.id)) if request.key is None else ("key", (request.namespace, request.key))
        if (other := first.setdefault(named, index)) != index:
            raise InvalidJobError(
                f"job {index}: its {what} is that of job {other}, too", f"jobs.{index}.{what}", index=index
            )
    return in_batches(requests)


def in_batches(requests: Iterable[EnqueueRequest]) -> list[EnqueueRequest]:
    """The same requests, all of a new batch; a batch is of one namespace, so there is one for each."""
    ids: dict[str | None, str] = {}
    return [
        one.model_copy(update={"batch": ids.get(one.namespace) or ids.setdefault(one.namespace, new_job_id())})
        for one in requests
    ]


class Piece(NamedTuple):
    """What one call of the API asks for.

    Attributes:
        start: how many jobs come before it.
        requests: its jobs.
        body: what is sent.
    """

    start: int
    requests: Sequence[EnqueueRequest]
    body: bytes


def pieces(requests: Sequence[EnqueueRequest]) -> Iterator[Piece]:
    """Cut requests into pieces that are neither too many jobs nor too many bytes for one call.

    A piece with the last job of a batch closes the batch.
    """
    last = {one.batch: index for index, one in enumerate(requests) if one.batch is not None}
    start, size = 0, 0
    parts: list[bytes] = []
    for index, request in enumerate(requests):
        part = request.model_dump_json(by_alias=True, exclude_unset=True, exclude_none=True).encode()
        if parts and (len(parts) == MAX_BATCH_JOBS or size + len(part) > _PIECE_BYTES):
            yield _piece(requests, start, parts, last)
            start, size, parts = index, 0, []
        parts.append(part)
        size += len(part) + 1
    if parts:
        yield _piece(requests, start, parts, last)


def _piece(requests: Sequence[EnqueueRequest], start: int, parts: Sequence[bytes], last: Mapping[str, int]) -> Piece:
    end = start + len(parts)
    closed = [batch for batch, index in last.items() if start <= index < end]
    close = b',"close":' + json.dumps(closed).encode() if closed else b""
    return Piece(start, requests[start:end], b'{"jobs":[' + b",".join(parts) + b"]" + close + b"}")


def failure(requests: Sequence[EnqueueRequest], piece: Piece, error: BgjobsError) -> EnqueueManyError:
    """What is to be said when a piece was not stored.

    Args:
        requests: all that was asked for.
        piece: the one that was not stored; those before it are stored, and those after it were not sent.
        error: why not.
    """
    end = piece.start + len(piece.requests)
    ids = [one.key or one.id for one in requests]
    # A server that refuses has stored nothing. One that fails, or something else that answers, may have stored it.
    refused = isinstance(error, InvalidJobError) or (
        isinstance(error, RefusedError) and HTTPStatus.BAD_REQUEST <= error.status < HTTPStatus.INTERNAL_SERVER_ERROR
    )
    index = getattr(error, "index", None)
    words = f"{piece.start:,} of {len(ids):,} jobs are stored; "
    if refused:
        words += "none of the others is: "
    else:
        words += (
            f"of {len(piece.requests):,} more it is unknown, and the other {len(ids) - end:,} were not sent "
            "(send_many(error.rest) asks again for all that may be missing, and for none of them twice): "
        )
    if index is None:
        words += str(error)
    else:
        words += f"job {piece.start + index:,}: {str(error).removeprefix(f'job {index}: ')}"
    return EnqueueManyError(
        words,
        stored=ids[: piece.start],
        unknown=[] if refused else ids[piece.start : end],
        not_stored=ids[piece.start :] if refused else ids[end:],
        rest=requests[piece.start :],
        index=None if index is None else piece.start + index,
        batch=next((one.batch for one in requests), None),
    )


def checked(piece: Piece, answered: Sequence[EnqueuedJob]) -> Sequence[EnqueuedJob]:
    """What a server has answered to a piece, if it is about the jobs of that piece.

    Raises:
        RefusedError: if it is about others.
    """
    asked = [one.id if one.key is None else None for one in piece.requests]
    if len(answered) != len(asked) or any(
        there not in {None, one.id} and one.unique not in _OF_ANOTHER
        for there, one in zip(asked, answered, strict=True)
    ):
        raise RefusedError("the server answers with other jobs than it was asked for; is it a bgjobs API?", 0)
    return answered
