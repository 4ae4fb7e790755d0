"""The jobs that this one needs, for its code: what they returned is read when it is asked for, by the pod's own token.

It is the job's process that asks, by a connection of its own: the supervisor's is busy with beats, and 100 results of
256 KiB are too much to be read before it is known that somebody wants them.
"""

from __future__ import annotations

import time

from bgjobs.connection.retry import backoff_seconds, random_jitter
from bgjobs.context import ParentBatch, ParentJob
from bgjobs.errors import ConflictError, UnreachableError
from bgjobs.light_typing import TYPE_CHECKING
from bgjobs.protocol import GO_AWAY
from bgjobs.runner.api import RunnerApi
from bgjobs.runner.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

_CONFLICT = 409


def parents(told: Sequence[Mapping[str, Any]], attempt: int, environ: Mapping[str, str]) -> list[ParentJob]:
    """The parents of a job, as the reply to `start` has told them.

    Args:
        told: id, request, state and outcome of each, and of a batch how many of its jobs are in which state.
        attempt: number of the attempt that runs.
        environ: the environment of the pod.
    """

    def read(parent_id: str) -> dict[str, Any]:
        return read_parent(environ, attempt, parent_id)

    def read_page(batch_id: str, after: str | None) -> dict[str, Any]:
        return read_batch(environ, attempt, batch_id, after)

    def made(one: Mapping[str, Any]) -> ParentJob:
        if one.get("jobs") is not None:
            return ParentBatch(one["id"], one.get("state"), one["jobs"], read, read_page)
        return ParentJob(one["id"], one.get("request"), one.get("state"), one.get("outcome"), read)

    return [made(one) for one in told]


def read_parent(
    environ: Mapping[str, str],
    attempt: int,
    parent_id: str,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> dict[str, Any]:
    """Ask the API what a parent returned, again and again while it does not answer.

    Args:
        environ: the environment of the pod.
        attempt: number of the attempt that runs.
        parent_id: id of the parent.
        clock: monotonic seconds.
        sleep: in place of `time.sleep`.

    Raises:
        ConflictError: if this attempt is not the job's current one.
        RefusedError: if the API refuses it.
        UnreachableError: if there is no answer within the runner's patience.
    """
    return _ask(environ, "parent", {"attempt": attempt, "parent": parent_id}, clock, sleep)


def read_batch(
    environ: Mapping[str, str],
    attempt: int,
    batch_id: str,
    after: str | None,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> dict[str, Any]:
    """Ask the API for a page of the jobs of a batch with what they returned; as `read_parent`.

    Args:
        environ: the environment of the pod.
        attempt: number of the attempt that runs.
        batch_id: id of the batch.
        after: the id behind which the page begins; None for the first one.
        clock: monotonic seconds.
        sleep: in place of `time.sleep`.
    """
    body: dict[str, Any] = {"attempt": attempt, "batch": batch_id}
    return _ask(environ, "parent-batch", body if after is None else {**body, "after": after}, clock, sleep)


def _ask(
    environ: Mapping[str, str],
    verb: str,
    body: dict[str, Any],
    clock: Callable[[], float],
    sleep: Callable[[float], object],
) -> dict[str, Any]:
    settings = read_settings(environ)
    api = RunnerApi(settings)
    give_up = clock() + settings.patience
    failures = 0
    try:
        while True:
            try:
                reply = api.call(verb, body)
                break
            except UnreachableError:
                failures += 1
                pause = backoff_seconds(failures, random_jitter())
                if clock() + pause > give_up:
                    raise
                sleep(pause)
    finally:
        api.close()
    if reply["action"] == GO_AWAY:
        raise ConflictError("this attempt is not the job's current one, so it may not read results", _CONFLICT)
    return reply
