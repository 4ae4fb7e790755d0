"""Collects what the server says, for `bgjobs queues` and `bgjobs doctor`. What is wrong is decided in `checks`."""

from __future__ import annotations

from dataclasses import replace
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final

import httpx2
from pydantic import ValidationError

from bgjobs.cli.doctor import pods
from bgjobs.cli.doctor.checks import Answer, Facts
from bgjobs.client import endpoints
from bgjobs.connection.server import parse_url
from bgjobs.connection.transport import Transport
from bgjobs.errors import BgjobsError
from bgjobs.ids import new_job_id
from bgjobs.vocabulary import State
from bgjobs.wire import QueueList, QueueView

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgjobs.cli.doctor.pods import Pods
    from bgjobs.cli.session import Session

_PATIENCE_SECONDS: Final = 10.0
# No queue has this name, so that the API refuses the job, but only after it has checked the caller's permissions.
_NO_QUEUE: Final = "no-such-queue-of-bgjobs-doctor"


def queues(session: Session, *, timeout_seconds: float = 15, retry_seconds: float = 3) -> Sequence[QueueView]:
    """Ask the API for the queues of the session's namespace, or of all namespaces in which the caller may list them.

    Args:
        session: the session of the subcommand.
        timeout_seconds: how long one request may take.
        retry_seconds: for how long to send requests again.
    """
    connection = session.connection
    transport = Transport(
        parse_url(connection.url),
        connection.token,
        timeout_seconds=timeout_seconds,
        retry_seconds=retry_seconds,
        transport=connection.transport,
        sleep=session.world.sleep,
    )
    try:
        return transport.send(endpoints.queues(connection.namespace))
    finally:
        transport.close()


def gather(session: Session) -> Facts:
    """Ask everything that the checks need, once. What depends on an answer that did not come is not asked."""
    known = Facts(version=_own_version(), pods=_pods(session))
    try:
        connection = session.connection
    except BgjobsError as error:
        return replace(known, no_server=error)
    server = f"{connection.url} (by {session.choice.how})"
    address = parse_url(connection.url)
    with httpx2.Client(
        base_url=address.url,
        timeout=_PATIENCE_SECONDS,
        transport=connection.transport,
        trust_env=not address.is_local,
    ) as client:
        before = session.world.now()
        health, date = _ask(client, "GET", "/healthz")
        after = session.world.now()
        if health.status is None:
            return replace(known, server=server, health=health)
        no_token: BgjobsError | None = None
        token = None
        try:
            token = connection.token()
        except BgjobsError as error:
            no_token = error
        # Of a local server everything but /healthz is for those who have its token.
        ready, _ = _ask(client, "GET", "/readyz", token)
        skew = _skew(date, (before + after) / 2)
        known = replace(known, server=server, health=health, skew_seconds=skew, ready=ready)
        if no_token is not None:
            return replace(known, no_token=no_token)
        where = {} if connection.namespace is None else {"namespace": connection.namespace}
        listing, _ = _ask(
            client, "GET", "/api/v1/jobs", token, query={**where, "state": State.LAUNCHED, "limit": "100"}
        )
        creating = queue_listing = None
        found: tuple[QueueView, ...] = ()
        if listing.status != HTTPStatus.UNAUTHORIZED:
            body = {
                "id": new_job_id(), "class": "bgjobs.Doctor", "method": "ask", "queue": _NO_QUEUE, **where,
            }  # fmt: skip
            creating, _ = _ask(client, "POST", "/api/v1/jobs", token, body=body)
            queue_listing, _ = _ask(client, "GET", "/api/v1/queues", token, query=where)
            found = _queues(queue_listing)
    return replace(
        known,
        listing=listing,
        creating=creating,
        queue_listing=queue_listing,
        queues=found,
        namespace=connection.namespace,
    )


def _own_version() -> str:
    try:
        return metadata.version("bgjobs")
    except metadata.PackageNotFoundError:
        return ""


def _pods(session: Session) -> Pods | None:
    """The pods of the installation; None if it is not reached by kubectl, or if the user may not list them."""
    try:
        found = session.cluster
        return None if found is None else pods.read(found.kubectl.installation(found.service.namespace))
    except BgjobsError:
        return None  # that is no fault: whoever may not list pods may run jobs all the same


def _ask(
    client: httpx2.Client, verb: str, path: str, token: str | None = None, *, query: Any = None, body: Any = None
) -> tuple[Answer, str]:
    try:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        response = client.request(verb, path, params=query, json=body, headers=headers)
    except (httpx2.TransportError, httpx2.InvalidURL, BgjobsError) as error:
        return Answer(None, problem=f"{type(error).__name__}: {error}"), ""
    try:
        content: Any = response.json()
    except ValueError:
        content = response.text[:500]
    return Answer(response.status_code, content), response.headers.get("Date", "")


def _skew(date: str, local: float) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp() - local
    except ValueError:
        return None


def _queues(answer: Answer) -> tuple[QueueView, ...]:
    if answer.status != HTTPStatus.OK:
        return ()
    try:
        return tuple(QueueList.model_validate(answer.body).items)
    except ValidationError:
        return ()
